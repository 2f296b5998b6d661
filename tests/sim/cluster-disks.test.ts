/** What a simulated cluster does when a broker loses one of its two data directories. */
import { expect, test } from "bun:test";
// What is loaded later does not come on virtual time.
import "../../broker/cluster/member.ts";
import "../../broker/handlers/cluster-handlers.ts";
import { Producer } from "../../client/producer.ts";
import { silentLogger } from "../../core/logger.ts";
import type { PartitionImage } from "../../cluster/metadata-image.ts";
import type { ClusterNode } from "./cluster-node.ts";
import { drawClusterOptions } from "./cluster-options.ts";
import { ClusterWorld } from "./cluster-world.ts";
import { NO_ETCD_FAULTS } from "./sim-etcd.ts";
import { FAIR } from "./sim-hosts.ts";
import { SimRandom } from "./sim-random.ts";

const PARTITIONS = 4;

/** Three brokers with two data directories each, and a topic with a record in each partition. */
class Disks extends ClusterWorld {
  constructor(readonly replicationFactor = 3) {
    super(5, {
      ...drawClusterOptions(new SimRandom(5)),
      ...{ brokers: 3, minInsync: Math.min(2, replicationFactor), durability: "fsync" },
      ...{ sessionMs: 9000, leaseTtlMs: 6000, restartMs: 500, driftPercent: 0, dataDirs: 2 },
      ...{ weather: FAIR, etcdFaults: NO_ETCD_FAULTS },
    }, silentLogger);
    for (const node of this.nodes) node.start();
    this.until(
      "brokers that are up",
      10_000,
      () => this.nodes.every((node) => node.state === "up"),
    );
    const admin = this.admin();
    const topic = { name: "t", partitions: PARTITIONS, replicationFactor };
    this.wait("a topic", 10_000, admin.createTopics([topic]));
    admin.close();
    this.write("first");
    this.heal();
  }

  /** A record for each partition, with acks=all. */
  write(value: string, limitMs = 10_000): void {
    const producer = new Producer(this.clientIo(), { brokers: this.brokers });
    const sent = Array.from(
      { length: PARTITIONS },
      (_, partition) =>
        producer.send({ topic: "t", partition, value: new TextEncoder().encode(value) }),
    );
    this.wait(`records ${value}`, limitMs, Promise.all(sent));
    this.wait("the producer's end", 10_000, producer.close());
  }

  get partitions(): readonly PartitionImage[] {
    return this.replicas.newest?.topics.get("t")?.partitions ?? [];
  }

  heal(): void {
    const isWhole = () =>
      this.nodes.every(({ state }) => state === "up") &&
      this.partitions.every(({ isr, replicas }) => isr.length === replicas.length);
    this.until("whole ISRs", 60_000, isWhole);
  }

  /** The partitions of which the broker has its replica there. */
  inDir({ running }: ClusterNode, path: string): number[] {
    const { dataDirs } = running?.broker ?? {};
    return [...dataDirs?.byPath(path)?.logs() ?? []].filter(({ topic }) => topic === "t")
      .map(({ partition }) => partition).sort((a, b) => a - b);
  }

  /** Ends of the partitions at the broker. */
  ends({ running }: ClusterNode): number[] {
    const opened = [...running?.broker.partitions.opened() ?? []];
    return opened.filter(({ topic }) => topic === "t").toSorted((a, b) => a.index - b.index)
      .map(({ logEndOffset }) => logEndOffset);
  }

  /** A broker and a directory of it with partitions that it leads, as long as there are others. */
  victim(): { node: ClusterNode; path: string; lost: readonly number[] } {
    for (const node of this.nodes) {
      for (const path of ["/data", "/more"]) {
        const lost = this.inDir(node, path);
        const leads = (index: number) => this.partitions[index]?.leader === node.id;
        const others = this.inDir(node, path === "/data" ? "/more" : "/data");
        if (lost.some(leads) && others.length > 0) return { node, path, lost };
      }
    }
    throw new Error(this.describe());
  }
}

test("a broker goes on without a directory that fails, and others lead what was there", () => {
  const world = new Disks();
  const { node, path, lost } = world.victim();
  node.disk.faults.deadPaths.add(path);
  world.write("second", 3000);
  world.until(
    "what is offline",
    2000,
    () => lost.every((index) => world.partitions[index]?.offline?.includes(node.id) === true),
  );
  for (const [index, { leader, isr, offline = [] }] of world.partitions.entries()) {
    const isLost = lost.includes(index);
    expect({ index, isLost: offline.includes(node.id) }).toEqual({ index, isLost });
    expect(leader !== node.id || !isLost).toBe(true);
    expect(isr.includes(node.id)).toBe(!isLost);
  }
  expect(node.state).toBe("up");
  expect(world.replicas.newest?.brokers.get(node.id)?.offlineDirs).toHaveLength(1);
  // It stays so, whoever else goes.
  const other = world.nodes.find((each) => each !== node);
  other?.kill();
  world.advance(20_000);
  for (const index of lost) expect(world.partitions[index]?.isr).not.toContain(node.id);
  // With its disk mended it takes part again.
  node.cutPower("nothing");
  node.disk.faults.deadPaths.clear();
  world.heal();
  world.write("third");
  world.heal();
  for (const each of world.nodes) expect(world.ends(each)).toEqual([3, 3, 3, 3]);
}, 60_000);

test(
  "a broker that finds a directory empty gets back what was there, and leads nothing before",
  () => {
    const world = new Disks();
    const { node, path } = world.victim();
    // All stop in good order, it as the last one: it alone is in the ISRs.
    for (const each of world.nodes) each.isHeldDown = true;
    for (const each of world.nodes.toSorted((a, b) => Number(a === node) - Number(b === node))) {
      each.stop();
      world.until("its end", 40_000, () => each.state === "down");
    }
    node.disk.replaceDevice(path);
    node.isHeldDown = false;
    node.start();
    world.until("it", 60_000, () => node.state === "up");
    world.advance(5000);
    expect(world.ends(node).includes(0)).toBe(true);
    for (const [index, end] of world.ends(node).entries()) {
      if (end === 0) expect(world.partitions[index]?.leader).not.toBe(node.id);
    }
    for (const each of world.nodes) {
      each.isHeldDown = false;
      each.start();
    }
    world.heal();
    world.write("second");
    world.heal();
    for (const each of world.nodes) expect(world.ends(each)).toEqual([2, 2, 2, 2]);
  },
  60_000,
);

test("a broker whose disk is full leaves the lead to others until it has room", () => {
  const world = new Disks();
  const { node } = world.victim();
  node.disk.faults.maxBytes = node.disk.usedBytes();
  world.write("second", 3000);
  const isAside = () => world.partitions.every(({ leader }) => leader >= 0 && leader !== node.id);
  world.write("third", 3000);
  world.until("leaders with room", 5000, isAside);
  world.advance(60_000);
  expect(isAside()).toBe(true);
  expect(node.state).toBe("up");
  node.disk.faults.maxBytes = Infinity;
  world.until("whole ISRs", 10_000, () => world.partitions.every(({ isr }) => isr.length === 3));
  expect(world.partitions.some(({ offline }) => offline !== undefined)).toBe(false);
  world.write("fourth");
  world.advance(5000);
  for (const each of world.nodes) expect(world.ends(each)).toEqual([4, 4, 4, 4]);
}, 60_000);

test("the only replica of a partition is not led anew where it is lost", () => {
  const world = new Disks(1);
  const { node, path, lost } = world.victim();
  node.kill();
  node.disk.replaceDevice(path);
  world.advance(60_000);
  expect(node.state).toBe("up");
  for (const [index, { leader, replicas }] of world.partitions.entries()) {
    const isLost = replicas.includes(node.id) && lost.includes(index);
    expect({ index, isLed: leader >= 0 }).toEqual({ index, isLed: !isLost });
  }
}, 60_000);
