/** `kstream cluster`, and members of clusters as processes; what needs etcd runs where it is installed. */
import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { Errors } from "../../core/errors.ts";
import { saslHandshake } from "../../core/protocol/17-sasl-handshake.ts";
import { brokerHeartbeat } from "../../core/protocol/63-broker-heartbeat.ts";
import { ETCD, hasEtcd } from "../compat/install.ts";
import { freshDir, KSTREAM, startBrokerProcess, withBroker } from "../harness/broker-process.ts";
import { ClusterProcess, TEST_SECRET } from "../harness/cluster-process.ts";
import { EtcdServers } from "../harness/etcd-process.ts";
import { freePort } from "../harness/free-ports.ts";
import { RawClient } from "../harness/raw-client.ts";
import { fails, kstream, ok } from "./cli.ts";

const withEtcd = test.skipIf(!await hasEtcd());

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

/** The first of two ports, one behind the other, that are free. */
async function freeNeighbours(): Promise<number> {
  for (let last = await freePort();;) {
    const port = await freePort();
    if (port === last + 1) return last;
    last = port;
  }
}

/** Starts a cluster of two; gives what it prints once all can serve. */
async function startLocal(data: string) {
  const port = await freeNeighbours();
  const child = Bun.spawn([
    ...[KSTREAM, "cluster", "start-local", "-n", "2", "--etcd", "--json"],
    ...["--data", data, "--port", String(port), "--set", "num.partitions=2"],
  ], {
    env: { ...process.env, PATH: `${dirname(ETCD)}:${process.env["PATH"]}` },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  let said = "";
  for await (const chunk of child.stdout) {
    said += new TextDecoder().decode(chunk);
    if (said.endsWith("}\n")) break;
  }
  return { child, started: new Map<string, unknown>(Object.entries(JSON.parse(said))) };
}

withEtcd("a cluster on this machine starts, serves and ends with Ctrl-C", async () => {
  const { child, started } = await startLocal(join(freshDir("local"), "data"));
  expect([...started.keys()]).toEqual(["cluster", "bootstrap", "metadata", "data", "brokers"]);
  const brokers = String(started.get("bootstrap"));
  await ok(["topic", "create", "two", "-r", "2"], { brokers });
  expect(await ok(["cluster", "status"], { brokers })).toContain("2, all in sync");
  child.kill("SIGINT");
  expect(await child.exited).toBe(0);
  await fails(["cluster", "status"], 3, ["no broker answers"], { brokers });
}, 60_000);

withEtcd("a cluster on this machine ends with the process that has started it", async () => {
  const { child, started } = await startLocal(join(freshDir("local"), "data"));
  const etcd = String(started.get("metadata")).replace("etcd:", "http:");
  const addresses = String(started.get("bootstrap")).split(",").map((each) => `http://${each}`);
  child.kill("SIGKILL");
  await child.exited;
  const until = performance.now() + 40_000;
  for (const address of [...addresses, etcd]) {
    // Refused is what nobody listens to any more.
    while (!await fetch(address).then(() => false, (error) => /refused/i.test(error.code))) {
      if (performance.now() > until) throw new Error(`${address} is still there`);
      await Bun.sleep(50);
    }
  }
}, 60_000);

/** A broker that has come back needs a moment until it has everything. */
async function allInSync(brokers: string): Promise<void> {
  const until = performance.now() + 20_000;
  while (!(await ok(["cluster", "status"], { brokers })).includes("all in sync")) {
    if (performance.now() > until) throw new Error(await ok(["cluster", "status"], { brokers }));
    await Bun.sleep(50);
  }
}

const SIZE = 3;
let cluster: ClusterProcess | null = null;
const running = (): ClusterProcess => {
  if (cluster === null) throw new Error("the cluster does not run");
  return cluster;
};

withEtcd("three processes that share an etcd are a cluster", async () => {
  cluster = await ClusterProcess.start({ brokers: SIZE, etcd: ETCD });
  const brokers = cluster.bootstrap;
  await ok(["topic", "create", "orders", "-p", "6", "-r", "3"], { brokers });
  const input = Array.from({ length: 1000 }, (_, index) => `${index}\n`).join("");
  await ok(["produce", "orders"], { brokers, input });
  const read = (await ok(["consume", "orders", "-e"], { brokers })).trim().split("\n");
  expect(read.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  const status = await json(["cluster", "status"], { brokers });
  expect(status).toMatchObject({ partitions: 6, underReplicated: [] });
  expect(JSON.stringify(status)).toMatch(/"state":"up","controller":true/);
  const members = await json(["cluster", "members", "--admin", cluster.broker(1).admin ?? ""]);
  expect(members).toMatchObject([
    { nodeId: 1, state: "alive", meta: { host: "machine1" } },
    { nodeId: 2, state: "alive", meta: { host: "machine2" } },
    { nodeId: 3, state: "alive", meta: { host: "machine3" } },
  ]);
}, 60_000);

withEtcd("who does not know the secret does nothing that only brokers do", async () => {
  const { port } = running().broker(1);
  const client = await RawClient.connect(port);
  const wrong = await client.request(saslHandshake, 1, { mechanism: "PLAIN" });
  expect(wrong).toMatchObject({ errorCode: Errors.UNSUPPORTED_SASL_MECHANISM });
  const heartbeat = { brokerId: 2, brokerEpoch: 0n, currentMetadataOffset: 0n };
  const refused = await client.request(brokerHeartbeat, 0, { ...heartbeat, wantShutDown: true });
  expect(refused.errorCode).toBe(Errors.CLUSTER_AUTHORIZATION_FAILED);
  client.close();
});

withEtcd("a node that cannot be one of them is told why, and ends", async () => {
  const { metadata } = running();
  const serve = (...flags: string[]) => [
    ...["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--gossip-port", "0"],
    ...["--cluster", "test", "--metadata", metadata, ...flags],
  ];
  const env = { KSTREAM_CLUSTER_SECRET: TEST_SECRET };
  const last = async (args: readonly string[], more = {}) => {
    const cwd = freshDir("node");
    const { exitCode, stderr } = await kstream(args, { cwd, env, timeoutMs: 60_000, ...more });
    return `${exitCode} ${stderr.trimEnd().split("\n").at(-1)}`;
  };
  expect(
    await last(serve("--node-id", "7"), {
      env: { KSTREAM_CLUSTER_SECRET: "the secret of nobody here" },
    }),
  ).toMatch(/^1 kstream: broker 7 cannot join the cluster: .*the secret is not this cluster's/);
  expect(await last(serve("--node-id", "2"))).toMatch(
    /^1 kstream: broker 2 cannot join the cluster: .*another node\.id/,
  );
  // A directory of a node of another cluster.
  const dataDir = join(freshDir("other"), "data");
  await (await startBrokerProcess({ dataDir })).stop();
  expect(await last(serve("--data", dataDir))).toMatch(/^1 kstream: .*cluster of the id/);
}, 120_000);

withEtcd(
  "a broker that stops in good order hands over; one that is killed comes back",
  async () => {
    const brokers = running().bootstrap;
    expect(await running().stopBroker(3)).toBe(0);
    const status = await ok(["cluster", "status"], { brokers });
    expect(status).toMatch(/ 3 +fenced /);
    expect(status).toContain("6 under-replicated\n");
    await ok(["produce", "orders"], { brokers, input: "one more\n" });
    await running().startBroker(3);
    await running().stopBroker(1, "SIGKILL");
    await ok(["produce", "orders"], { brokers, input: "and another\n", timeoutMs: 60_000 });
    await running().startBroker(1);
    const read = await ok(["consume", "orders", "-e"], { brokers });
    expect(read.trim().split("\n").length).toBe(1002);
  },
  120_000,
);

withEtcd("the secret is changed broker by broker, and nothing stops for it", async () => {
  const fresh = "another secret of this cluster";
  let produced = 1002;
  for (const secrets of [`${TEST_SECRET}\n${fresh}`, `${fresh}\n${TEST_SECRET}`, fresh]) {
    for (const nodeId of [1, 2, 3]) {
      expect(await running().stopBroker(nodeId)).toBe(0);
      await running().startBroker(nodeId, [], secrets);
      const brokers = running().bootstrap;
      await ok(["produce", "orders"], { brokers, input: `${++produced}\n` });
      await allInSync(brokers);
    }
  }
  const read = await ok(["consume", "orders", "-e"], { brokers: running().bootstrap });
  expect(read.trim().split("\n").length).toBe(produced);
}, 120_000);

withEtcd("the cluster ends", async () => {
  for (const nodeId of running().nodeIds) expect(await running().stopBroker(nodeId)).toBe(0);
  await running().close();
}, 60_000);
