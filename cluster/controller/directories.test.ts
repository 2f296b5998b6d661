import { expect, test } from "bun:test";
import { errorName } from "../../core/errors.ts";
import { atOnce } from "../../core/steps.ts";
import { MetadataImage, type PartitionImage } from "../metadata-image.ts";
import {
  type AssignedReplica,
  FULL_DIR,
  LOST_DIR,
  planAssignments,
  planOfflineDirs,
} from "./directories.ts";
import { planRegistration, planStates, type Registration } from "./registration.ts";

const TOPIC = "abcdefghijklmnopqrstuA";
const policy = { minInsync: () => 2, electsUncleanly: () => false };

/** The metadata of three brokers, each with two directories, as they come to be. */
class Metadata {
  image = MetadataImage.EMPTY;
  readonly #epochs = new Map<number, number>();

  constructor(replicas: readonly number[] = [1, 2, 3]) {
    for (const brokerId of [1, 2, 3]) this.start(brokerId);
    this.apply([
      { type: "topic", version: 1, name: "t", id: TOPIC },
      ...[0, 1].map((partition) => ({
        ...{ type: "partition", version: 1, topicId: TOPIC, partition } as const,
        ...{ replicas, isr: replicas, leader: replicas[0] ?? -1 },
        ...{ leaderEpoch: 0, partitionEpoch: 0 },
      })),
    ]);
  }

  apply(records: Parameters<MetadataImage["apply"]>[0]): void {
    const { image } = this;
    this.image = image.apply(records, image.position + records.length).image;
  }

  /** Another process registers, and is unfenced unless it has still to say what is lost. */
  start(brokerId: number, logDirs = [`${brokerId}a`, `${brokerId}b`], previousEpoch = -1): void {
    const registration: Registration = {
      ...{ brokerId, clusterId: "c", incarnationId: `at ${this.image.position}`, rack: null },
      ...{ host: "", features: [], previousEpoch, logDirs },
      endpoints: [{ name: "L", host: "10.0.0.1", port: 1, securityProtocol: 0 }],
    };
    const outcome = atOnce(planRegistration(this.image, registration, {
      ...{ ...policy, clusterId: "c", firstFeatures: [] },
      isHeard: () => false,
    }));
    if (!outcome.ok) throw new Error(outcome.message);
    this.#epochs.set(brokerId, outcome.epoch);
    this.apply(outcome.records);
    if (this.image.brokers.get(brokerId)?.lostDirs === undefined) this.unfence(brokerId);
  }

  epoch(brokerId: number): number {
    return this.#epochs.get(brokerId) ?? -1;
  }

  unfence(brokerId: number): void {
    this.apply(atOnce(planStates(this.image, new Map([[brokerId, "active"]]), policy)));
  }

  fence(brokerId: number): void {
    this.apply(atOnce(planStates(this.image, new Map([[brokerId, "fenced"]]), policy)));
  }

  fail(brokerId: number, dir: string): void {
    this.apply(atOnce(planOfflineDirs(this.image, brokerId, [dir])));
  }

  assign(brokerId: number, directoryId: string, partition = 0, topicId = TOPIC): string {
    const replica: AssignedReplica = { topicId, partition, directoryId };
    const isAlive = (id: number) => this.image.brokers.get(id)?.state === "active";
    const context = { ...policy, isAlive };
    const outcome = atOnce(planAssignments(this.image, brokerId, [replica], context));
    this.apply(outcome.records);
    return outcome.errors.map(errorName).join();
  }

  get partitions(): readonly PartitionImage[] {
    return this.image.topics.get("t")?.partitions ?? [];
  }
}

test("what is in a directory that fails is led by others, and nothing else", () => {
  const metadata = new Metadata();
  expect(metadata.assign(1, "1a")).toBe("NONE");
  expect(metadata.partitions[0]).toMatchObject({ leader: 1, partitionEpoch: 0 });
  metadata.fail(1, "1a");
  expect(metadata.image.brokers.get(1)).toMatchObject({ state: "active", offlineDirs: ["1a"] });
  expect(metadata.assign(1, "1a")).toBe("NONE");
  expect(metadata.partitions).toMatchObject([
    { leader: 2, isr: [2, 3], offline: [1], leaderEpoch: 1 },
    { leader: 1, isr: [1, 2, 3], leaderEpoch: 0 },
  ]);
  // It is said once.
  const { position } = metadata.image;
  metadata.assign(1, "1a");
  metadata.fail(1, "1a");
  metadata.fail(1, "somebody else's");
  expect(metadata.image.position).toBe(position);
});

test("a replica that is offline is not elected, until its broker begins anew", () => {
  const metadata = new Metadata([1, 2]);
  metadata.fail(1, "1a");
  metadata.assign(1, "1a");
  metadata.fence(2);
  expect(metadata.partitions[0]).toMatchObject({ leader: -1, isr: [], elr: [2] });
  metadata.unfence(1);
  expect(metadata.partitions[0]).toMatchObject({ leader: -1, offline: [1] });
  metadata.start(1);
  expect(metadata.image.brokers.get(1)?.offlineDirs).toBeUndefined();
  expect(metadata.partitions[0]).toMatchObject({ leader: -1, elr: [2] });
  expect(metadata.partitions[0]?.offline).toBeUndefined();
});

test("the only replica leads again once its directory is back, and not in an empty one", () => {
  for (const isEmptied of [false, true]) {
    const metadata = new Metadata([1]);
    metadata.fail(1, "1a");
    metadata.assign(1, "1a");
    expect(metadata.partitions[0]).toMatchObject({ leader: -1, isr: [], lastKnownElr: [1] });
    metadata.start(1, isEmptied ? ["1b", "1c"] : ["1a", "1b"], metadata.epoch(1));
    if (!isEmptied) {
      expect(metadata.partitions[0]).toMatchObject({ leader: 1, isr: [1], isRecovering: true });
      continue;
    }
    expect(metadata.image.brokers.get(1)).toMatchObject({ state: "fenced", lostDirs: ["1a"] });
    expect(metadata.assign(1, LOST_DIR)).toBe("NONE");
    metadata.unfence(1);
    expect(metadata.image.brokers.get(1)?.lostDirs).toBeUndefined();
    expect(metadata.partitions).toMatchObject([
      { leader: -1, isr: [], replicas: [1] },
      { leader: 1, isr: [1], isRecovering: true },
    ]);
    expect(metadata.partitions[0]?.lastKnownElr).toBeUndefined();
  }
});

test("a directory that is gone makes a clean stop an unclean one, until all is said", () => {
  const metadata = new Metadata([1, 2]);
  metadata.fence(1);
  metadata.start(1, ["1b"], metadata.epoch(1));
  expect(metadata.image.brokers.get(1)?.lostDirs).toEqual(["1a"]);
  expect(metadata.partitions[0]).toMatchObject({ leader: 2, isr: [2] });
  expect(metadata.partitions[0]?.elr).toBeUndefined();
  // It crashes before it has said so.
  metadata.start(1, ["1b", "1c"], metadata.epoch(1));
  expect(metadata.image.brokers.get(1)?.lostDirs).toEqual(["1a"]);
  metadata.unfence(1);
  // Another directory is nothing to worry about.
  metadata.fence(1);
  metadata.start(1, ["1b", "1c", "1d"], metadata.epoch(1));
  expect(metadata.image.brokers.get(1)?.lostDirs).toBeUndefined();
  expect(metadata.partitions[0]).toMatchObject({ isr: [2] });
});

test("a full directory is left to others as long as there are any, and its replicas stay eligible", () => {
  const metadata = new Metadata([1, 2]);
  metadata.assign(1, FULL_DIR);
  expect(metadata.partitions).toMatchObject([
    { leader: 2, isr: [2], elr: [1], offline: [1] },
    { leader: 1, isr: [1, 2] },
  ]);
  metadata.assign(2, FULL_DIR);
  expect(metadata.partitions[0]).toMatchObject({ leader: 2, isr: [2], offline: [1] });
  expect(metadata.assign(1, "1b")).toBe("NONE");
  expect(metadata.partitions[0]).toMatchObject({ leader: 2, isr: [2], elr: [1] });
  expect(metadata.partitions[0]?.offline).toBeUndefined();
  metadata.assign(2, FULL_DIR);
  expect(metadata.partitions[0]).toMatchObject({ leader: 1, offline: [2] });
});

test("what cannot be assigned is refused", () => {
  const metadata = new Metadata([2, 3]);
  expect(metadata.assign(1, LOST_DIR)).toBe("NOT_LEADER_OR_FOLLOWER");
  expect(metadata.assign(2, LOST_DIR, 7)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
  expect(metadata.assign(2, LOST_DIR, 0, "A".repeat(22))).toBe("UNKNOWN_TOPIC_ID");
});
