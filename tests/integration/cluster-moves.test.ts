/** `kstream cluster drain`, `rebalance` and `remove`, `topic reassign`, on a cluster of real processes. */
import { expect, test } from "bun:test";
import { ETCD, hasEtcd } from "../compat/install.ts";
import { withBroker } from "../harness/broker-process.ts";
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

withEtcd("a move is as slow as it is told to be", async () => {
  const cluster = await ClusterProcess.start({ brokers: 2, etcd: ETCD });
  try {
    const brokers = cluster.bootstrap;
    const records = Array.from({ length: 6000 }, (_, at) => `${at} ${"x".repeat(1000)}`).join("\n");
    await ok(["topic", "create", "slow", "-p", "1", "-r", "1"], { brokers });
    await ok(["produce", "slow"], { brokers, input: records });
    const [[from = -1] = []] = await replicasOf(brokers, "slow");
    const rate = "leader.replication.throttled.rate";
    await ok(["config", "set", "broker", String(from), `${rate}=100000`], { brokers });
    const replicas = "leader.replication.throttled.replicas";
    await ok(["config", "set", "topic", "slow", `${replicas}=0:${from}`], { brokers });
    await ok(["topic", "reassign", "slow", "-r", "2", "--execute", "--no-wait"], { brokers });
    await Bun.sleep(3000);
    const moving = ["topic", "reassign", "slow", "--cancel"];
    expect(await json<{ moves: unknown[] }>(brokers, moving)).toMatchObject({
      moves: { length: 1 },
    });
    await ok(["config", "unset", "broker", String(from), rate], { brokers });
    const startMs = Date.now();
    while ((await json<{ moves: unknown[] }>(brokers, moving)).moves.length > 0) {
      expect(Date.now() - startMs).toBeLessThan(20_000);
      await Bun.sleep(100);
    }
    expect((await replicasOf(brokers, "slow"))[0]?.length).toBe(2);
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
