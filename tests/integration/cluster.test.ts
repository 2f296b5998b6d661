/** `kstream cluster`, and members of clusters as processes; what needs etcd runs where it is installed. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ETCD } from "../compat/install.ts";
import { freshDir, startBrokerProcess, withBroker } from "../harness/broker-process.ts";
import { EtcdServers } from "../harness/etcd-process.ts";
import { fails, kstream, ok } from "./cli.ts";

const withEtcd = test.skipIf(!existsSync(ETCD));

/** The document that a command prints. */
async function json(args: readonly string[], options = {}): Promise<unknown> {
  return JSON.parse(await ok([...args, "--json"], options));
}

test("status of a broker alone: all is in sync", async () => {
  await withBroker(async ({ bootstrap: brokers }) => {
    const text = await ok(["cluster", "status"], { brokers });
    expect(text).toMatch(/controller +1\n +partitions +3, all in sync\n/);
    expect(text).toMatch(/ 1 +up, controller +127\.0\.0\.1:\d+ +- +3 +3 +3\n/);
    expect(await json(["cluster", "status"], { brokers })).toMatchObject({
      controller: 1,
      brokers: [{ nodeId: 1, state: "up", controller: true, leaders: 3 }],
      partitions: 3,
      underReplicated: [],
    });
  }, { args: ["--topic", "orders:3"] });
});

test("a broker alone has no members", async () => {
  await withBroker(async ({ admin }) => {
    await fails(["cluster", "members", "--admin", admin ?? ""], 1, ["a cluster of its own"]);
  });
});

test("what a member cannot be started with is refused", async () => {
  const serve = (...flags: string[]) => ["serve", "--listen", "127.0.0.1:0", ...flags];
  const cluster = ["--cluster", "c", "--metadata", "etcd://127.0.0.1:1"];
  await fails(serve("--cluster", "c", "--node-id", "1"), 2, ["no place for its metadata"]);
  await fails(serve(...cluster), 2, ["has no node id", "--node-id 1"]);
  await fails(serve(...cluster, "--node-id", "1", "--memory"), 2, ["in memory"]);
  await fails(serve(...cluster, "--node-id", "1", "--cluster", "d"), 2, ["twice"]);
  await fails(serve(...cluster, "--node-id", "one"), 2, ['--node-id cannot be "one"']);
  await fails(serve("--join", "10.0.0.6"), 2, ["--join is for members of a cluster"]);
  await fails(serve(...cluster, "--node-id", "1", "--join", "10.0.0.6"), 2, [
    "reached on this host alone",
  ]);
  await fails(["serve", "--listen", "0.0.0.0:0", ...cluster, "--node-id", "1", "--insecure"], 2, [
    "every address",
    "--advertise",
  ]);
  await fails(
    [
      ...["serve", "--listen", "0.0.0.0:0", "--advertise", "10.0.0.5:0", ...cluster],
      ...["--node-id", "1", "--insecure"],
    ],
    2,
    ["needs a secret"],
  );
});

test("a cluster on this machine needs an etcd, and says so", async () => {
  await fails(["cluster", "start-local"], 2, ["--etcd"]);
  await fails(["cluster", "start-local", "--etcd", "--metadata", "etcd://h"], 2, ["one of them"]);
  await fails(["cluster", "start-local", "--metadata", "http://h"], 2, ["address of etcd"]);
  await fails(["cluster", "start-local", "-n", "0", "--etcd"], 2, ["from 1 to 9"]);
  const env = { PATH: freshDir("path") };
  await fails(["cluster", "start-local", "--etcd", "--data", freshDir("local")], 1, [
    "etcd is not installed",
  ], { env });
});

withEtcd("the metadata of a broker move to etcd, once, and it serves alone no more", async () => {
  const etcd = await EtcdServers.start(ETCD, { members: 1 });
  try {
    const dataDir = join(freshDir("migrate"), "data");
    const metadata = `etcd://${new URL(etcd.urls[0] ?? "").host}`;
    const to = ["--cluster", "shop", "--metadata", metadata, "--data", dataDir];
    await fails(["cluster", "migrate", ...to], 1, ["no broker of its own has run there"]);
    const broker = await startBrokerProcess({ dataDir, args: ["--topic", "orders:3"] });
    await fails(["cluster", "migrate", ...to], 1, ["another process has it open"]);
    await broker.stop();
    const nowhere = ["--cluster", "shop", "--metadata", "etcd://127.0.0.1:1", "--data", dataDir];
    await fails(["cluster", "migrate", ...nowhere], 3, ["nothing was moved"]);
    expect(await json(["cluster", "migrate", ...to])).toMatchObject({
      cluster: "shop",
      nodeId: 1,
      earlier: false,
    });
    await fails(["cluster", "migrate", ...to], 1, ["have been moved to etcd before"]);
    await fails(["serve", "--listen", "127.0.0.1:0", "--data", dataDir], 1, ["--cluster"]);
    // Another node's metadata do not go where these are.
    const other = join(freshDir("migrate"), "data");
    mkdirSync(other);
    await (await startBrokerProcess({ dataDir: other })).stop();
    await fails(
      ["cluster", "migrate", "--cluster", "shop", "--metadata", metadata, "--data", other],
      1,
      ["there are keys"],
    );
  } finally {
    await etcd.close();
  }
}, 60_000);

test("what the commands need is said in their help", async () => {
  const { stdout } = await kstream(["cluster", "--help"]);
  for (const name of ["status", "members", "start-local", "migrate"]) {
    expect(stdout).toContain(name);
  }
});
