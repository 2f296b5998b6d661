/**
 * DeleteRecords, versions 0 to 2 (KIP-107): moves the start of the log up to an offset. For each
 * partition, in this order:
 * 1. the sender may delete from the topic (TOPIC_AUTHORIZATION_FAILED), and the topic is known
 *    (UNKNOWN_TOPIC_OR_PARTITION) and not internal (INVALID_TOPIC_EXCEPTION);
 * 2. this broker leads (NOT_LEADER_OR_FOLLOWER);
 * 3. the topic's cleanup.policy is not compact alone (POLICY_VIOLATION);
 * 4. the offset is not past the high watermark nor negative, −1 apart (OFFSET_OUT_OF_RANGE).
 *
 * It is answered when the log starts there on all replicas that are alive, or with REQUEST_TIMED_OUT; the
 * low watermark of the response is the least of their starts. An offset below the start of the log
 * changes nothing and is no error.
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
    const waits: Promise<void>[] = [];
    const deadlineMs = broker.io.clock.monotonicMs() + Math.max(0, request.timeoutMs);
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, offset }) => {
        const deleted = deleteOne(context, broker, name, partitionIndex, offset);
        const response = { partitionIndex, ...deleted.response };
        const { others } = deleted;
        if (others !== null) {
          waits.push(others(deadlineMs).then((done) => void Object.assign(response, done)));
        }
        return response;
      }),
    }));
    return waits.length === 0 ? { topics } : Promise.all(waits).then(() => ({ topics }));
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

/** What has come of it here, and how to wait for the others; null: they need not be waited for. */
interface Deletion {
  readonly response: Deleted;
  readonly others: ((deadlineMs: number) => Promise<Deleted>) | null;
}

function deleteOne(
  context: RequestContext,
  broker: Broker,
  topic: string,
  index: number,
  offset: bigint,
): Deletion {
  if (!context.authorized("DELETE", "TOPIC", topic)) {
    return failure(Errors.TOPIC_AUTHORIZATION_FAILED);
  }
  const partition = broker.partitions.find(topic, index);
  if (typeof partition === "number") return failure(partition);
  if (isInternalTopic(topic)) return failure(Errors.INVALID_TOPIC_EXCEPTION);
  const notLeader = partition.checkLeader(-1);
  if (notLeader !== Errors.NONE) return failure(notLeader);
  if (partition.isCompactOnly) return failure(Errors.POLICY_VIOLATION);
  const target = offset === HIGH_WATERMARK ? partition.highWatermark : Number(offset);
  if (target < 0 || target > partition.highWatermark) return failure(Errors.OFFSET_OUT_OF_RANGE);
  const error = partition.deleteRecordsBefore(target);
  if (error !== Errors.NONE) return failure(error);
  const isAlive = (brokerId: number) => {
    const known = broker.metadata.image.brokers.get(brokerId);
    return known !== undefined && known.state !== "fenced";
  };
  const lowWatermark = () => BigInt(partition.lowWatermark(isAlive));
  const response = { errorCode: Errors.NONE, lowWatermark: lowWatermark() };
  if (response.lowWatermark >= target) return { response, others: null };
  return {
    response,
    others: async (deadlineMs) => {
      const { signal } = context;
      const errorCode = await partition.waitForStarts(target, isAlive, deadlineMs, signal);
      return { errorCode, lowWatermark: lowWatermark() };
    },
  };
}

function failure(errorCode: ErrorCode): Deletion {
  return { response: failed(errorCode), others: null };
}

function failed(errorCode: ErrorCode): Deleted {
  return { errorCode, lowWatermark: -1n };
}
