/** `kstream cluster drain`, `rebalance` and `remove`, `topic reassign`, on a cluster of real processes. */
import { expect, test } from "bun:test";
import { ETCD, hasEtcd } from "../compat/install.ts";
import { KSTREAM, withBroker } from "../harness/broker-process.ts";
import { ClusterProcess } from "../harness/cluster-process.ts";
import { fails, ok } from "./cli.ts";

const withEtcd = test.skipIf(!await hasEtcd());

interface Described {
  readonly partitions: readonly { readonly replicas: readonly number[]; readonly isr: number[] }[];
}

async function json<T>(brokers: string, args: readonly string[]): Promise<T> {
  return JSON.parse(await ok([...args, "--json"], { brokers }));
}

/** The replicas of the topic's partitions, which are all in sync. */
async function replicasOf(brokers: string, topic: string): Promise<(readonly number[])[]> {
  const [described] = await json<readonly Described[]>(brokers, ["topic", "describe", topic]);
  return (described?.partitions ?? []).map(({ isr, replicas }) => {
    expect(isr.toSorted()).toEqual(replicas.toSorted());
    return replicas;
  });
}

const sorted = (lists: readonly (readonly number[])[]) => lists.map((list) => list.toSorted());
const times = (lists: readonly (readonly number[])[], id: number) =>
  lists.filter((list) => list.includes(id)).length;

test("a broker alone has nowhere to move anything to", async () => {
  await withBroker(async ({ bootstrap: brokers }) => {
    await fails(["cluster", "drain", "1"], 1, ["3 partitions would have fewer replicas"], {
      brokers,
    });
    expect(await ok(["cluster", "rebalance"], { brokers })).toContain("as much as each other");
    await fails(["cluster", "remove", "1"], 1, ["it is up"], { brokers });
    await fails(["cluster", "remove", "9"], 1, ["not currently registered"], { brokers });
    await fails(["topic", "reassign", "orders", "-r", "2", "--execute"], 1, ["no other host"], {
      brokers,
    });
    await fails(["topic", "reassign", "order", "-r", "2"], 1, ['"orders"'], { brokers });
    await fails(["topic", "reassign", "orders"], 2, ["--replication, --to and --cancel"], {
      brokers,
    });
    await fails(["topic", "reassign", "orders", "--to", "1,1"], 2, ["different"], { brokers });
    expect(await json(brokers, ["topic", "reassign", "orders", "--cancel"]))
      .toEqual({ executed: false, moves: [] });
  }, { args: ["--topic", "orders:3"] });
}, 60_000);

/** What a command has set of `--throttle`, by resource. */
async function throttlesOf(brokers: string, resource: readonly string[]): Promise<string[]> {
  const { configs } = await json<{ configs: readonly { name: string; value: string }[] }>(
    brokers,
    ["config", "get", ...resource],
  );
  return configs.filter(({ name, value }) => name.includes(".throttled.") && value !== "")
    .map(({ name, value }) => `${name}=${value}`).toSorted();
}

withEtcd("a move is as slow as it is told to be, until somebody takes its rate away", async () => {
  const cluster = await ClusterProcess.start({ brokers: 2, etcd: ETCD });
  try {
    const brokers = cluster.bootstrap;
    const records = Array.from({ length: 6000 }, (_, at) => `${at} ${"x".repeat(1000)}`).join("\n");
    await ok(["topic", "create", "slow", "-p", "1", "-r", "1"], { brokers });
    await ok(["produce", "slow"], { brokers, input: records });
    const [[from = -1] = []] = await replicasOf(brokers, "slow");
    const to = 3 - from;
    const args = ["topic", "reassign", "slow", "--execute"];
    await fails([...args, "--to", "77", "--throttle", "1MB"], 1, ["cannot move slow:0"], {
      brokers,
    });
    expect(await throttlesOf(brokers, ["topic", "slow"])).toEqual([]);
    const slow = Bun.spawn([KSTREAM, ...args, "-r", "2", "--throttle", "100kB", "-b", brokers], {
      stdout: "ignore",
      stderr: "pipe",
    });
    const moves = async () => {
      const moving = ["topic", "reassign", "slow", "--cancel"];
      return (await json<{ moves: unknown[] }>(brokers, moving)).moves.length;
    };
    while (await moves() === 0) await Bun.sleep(50);
    expect(await throttlesOf(brokers, ["topic", "slow"])).toEqual([
      `follower.replication.throttled.replicas=0:${to}`,
      `leader.replication.throttled.replicas=0:${from}`,
    ]);
    for (const id of ["1", "2"]) {
      expect(await throttlesOf(brokers, ["broker", id])).toEqual([
        "follower.replication.throttled.rate=100000",
        "leader.replication.throttled.rate=100000",
      ]);
    }
    // A minute's work: it cannot be over.
    slow.kill("SIGINT");
    expect(await new Response(slow.stderr).text()).toContain("kstream cluster unthrottle");
    expect(await slow.exited).toBe(0);
    expect(await moves()).toBe(1);
    expect(await json<object>(brokers, ["cluster", "unthrottle", "--no-wait"]))
      .toEqual({ brokers: [1, 2], topics: ["slow"] });
    expect(await ok(["cluster", "unthrottle"], { brokers })).toBe("nothing was throttled\n");
    expect((await replicasOf(brokers, "slow"))[0]?.length).toBe(2);
    await ok([...args, "-r", "1"], { brokers });
    await ok([...args, "-r", "2", "--throttle", "1GB"], { brokers });
    expect((await replicasOf(brokers, "slow"))[0]?.length).toBe(2);
    expect(await throttlesOf(brokers, ["topic", "slow"])).toEqual([]);
    expect(await throttlesOf(brokers, ["broker", "1"])).toEqual([]);
  } finally {
    await cluster.close();
  }
}, 120_000);

withEtcd("brokers join, take their share, and leave again with nothing lost", async () => {
  const cluster = await ClusterProcess.start({ brokers: 3, etcd: ETCD });
  try {
    const brokers = cluster.bootstrap;
    const records = Array.from({ length: 500 }, (_, at) => `record ${at}`).join("\n");
    await ok(["topic", "create", "orders", "-p", "8", "-r", "2"], { brokers });
    await ok(["produce", "orders"], { brokers, input: records });
    await cluster.startBroker(4);
    const plan = await json<{ moves: unknown[] }>(brokers, ["cluster", "rebalance"]);
    expect(plan.moves.length).toBeGreaterThan(2);
    expect(times(await replicasOf(brokers, "orders"), 4)).toBe(0);
    await ok(["cluster", "rebalance", "--execute"], { brokers });
    const even = await replicasOf(brokers, "orders");
    for (const id of [1, 2, 3, 4]) expect(Math.abs(times(even, id) - 4)).toBeLessThanOrEqual(1);
    await ok(["topic", "reassign", "orders", "-r", "3", "--execute"], { brokers });
    for (const replicas of await replicasOf(brokers, "orders")) expect(replicas.length).toBe(3);
    expect(await ok(["cluster", "drain", "4", "--execute"], { brokers })).toContain("moved");
    const drained = await replicasOf(brokers, "orders");
    expect(sorted(drained)).toEqual(drained.map(() => [1, 2, 3]));
    await fails(["topic", "create", "more", "-p", "1", "-r", "4"], 1, ["1 of them cordoned"], {
      brokers,
    });
    await fails(["cluster", "remove", "4"], 1, ["it is up"], { brokers });
    expect(await cluster.stopBroker(4)).toBe(0);
    await ok(["cluster", "remove", "4"], { brokers });
    const status = await json<{ brokers: unknown[] }>(brokers, ["cluster", "status"]);
    expect(status.brokers.length).toBe(3);
    await cluster.stopBroker(2);
    const read = await ok(["consume", "orders", "-e"], { brokers });
    expect(read.trim().split("\n").toSorted()).toEqual(records.split("\n").toSorted());
  } finally {
    await cluster.close();
  }
}, 180_000);
