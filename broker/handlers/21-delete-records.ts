/**
 * DeleteRecords, versions 0 to 2 (KIP-107): moves the start of the log up to an offset. For each
 * partition, in this order:
 * 1. the sender may delete from the topic (TOPIC_AUTHORIZATION_FAILED), and the topic is known
 *    (UNKNOWN_TOPIC_OR_PARTITION) and not internal (INVALID_TOPIC_EXCEPTION);
 * 2. this broker leads (NOT_LEADER_OR_FOLLOWER);
 * 3. the topic's cleanup.policy is not compact alone (POLICY_VIOLATION);
 * 4. the offset is not past the high watermark nor negative, −1 apart (OFFSET_OUT_OF_RANGE).
 *
 * The low watermark of the response is the start of the log on all replicas, here the only one.
 * An offset below the start of the log changes nothing and is no error.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { deleteRecords } from "../../core/protocol/21-delete-records.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";
import { isInternalTopic } from "../topic-names.ts";

/** Stands for the high watermark: delete all that consumers can see. */
const HIGH_WATERMARK = -1n;

/** Serves the API; see the head of this file. */
export const deleteRecordsHandler: Handler<typeof deleteRecords> = {
  api: deleteRecords,
  authorize: { kind: "items", operations: ["DELETE TOPIC"] },
  handle(context, request, broker) {
    return {
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, offset }) => {
          const deleted = deleteOne(context, broker, name, partitionIndex, offset);
          return { partitionIndex, ...deleted };
        }),
      })),
    };
  },
  failure: (request, code) => ({
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, ...failed(code) })),
    })),
  }),
};

interface Deleted {
  readonly errorCode: ErrorCode;
  readonly lowWatermark: bigint;
}

function deleteOne(
  context: RequestContext,
  broker: Broker,
  topic: string,
  index: number,
  offset: bigint,
): Deleted {
  if (!context.authorized("DELETE", "TOPIC", topic)) {
    return failed(Errors.TOPIC_AUTHORIZATION_FAILED);
  }
  const partition = broker.partitions.find(topic, index);
  if (typeof partition === "number") return failed(partition);
  if (isInternalTopic(topic)) return failed(Errors.INVALID_TOPIC_EXCEPTION);
  const notLeader = partition.checkLeader(-1);
  if (notLeader !== Errors.NONE) return failed(notLeader);
  if (partition.isCompactOnly) return failed(Errors.POLICY_VIOLATION);
  const target = offset === HIGH_WATERMARK ? partition.highWatermark : Number(offset);
  if (target < 0 || target > partition.highWatermark) return failed(Errors.OFFSET_OUT_OF_RANGE);
  const error = partition.deleteRecordsBefore(target);
  if (error !== Errors.NONE) return failed(error);
  return { errorCode: Errors.NONE, lowWatermark: BigInt(partition.logStartOffset) };
}

function failed(errorCode: ErrorCode): Deleted {
  return { errorCode, lowWatermark: -1n };
}
