/** What probes of a cluster's brokers hear when a leader, a disk or a data directory is gone. */
import { afterEach, expect, test } from "bun:test";
import { z } from "zod";
import { type ClusterNode, ClusterWorld } from "./cluster.test-helper.ts";

const READY = z.object({ reasons: z.array(z.string()).default([]) });
const HEALTH = z.object({
  findings: z.array(z.object({ what: z.string(), severity: z.string(), why: z.string() })),
});
/** Larger than what is left of a disk that is to be full. */
const LARGE = "x".repeat(100_000);
let world: ClusterWorld | null = null;

afterEach(async () => {
  await world?.stop();
  world = null;
});

async function start(replicas = 1): Promise<ClusterWorld> {
  // So that who is gone is so at once, and leaders stay where they are.
  const configs = { "auto.leader.rebalance.enable": "false", "min.insync.replicas": "1" };
  world = await ClusterWorld.start({ configs });
  await world.createTopic("orders", replicas);
  return world;
}

/** The status of `/ready`, and the reasons. */
async function ready(node: ClusterNode): Promise<string[]> {
  const answer = await node.ask("/ready");
  const { reasons } = READY.parse(await answer.json());
  return [`${answer.status}`, ...reasons];
}

/** What is wrong. */
async function health(node: ClusterNode): Promise<Map<string, string>> {
  const answer = await node.ask("/health");
  const { findings } = HEALTH.parse(await answer.json());
  const isCritical = findings.some(({ severity }) => severity === "critical");
  expect(answer.status).toBe(isCritical ? 503 : 200);
  return new Map(findings.map(({ what, why }) => [what, why]));
}

async function write(node: ClusterNode, partition: number): Promise<number> {
  const answer = await node.ask(`/v1/topics/orders/records?partition=${partition}`, {
    ...{ method: "POST", body: `${LARGE}\n`, headers: { "content-type": "text/plain" } },
  });
  await answer.text();
  return answer.status;
}

test(
  "a leader that is gone makes nobody else unready, and is told of with what it led",
  async () => {
    const cluster = await start();
    const { nodes: [first, second, third] } = cluster;
    for (const node of cluster.nodes) expect(await ready(node)).toEqual(["200"]);
    const { partitions } = first!.running.broker.metadata.topic("orders")!;
    const led = partitions.findIndex(({ leader }) => leader === 2);
    await second!.stop();
    for (const node of [first!, third!]) {
      await cluster.until(async () => (await health(node)).has("offline-partitions"));
      const found = await health(node);
      expect(found.get("offline-partitions")).toContain(`orders-${led}`);
      expect(found.get("fenced-brokers")).toBe("1 registered brokers are away: 2");
      expect(await ready(node)).toEqual(["200"]);
    }
  },
  60_000,
);

test("a broker whose disk is full is unready until there is room again", async () => {
  const cluster = await start(3);
  const node = cluster.node(2);
  const led = cluster.node(1).running.broker.metadata.topic("orders")!.partitions
    .findIndex(({ leader }) => leader === 2);
  expect(await write(node, led)).toBe(200);
  node.disk.faults.maxBytes = node.disk.usedBytes();
  // Others take over, also for who writes by this one.
  expect(await write(node, led)).toBe(200);
  const [status, ...reasons] = await ready(node);
  expect(status).toBe("503");
  expect(reasons.join()).toMatch(/the data directory \/[ab] (cannot be written|is full)/);
  for (const id of [1, 3]) expect(await ready(cluster.node(id))).toEqual(["200"]);
  node.disk.faults.maxBytes = Infinity;
  await cluster.until(async () => (await ready(node))[0] === "200");
}, 60_000);

test("a broker of which a data directory has failed names it, and the others go on", async () => {
  const cluster = await start(3);
  const node = cluster.node(2);
  const topic = () => cluster.node(1).running.broker.metadata.topic("orders")!;
  const led = topic().partitions.findIndex(({ leader }) => leader === 2);
  expect(await write(node, led)).toBe(200);
  const { dataDirs } = node.running.broker;
  const dir = dataDirs.all.find((each) => each.log("orders", led) !== undefined);
  node.disk.faults.deadPaths.add(dir!.path);
  expect(await write(node, led)).toBe(200);
  const [status, reason] = await ready(node);
  expect(status).toBe("503");
  expect(reason).toStartWith(`the data directory ${dir!.path} has failed: `);
  expect((await health(node)).get(`failed-directory ${dir!.path}`)).toBeDefined();
  expect(topic().partitions[led]!.leader).not.toBe(2);
  for (const id of [1, 3]) expect(await ready(cluster.node(id))).toEqual(["200"]);
}, 60_000);

test("a broker that stops is unready as soon as it hands over", async () => {
  const cluster = await start(3);
  const { broker } = cluster.node(3).running;
  const leaving = cluster.node(3).running.stop();
  expect(broker.stopping.aborted).toBe(false);
  expect(await ready(cluster.node(3))).toEqual([
    "503",
    "the broker is stopping: others take over what it leads",
  ]);
  await leaving;
}, 60_000);
