/** What a refused request is, and requests that would be right but for what a case changes. */
import { offsetCommit } from "../../../../core/protocol/08-offset-commit.ts";
import { joinGroup } from "../../../../core/protocol/11-join-group.ts";
import { createTopics } from "../../../../core/protocol/19-create-topics.ts";
import { consumerGroupHeartbeat } from "../../../../core/protocol/68-consumer-group-heartbeat.ts";
import { type Api, type EncodableRequest } from "../../../../core/protocol/schema.ts";
import { BatchBuilder, type BatchOptions } from "../../../../core/records/batch-builder.ts";
import { type Facts, type Step, step } from "../step.ts";

/** One request that is to be refused. */
export interface BadInput {
  readonly step: Step;
  /** What is wrong with it. */
  readonly what: string;
  /** Kafka's code, which is in the answer. */
  readonly code: string;
}

/** A case; the version is the last that the broker has, up to `version`. */
export function bad<A extends Api>(
  api: A,
  what: string,
  code: string,
  request: (facts: Facts) => EncodableRequest<A>,
  version = api.maxVersion,
): BadInput {
  return { step: step(api, request, { version }), what, code };
}

/** A request to create one topic. */
export const topic = (facts: Facts, more: NewTopic = {}) => ({
  topics: [{ name: facts.name("new"), numPartitions: 1, replicationFactor: 1, ...more }],
  timeoutMs: 10_000,
});
type NewTopic = Omit<
  NonNullable<EncodableRequest<typeof createTopics>["topics"]>[number],
  never
>;

/** A topic's configs: one. */
export const config = (name: string, value: string) => ({ configs: [{ name, value }] });

/** A request to produce one record, made wrong by `spoil`. */
export function sending(
  facts: Facts,
  options: BatchOptions & { time?: number; key?: Uint8Array | null; size?: number } = {},
  spoil: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
  name = "t",
) {
  const builder = new BatchBuilder(options);
  const { time = 1_700_000_000_000, key = Uint8Array.of(1), size = 1 } = options;
  builder.append(time, key, new Uint8Array(size));
  return {
    acks: -1,
    timeoutMs: 5_000,
    topicData: [{
      name: facts.name(name),
      topicId: facts.topicId(name),
      partitionData: [{ index: 0, records: spoil(builder.build()) }],
    }],
  };
}

/** Spoils one byte. */
export const withByte = (at: number, value: number) => (bytes: Uint8Array) => {
  bytes[at] = value;
  return bytes;
};

/** A fetch of partition 0. */
export const fetching = (facts: Facts, partition: object, name = "t") => ({
  maxWaitMs: 0,
  minBytes: 0,
  topics: [{
    topic: facts.name(name),
    topicId: facts.topicId(name),
    partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000, ...partition }],
  }],
});

const RANGE = [{
  name: "range",
  metadata: Uint8Array.of(0, 0, 0, 0, 0, 0, 255, 255, 255, 255),
}];

/** A join of the classic group. */
export const joining = (facts: Facts, more: EncodableRequest<typeof joinGroup> = {}) => ({
  groupId: facts.name("g"),
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 5_000,
  protocolType: "consumer",
  protocols: RANGE,
  ...more,
});

/** The classic group's member. */
export const member = (facts: Facts) => ({
  groupId: facts.name("g"),
  memberId: facts.text("member", ""),
  generationId: facts.number("generation", 0),
});

/** A sync of it. */
export const syncing = (facts: Facts) => ({
  ...member(facts),
  protocolType: "consumer",
  protocolName: "range",
});

/** A commit by it. */
export const committing = (facts: Facts, more: EncodableRequest<typeof offsetCommit> = {}) => ({
  groupId: facts.name("g"),
  memberId: facts.text("member", ""),
  generationIdOrMemberEpoch: facts.number("generation", 0),
  topics: [{
    name: facts.name("t"),
    topicId: facts.topicId("t"),
    partitions: [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: "" }],
  }],
  ...more,
});

/** The transactional producer. */
export const transaction = (facts: Facts) => ({
  transactionalId: facts.name("x"),
  producerId: BigInt(facts.number("producer", 0)),
  producerEpoch: facts.number("epoch", 0),
});

/** A change of one config. */
export const altering = (
  resourceType: number,
  resourceName: string,
  name: string,
  op: number,
  value: string | null,
) => ({
  resources: [{ resourceType, resourceName, configs: [{ name, configOperation: op, value }] }],
});

/** A heartbeat of the consumer group's member. */
export const beating = (
  facts: Facts,
  more: EncodableRequest<typeof consumerGroupHeartbeat> = {},
) => ({
  groupId: facts.name("k"),
  memberId: "m",
  memberEpoch: 0,
  rebalanceTimeoutMs: 5_000,
  subscribedTopicNames: [facts.name("t")],
  topicPartitions: [],
  ...more,
});
