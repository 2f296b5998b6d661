/** Placement, reassignments and elections of a cluster of several brokers, through the handlers. */
import { describe, expect, test } from "bun:test";
import { aloneBroker, isActive, partitionRecord } from "../../cluster/metadata-image.ts";
import type { BrokerRecord, RegisteredState } from "../../cluster/metadata-records.ts";
import { errorName } from "../../core/errors.ts";
import { type MetadataBroker, metadataBroker } from "../metadata-broker.test-helper.ts";
import { accept } from "../outcome.ts";
import { createTopicsHandler } from "./19-create-topics.ts";
import { createPartitionsHandler } from "./37-create-partitions.ts";
import { electLeadersHandler } from "./43-elect-leaders.ts";
import { incrementalAlterConfigsHandler } from "./44-incremental-alter-configs.ts";
import { alterPartitionReassignmentsHandler } from "./45-alter-partition-reassignments.ts";
import { listPartitionReassignmentsHandler } from "./46-list-partition-reassignments.ts";
import { unregisterBrokerHandler } from "./64-unregister-broker.ts";

/** Brokers 1 to `states.length`, each on a host of its own. */
async function cluster(...states: RegisteredState[]): Promise<MetadataBroker> {
  const subject = await metadataBroker({ "default.replication.factor": "3" });
  const brokers = states.map((state, index): BrokerRecord => ({
    ...aloneBroker(index + 1),
    ...{ state, incarnationId: `i${index + 1}`, host: `h${index + 1}` },
  }));
  await subject.broker.controller.change(1, () => ({
    records: brokers,
    outcomes: [accept(null)],
  }));
  return subject;
}

async function create({ call }: MetadataBroker, ...replicas: number[][]): Promise<string> {
  const { topics } = await call(createTopicsHandler, 7, {
    timeoutMs: 60_000,
    topics: [{
      name: "t",
      numPartitions: replicas.length === 0 ? 12 : -1,
      replicationFactor: -1,
      assignments: replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
    }],
  });
  return `${errorName(topics[0]?.errorCode ?? -1)} ${topics[0]?.errorMessage}`;
}

/** The partition as it is, and whatever is to be another. */
async function change(
  { broker }: MetadataBroker,
  index: number,
  more: Partial<ReturnType<typeof partitionRecord>>,
): Promise<void> {
  await broker.controller.change(1, ({ image }) => {
    const topic = image.topics.get("t");
    const partition = topic?.partitions[index];
    if (topic === undefined || partition === undefined) throw new Error("no such partition");
    return {
      records: [partitionRecord(topic.id, index, { ...partition, ...more })],
      outcomes: [accept(null)],
    };
  });
}

const partitions = ({ broker }: MetadataBroker) => broker.metadata.topic("t")?.partitions ?? [];

describe("new partitions", () => {
  test("are on brokers that are up, led and in sync", async () => {
    const subject = await cluster("active", "active", "fenced", "active", "stopping");
    expect(await create(subject)).toBe("NONE null");
    await subject.call(createPartitionsHandler, 3, {
      timeoutMs: 60_000,
      topics: [{ name: "t", count: 15, assignments: null }],
    });
    const all = partitions(subject);
    expect(all.length).toBe(15);
    for (const { replicas, isr, leader } of all) {
      expect([replicas.toSorted(), isr, leader]).toEqual([[1, 2, 4], replicas, replicas[0] ?? -1]);
    }
    for (const id of [1, 2, 4]) expect(all.filter(({ leader }) => leader === id).length).toBe(5);
  });

  test("are in sync where brokers are up, and not made where none is", async () => {
    const subject = await cluster("fenced", "active", "stopping");
    expect(await create(subject)).toBe("NONE null");
    expect(partitions(subject)[0]).toMatchObject({ isr: [2], leader: 2 });
    expect((partitions(subject)[0]?.replicas ?? []).toSorted()).toEqual([1, 2, 3]);
    const { call } = subject;
    const added = await call(createPartitionsHandler, 3, {
      timeoutMs: 60_000,
      topics: [{
        name: "t",
        count: 14,
        assignments: [{ brokerIds: [1, 2, 3] }, { brokerIds: [1, 3, 2] }],
      }],
    });
    expect(added.results[0]?.errorMessage).toBeNull();
    expect(partitions(subject)[13]).toMatchObject({ replicas: [1, 3, 2], isr: [2], leader: 2 });
    const none = await cluster("fenced", "active", "stopping");
    expect(await create(none, [2], [1])).toBe(
      "INVALID_REPLICA_ASSIGNMENT All brokers specified in the manual partition assignment for " +
        "partition 1 are fenced or in controlled shutdown.",
    );
    const gone = await cluster("fenced", "fenced", "fenced");
    expect(await create(gone)).toBe(
      "INVALID_REPLICATION_FACTOR Unable to replicate the partition 3 time(s): All brokers are " +
        "currently fenced.",
    );
  });

  test("are not on brokers that are cordoned", async () => {
    const subject = await cluster("active", "active", "active", "active");
    const answer = await subject.call(incrementalAlterConfigsHandler, 1, {
      resources: [{
        resourceType: 4,
        resourceName: "1",
        configs: [{ name: "cordoned.log.dirs", configOperation: 0, value: "*" }],
      }],
    });
    expect(answer.responses[0]?.errorMessage).toBeNull();
    expect(await create(subject)).toBe("NONE null");
    for (const { replicas } of partitions(subject)) {
      expect(replicas.toSorted()).toEqual([2, 3, 4]);
    }
  });
});

describe("a reassignment", () => {
  const alter = async (
    { call }: MetadataBroker,
    replicas: number[] | null,
    allowReplicationFactorChange = true,
  ) => {
    const { responses } = await call(alterPartitionReassignmentsHandler, 1, {
      allowReplicationFactorChange,
      topics: [{ name: "t", partitions: [{ partitionIndex: 0, replicas }] }],
    });
    const [result] = responses[0]?.partitions ?? [];
    return `${errorName(result?.errorCode ?? -1)} ${result?.errorMessage}`;
  };
  const list = async ({ call }: MetadataBroker, topics: string[] | null) => {
    const { topics: listed } = await call(listPartitionReassignmentsHandler, 0, {
      topics: topics?.map((name) => ({ name, partitionIndexes: [0, 0, 9] })) ?? null,
    });
    return listed.map(({ name, partitions }) => [
      name,
      ...partitions.map((each) => [each.replicas, each.addingReplicas, each.removingReplicas]),
    ]);
  };

  test("begins, is listed, and is given up", async () => {
    const subject = await cluster("active", "active", "active", "active");
    await create(subject, [1, 2], [2, 3]);
    expect(await list(subject, null)).toEqual([]);
    expect(await alter(subject, [4, 2])).toBe("NONE null");
    const moving = [["t", [[4, 2, 1], [4], [1]]]];
    expect(await list(subject, null)).toEqual(moving);
    expect(await list(subject, ["x", "t"])).toEqual(moving);
    expect(partitions(subject)[0]).toMatchObject({ isr: [1, 2], leader: 1, leaderEpoch: 0 });
    expect(await alter(subject, null)).toBe("NONE null");
    expect(await list(subject, null)).toEqual([]);
    expect(partitions(subject)[0]).toMatchObject({ replicas: [2, 1], leader: 1, leaderEpoch: 1 });
    expect(await alter(subject, null))
      .toBe("NO_REASSIGNMENT_IN_PROGRESS No partition reassignment is in progress.");
  });

  test("keeps the replication factor where it is asked to", async () => {
    const subject = await cluster("active", "active", "active", "active");
    await create(subject, [1, 2]);
    expect(await alter(subject, [1, 3, 4], false))
      .toBe("INVALID_REPLICATION_FACTOR The replication factor is changed from 2 to 3");
    expect(await alter(subject, [1, 3], false)).toBe("NONE null");
    expect(await alter(subject, [1, 4], false)).toBe("NONE null");
    expect(await list(subject, null)).toEqual([["t", [[1, 4, 2], [4], [2]]]]);
    expect(await alter(subject, [2], true)).toBe("NONE null");
    expect(partitions(subject)[0]).toMatchObject({ replicas: [2], isr: [2], leader: 2 });
  });

  test("is not given up if that would lose what was acknowledged", async () => {
    const subject = await cluster("active", "active", "active", "active");
    await create(subject, [1]);
    await alter(subject, [2]);
    await change(subject, 0, { isr: [2], leader: 2 });
    expect(await alter(subject, null)).toBe(
      "INVALID_REPLICA_ASSIGNMENT Unable to revert partition assignment for t:0 because it " +
        "would require an unclean leader election.",
    );
  });
});

describe("an election", () => {
  const elect = async (
    { call }: MetadataBroker,
    electionType: number,
    indexes: number[] | null,
  ) => {
    const { replicaElectionResults } = await call(electLeadersHandler, 2, {
      electionType,
      topicPartitions: indexes === null ? null : [{ topic: "t", partitions: indexes }],
    });
    return replicaElectionResults[0]?.partitionResult.map(({ partitionId, errorCode }) =>
      `${partitionId} ${errorName(errorCode)}`
    );
  };

  test("gives the preferred replica the lead if it is in sync", async () => {
    const subject = await cluster("active", "active", "active");
    await create(subject, [1, 2], [1, 2], [1, 2]);
    await change(subject, 0, { leader: 2 });
    await change(subject, 1, { leader: 2, isr: [2] });
    expect(await elect(subject, 0, [0, 1, 2, 3])).toEqual([
      "0 NONE",
      "1 PREFERRED_LEADER_NOT_AVAILABLE",
      "2 ELECTION_NOT_NEEDED",
      "3 UNKNOWN_TOPIC_OR_PARTITION",
    ]);
    expect(partitions(subject)[0]).toMatchObject({ leader: 1, leaderEpoch: 1 });
    expect(await elect(subject, 0, null)).toEqual(["1 PREFERRED_LEADER_NOT_AVAILABLE"]);
  });

  test("takes any that is up, where that is asked for", async () => {
    const subject = await cluster("fenced", "active", "fenced");
    await create(subject, [1, 2], [2, 3], [1, 2]);
    await change(subject, 0, { leader: -1, isr: [1] });
    await change(subject, 1, { leader: -1, isr: [3], replicas: [3, 1] });
    expect(await elect(subject, 1, [0, 1, 2]))
      .toEqual(["0 NONE", "1 ELIGIBLE_LEADERS_NOT_AVAILABLE", "2 ELECTION_NOT_NEEDED"]);
    expect(partitions(subject)[0]).toMatchObject({ leader: 2, isr: [2], isRecovering: true });
  });
});

test("a broker that is unregistered leads nothing and is in no ISR", async () => {
  const subject = await cluster("active", "active", "active");
  await create(subject, [1, 2], [3, 1], [2, 3]);
  const unregister = async (brokerId: number) =>
    errorName((await subject.call(unregisterBrokerHandler, 0, { brokerId })).errorCode);
  expect(await unregister(9)).toBe("BROKER_ID_NOT_REGISTERED");
  expect(await unregister(1)).toBe("NONE");
  expect(await unregister(1)).toBe("BROKER_ID_NOT_REGISTERED");
  expect(isActive(subject.broker.metadata.image, 1)).toBe(false);
  expect(partitions(subject)).toMatchObject([
    { replicas: [1, 2], isr: [2], leader: 2 },
    { replicas: [3, 1], isr: [3], leader: 3, leaderEpoch: 0 },
    { replicas: [2, 3], isr: [2, 3], leader: 2 },
  ]);
});
