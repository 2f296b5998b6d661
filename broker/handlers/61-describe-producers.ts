/**
 * DescribeProducers, version 0 (KIP-664): who has written to partitions with a producer id of late,
 * and which transactions are open there. For each partition, in this order:
 * 1. the name is one that topics may have (INVALID_TOPIC_EXCEPTION);
 * 2. the sender may read the topic (TOPIC_AUTHORIZATION_FAILED) and it is known
 *    (UNKNOWN_TOPIC_OR_PARTITION);
 * 3. this broker leads the partition (NOT_LEADER_OR_FOLLOWER).
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { describeProducers } from "../../core/protocol/61-describe-producers.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";
import { topicNameProblem } from "../topic-names.ts";

type PartitionResponse = NonNullable<
  NonNullable<EncodableResponse<typeof describeProducers>["topics"]>[number]["partitions"]
>[number];

export const describeProducersHandler: Handler<typeof describeProducers> = {
  api: describeProducers,
  authorize: { kind: "items", operations: ["READ TOPIC"] },
  handle(context, request, broker) {
    return {
      topics: request.topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((index) => describe(context, name, index, broker)),
      })),
    };
  },
  failure: (request, code) => ({
    topics: request.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((index) => refuse(index, code)),
    })),
  }),
};

function describe(
  context: RequestContext,
  topic: string,
  partitionIndex: number,
  broker: Broker,
): PartitionResponse {
  const nameProblem = topicNameProblem(topic);
  if (nameProblem !== null) {
    return refuse(partitionIndex, Errors.INVALID_TOPIC_EXCEPTION, nameProblem);
  }
  if (!context.authorized("READ", "TOPIC", topic)) {
    return refuse(partitionIndex, Errors.TOPIC_AUTHORIZATION_FAILED);
  }
  const partition = broker.partitions.find(topic, partitionIndex);
  if (typeof partition === "number") return refuse(partitionIndex, partition);
  const error = partition.checkLeader(-1);
  if (error !== Errors.NONE) return refuse(partitionIndex, error);
  return {
    partitionIndex,
    errorCode: Errors.NONE,
    errorMessage: null,
    activeProducers: [...partition.log.producers()].map((producer) => ({
      producerId: BigInt(producer.producerId),
      producerEpoch: producer.producerEpoch,
      lastSequence: producer.batches.at(-1)?.lastSequence ?? -1,
      lastTimestamp: BigInt(producer.lastTimestampMs),
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: BigInt(producer.currentTxnFirstOffset),
    })),
  };
}

function refuse(
  partitionIndex: number,
  errorCode: ErrorCode,
  errorMessage: string = errorName(errorCode),
): PartitionResponse {
  return { partitionIndex, errorCode, errorMessage, activeProducers: [] };
}
