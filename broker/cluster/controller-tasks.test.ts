import { afterEach, beforeEach, expect, test } from "bun:test";
import { aloneBroker, type PartitionImage, partitionRecord } from "../../cluster/metadata-image.ts";
import { MemoryMetadataLog } from "../../cluster/memory-metadata-log.test-helper.ts";
import type { MetadataRecord } from "../../cluster/metadata-records.ts";
import { changePartition, imageOf, stateOf } from "../../cluster/controller/partition-change.ts";
import { silentLogger } from "../../core/logger.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import type { BrokerConfigName } from "../config/broker-configs.ts";
import { Controller } from "../controller.ts";
import { MetadataCache } from "../metadata-cache.ts";
import { accept } from "../outcome.ts";
import { ControllerTasks } from "./controller-tasks.ts";

/** A controller of a cluster whose brokers stand still. */
class World {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly metadata: MetadataCache;
  readonly controller: Controller;
  readonly tasks: ControllerTasks;

  constructor(texts: Partial<Record<BrokerConfigName, string>> = {}) {
    this.metadata = new MetadataCache(BrokerConfig.of(texts), 1);
    const shared = { clock: this.clock, logger: silentLogger, metadata: this.metadata };
    const log = new MemoryMetadataLog();
    this.controller = Controller.candidate({ ...shared, log, random: new SimRandom(1) });
    this.tasks = new ControllerTasks({ ...shared, controller: this.controller });
    this.clock.run(this.controller.activate());
  }

  write(...records: MetadataRecord[]): void {
    this.clock.run(this.controller.change(1, () => ({ records, outcomes: [accept(null)] })));
  }

  join(brokerId: number, host = `h${brokerId}`): void {
    this.write({ ...aloneBroker(brokerId), incarnationId: "i", host });
  }

  partitions(topic: string): readonly PartitionImage[] {
    return this.metadata.topic(topic)?.partitions ?? [];
  }

  /** Every leader of the topic proposes this ISR; or all its replicas. */
  isr(topic: string, isr?: readonly number[]): void {
    const id = this.metadata.topic(topic)?.id ?? "";
    const records = this.partitions(topic).flatMap((partition, index) => {
      const proposed = { minInsync: 1, isAlive: () => true, isr: isr ?? partition.replicas };
      const next = changePartition(stateOf(partition), { election: "online", ...proposed });
      return next === null ? [] : partitionRecord(id, index, imageOf(next));
    });
    this.write(...records);
  }
}

const OFFSETS = "__consumer_offsets";
const TRANSACTIONS = "__transaction_state";
let world: World;
const start = (texts: Partial<Record<BrokerConfigName, string>> = {}) => world = new World(texts);
beforeEach(() => start());
afterEach(() => world.clock.run(world.tasks.close()));

test("internal topics begin with as many replicas as there are hosts, and get more as hosts join", () => {
  const { clock, controller } = world;
  const minInsync = (topic: string) =>
    world.metadata.topic(topic)?.configs.get("min.insync.replicas");
  world.join(1);
  world.join(2, "h1");
  for (const topic of [OFFSETS, TRANSACTIONS]) {
    clock.run(controller.ensureTopic(topic));
    for (const { replicas } of world.partitions(topic)) expect(replicas.length).toBe(1);
  }
  clock.advance(10_000);
  expect(world.partitions(OFFSETS)[0]?.adding).toBeUndefined();
  world.join(3);
  clock.advance(5000);
  for (const { adding, isr } of world.partitions(OFFSETS)) {
    expect([adding?.length, isr.length]).toEqual([1, 1]);
  }
  world.join(4);
  clock.advance(5000);
  const moving = world.partitions(OFFSETS);
  for (const { replicas, adding, isr, removing } of moving) {
    expect(new Set(replicas.map((id) => id === 2 ? 1 : id)).size).toBe(3);
    expect([adding?.length, isr.length, removing]).toEqual([2, 1, undefined]);
  }
  expect([minInsync(OFFSETS), minInsync(TRANSACTIONS)]).toEqual([undefined, "1"]);
  const epochs = moving.map(({ partitionEpoch }) => partitionEpoch);
  clock.advance(10_000);
  expect(world.partitions(OFFSETS).map(({ partitionEpoch }) => partitionEpoch)).toEqual(epochs);
  world.isr(OFFSETS);
  clock.advance(5000);
  for (const partition of world.partitions(OFFSETS)) {
    expect(partition.adding).toBeUndefined();
    expect(partition.isr.length).toBe(3);
  }
  expect([minInsync(OFFSETS), minInsync(TRANSACTIONS)]).toEqual(["2", "1"]);
  // What led before does not lead all for ever.
  const first = (id: number) =>
    world.partitions(OFFSETS).filter(({ replicas }) => replicas[0] === id).length;
  expect(Math.min(first(3), first(4), first(1) + first(2))).toBeGreaterThan(10);
  clock.run(controller.ensureTopic("__share_group_state"));
  expect(world.partitions("__share_group_state")[0]?.replicas.length).toBe(3);
  expect(minInsync("__share_group_state")).toBe("2");
});

test("an internal topic stays as somebody has configured it", () => {
  world.clock.run(world.tasks.close());
  start({ "offsets.topic.replication.factor": "2", "transaction.state.log.min.isr": "1" });
  const { clock, controller } = world;
  world.join(1);
  expect(clock.run(controller.ensureTopic(OFFSETS))).toMatchObject({ ok: false, error: 38 });
  world.join(2);
  for (const topic of [OFFSETS, TRANSACTIONS]) clock.run(controller.ensureTopic(topic));
  world.join(3);
  clock.advance(10_000);
  expect(world.partitions(OFFSETS)[0]?.replicas.length).toBe(2);
  world.isr(TRANSACTIONS);
  clock.advance(10_000);
  expect(world.partitions(TRANSACTIONS)[0]?.isr.length).toBe(3);
  const { configs } = world.metadata.topic(TRANSACTIONS) ?? {};
  expect(configs?.get("min.insync.replicas")).toBe("1");
});

test("leaders go back to where they are preferred once they can", () => {
  const { clock, controller } = world;
  for (const id of [1, 2, 3]) world.join(id);
  const topic = { name: "t", numPartitions: 3, replicationFactor: 3, assignments: [], configs: [] };
  clock.run(controller.createTopics([topic]));
  const [one] = world.partitions("t");
  const [preferred = -1, other = -1] = one?.replicas ?? [];
  const id = world.metadata.topic("t")?.id ?? "";
  if (one === undefined) throw new Error("no partition");
  world.write(partitionRecord(id, 0, { ...one, isr: [other], leader: other }));
  clock.advance(301_000);
  expect(world.partitions("t")[0]?.leader).toBe(other);
  world.isr("t");
  clock.run(controller.deactivate());
  clock.advance(300_000);
  expect(world.partitions("t")[0]?.leader).toBe(other);
  clock.run(controller.activate());
  clock.advance(300_000);
  expect(world.partitions("t")[0]).toMatchObject({ leader: preferred, leaderEpoch: 1 });
});

test("a partition without anybody eligible is led uncleanly once its topic allows for it", () => {
  const { clock, controller } = world;
  for (const id of [1, 2]) world.join(id);
  const topic = { name: "t", numPartitions: -1, replicationFactor: -1, configs: [] };
  const assignments = [{ partitionIndex: 0, brokerIds: [1, 2] }];
  clock.run(controller.createTopics([{ ...topic, assignments }]));
  const id = world.metadata.topic("t")?.id ?? "";
  const gone = { replicas: [1, 2], isr: [], leader: -1, leaderEpoch: 1, partitionEpoch: 1 };
  world.write(partitionRecord(id, 0, gone));
  clock.advance(120_000);
  expect(world.partitions("t")[0]?.leader).toBe(-1);
  const name = "unclean.leader.election.enable";
  const config = { resourceType: "topic", resourceName: "t", name, value: "true" } as const;
  world.write({ type: "config", version: 1, ...config });
  clock.advance(61_000);
  expect(world.partitions("t")[0]).toMatchObject({ leader: 1, isr: [1], isRecovering: true });
});
