/** `kstream serve --shards`: brokers of one host, and the process that watches over them. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ETCD, hasEtcd } from "../compat/install.ts";
import { type BrokerProcess, freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import { EtcdServers } from "../harness/etcd-process.ts";
import { fails, ok } from "./cli.ts";

const PARTITIONS = 6;

function startShards(dataDir: string, shards = 2, args: readonly string[] = []) {
  const options = { dataDir, args: ["--shards", String(shards), "--print-addr", "json", ...args] };
  return startBrokerProcess(options);
}

const newDir = () => join(freshDir("shards"), "data");

/** Runs `body` while shards serve, which have to end in good order. */
async function withShards(
  dataDir: string,
  body: (shards: BrokerProcess) => Promise<void>,
  ...rest: [shards?: number, args?: readonly string[]]
): Promise<void> {
  const shards = await startShards(dataDir, ...rest);
  try {
    await body(shards);
    expect(await shards.stop()).toBe(0);
  } catch (error) {
    await shards.stop("SIGKILL");
    throw new Error(`${error instanceof Error ? error.stack : error}\n${shards.output()}`);
  }
}

/** The process of a shard that has begun to serve last. */
async function pidOf(shards: BrokerProcess, name: string, count = 1): Promise<number> {
  const line = new RegExp(`(?:a shard serves shard=${name} pid=(\\d+)[^]*){${count}}`);
  return Number((await shards.outputHas(line))[1]);
}

/** Whether it has ended, even if nobody has asked how. */
function hasEnded(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || readFileSync(stat, "utf8").includes(") Z ");
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => from + index);

const lines = (values: readonly number[]) => values.map((value) => `${value}\n`).join("");

async function readAll(brokers: string, topic = "orders"): Promise<number[]> {
  const text = await ok(["consume", topic, "-e"], { brokers, timeoutMs: 60_000 });
  return text.trim().split("\n").map(Number).sort((a, b) => a - b);
}

async function produce(brokers: string, from: number, to: number): Promise<void> {
  const input = lines(numbers(from, to));
  await ok(["produce", "orders"], { brokers, input, timeoutMs: 60_000 });
}

test("shards are one cluster; one that is killed comes back with all that it had", async () => {
  const dataDir = newDir();
  await withShards(
    dataDir,
    async (shards) => {
      const brokers = shards.bootstrap;
      const status = await ok(["cluster", "status"], { brokers });
      expect(status).toContain(`partitions  ${PARTITIONS}, all in sync`);
      // The leads are divided.
      expect(status).toMatch(/ 1 +up.* 3 +3 +3\n +2 +up.* 3 +3 +3\n/);
      await produce(brokers, 0, 1000);
      expect(await readAll(brokers)).toEqual(numbers(0, 1000));
      const inGroup = ["consume", "orders", "-g", "readers", "-e"];
      expect((await ok(inGroup, { brokers })).trim().split("\n").length).toBe(1000);
      for (const name of ["shard-0", "shard-1"]) {
        process.kill(await pidOf(shards, name), "SIGKILL");
        await pidOf(shards, name, 2);
      }
      await produce(brokers, 1000, 1100);
      expect(await readAll(brokers)).toEqual(numbers(0, 1100));
      expect((await ok(inGroup, { brokers })).trim().split("\n").length).toBe(100);
      await ok(["topic", "create", "later", "-p", "4"], { brokers });
      await fails(["topic", "create", "two", "-r", "2"], 1, ["host"], { brokers });
    },
    2,
    ["--topic", `orders:${PARTITIONS}`],
  );
}, 120_000);

test("shards end when their supervisor is killed, and a new one finds everything", async () => {
  const dataDir = newDir();
  const first = await startShards(dataDir, 2, ["--topic", `orders:${PARTITIONS}`]);
  await produce(first.bootstrap, 0, 500);
  const pids = [await pidOf(first, "shard-0"), await pidOf(first, "shard-1")];
  // Their output ends with the last of them.
  await first.stop("SIGKILL");
  expect(first.output().match(/the broker has stopped in good order/g)?.length).toBe(pids.length);
  for (const pid of pids) expect(hasEnded(pid)).toBe(true);
  await withShards(dataDir, async ({ bootstrap }) => {
    expect(await readAll(bootstrap)).toEqual(numbers(0, 500));
    await produce(bootstrap, 500, 600);
  });
  // More shards join; what is there stays where it is.
  await withShards(dataDir, async ({ bootstrap: brokers }) => {
    expect(await readAll(brokers)).toEqual(numbers(0, 600));
    await ok(["topic", "create", "later", "-p", "6"], { brokers });
    expect(await ok(["cluster", "status"], { brokers })).toMatch(/ 3 +up.* 2 +2 +2\n/);
  }, 3);
  const serve = (
    ...flags: string[]
  ) => ["serve", "--data", dataDir, "--listen", "127.0.0.1:0", ...flags];
  await fails(serve("--shards", "2"), 1, ["those of 3", "kstream cluster drain"]);
  await fails(serve(), 1, ["the data of shards", "--shards 3"]);
}, 120_000);

test.skipIf(!await hasEtcd())(
  "shards of a cluster in etcd are members like any other",
  async () => {
    const etcd = await EtcdServers.start(ETCD, { members: 1 });
    const metadata = `etcd://${new URL(etcd.urls[0] ?? "").host}`;
    const cluster = ["--cluster", "shop", "--metadata", metadata, "--gossip-port", "0"];
    const secret = join(freshDir("secret"), "secret");
    writeFileSync(secret, "a secret that two machines share\n", { mode: 0o600 });
    const flags = (host: string, nodeId: number) => [
      ...cluster,
      ...["--host", host, "--node-id", String(nodeId), "--secret-file", secret],
    ];
    try {
      await withShards(
        newDir(),
        async (here) => {
          await withShards(
            newDir(),
            async ({ bootstrap: brokers }) => {
              await ok(["topic", "create", "orders", "-p", "4", "-r", "2"], { brokers });
              // No partition has both of its replicas on one machine.
              const told = await ok(["topic", "describe", "orders", "--json"], { brokers });
              const replicas = [...told.matchAll(/"replicas":\s*\[\s*(\d+),\s*(\d+)\s*\]/g)];
              expect(replicas.length).toBe(4);
              for (const [, a, b] of replicas) expect(Number(a) < 20).toBe(Number(b) >= 20);
              await produce(brokers, 0, 100);
            },
            2,
            flags("there", 20),
          );
          // The other machine has handed over what it led.
          expect(await readAll(here.bootstrap)).toEqual(numbers(0, 100));
        },
        2,
        flags("here", 10),
      );
    } finally {
      await etcd.close();
    }
  },
  120_000,
);

test("what shards cannot be started with is refused in a line", async () => {
  const alone = newDir();
  mkdirSync(alone, { recursive: true });
  await (await startBrokerProcess({ dataDir: alone })).stop();
  const serve = (...flags: string[]) => ["serve", "--listen", "127.0.0.1:0", ...flags];
  await fails(serve("--data", alone, "--shards", "2"), 1, ["the data of one broker"]);
  const fresh = newDir();
  const two = (...flags: string[]) => ["serve", "--data", fresh, "--shards", "2", ...flags];
  await fails(serve("--shards", "0"), 2, ["from 1 to 64"]);
  await fails(serve("--shards", "many"), 2, ['"many"']);
  await fails(two("--memory"), 2, ["in memory"]);
  await fails(two("--set", "kstream.storage=memory"), 2, ["in memory"]);
  await fails(two("--dev"), 2, ["--dev"]);
  await fails(two("--topic", "a:b"), 2, ["--topic cannot be read"]);
  await fails(two("--listen", "0.0.0.0:9092"), 2, ["every address"]);
  await fails(two("--listen", "10.0.0.1:9092"), 2, ["--insecure"]);
  await fails(two("--listen", "127.0.0.1:65535"), 2, ["no port for shard-1"]);
  await fails(two("--listen", "A=127.0.0.1:9092", "--listen", "B=127.0.0.1:9093"), 2, [
    "A of shard-1",
    "B of shard-0",
  ]);
  await fails(two("--cluster", "c", "--metadata", "etcd://127.0.0.1:1"), 2, ["--node-id"]);
  expect(existsSync(fresh)).toBe(false);
}, 60_000);
