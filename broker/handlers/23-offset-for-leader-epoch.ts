/**
 * OffsetForLeaderEpoch, versions 2 to 4 (KIP-101, KIP-279, KIP-320): where a leader epoch ended, so
 * that a client finds out whether its position still exists. For each partition, in this order:
 * 1. the sender may describe the topic (TOPIC_AUTHORIZATION_FAILED), and it is known
 *    (UNKNOWN_TOPIC_OR_PARTITION);
 * 2. the current leader epoch is this broker's (FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH), and it
 *    leads (NOT_LEADER_OR_FOLLOWER);
 * 3. then the largest epoch up to the one asked for, and its end; −1 and −1 where there is none.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { offsetForLeaderEpoch } from "../../core/protocol/23-offset-for-leader-epoch.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";

/** Serves the API; see the head of this file. */
export const offsetForLeaderEpochHandler: Handler<typeof offsetForLeaderEpoch> = {
  api: offsetForLeaderEpoch,
  authorize: { kind: "items", operations: ["DESCRIBE TOPIC"] },
  handle(context, request, broker) {
    return {
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => ({
          partition,
          ...endOf(context, broker, { topic, partition, currentLeaderEpoch, leaderEpoch }),
        })),
      })),
    };
  },
  failure: (request, code) => ({
    topics: request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ partition, ...failed(code) })),
    })),
  }),
};

interface EpochEnd {
  readonly errorCode: ErrorCode;
  readonly leaderEpoch: number;
  readonly endOffset: bigint;
}

function endOf(
  context: RequestContext,
  broker: Broker,
  wanted: { topic: string; partition: number; currentLeaderEpoch: number; leaderEpoch: number },
): EpochEnd {
  if (!context.authorized("DESCRIBE", "TOPIC", wanted.topic)) {
    return failed(Errors.TOPIC_AUTHORIZATION_FAILED);
  }
  const partition = broker.partitions.find(wanted.topic, wanted.partition);
  if (typeof partition === "number") return failed(partition);
  const error = partition.checkLeader(wanted.currentLeaderEpoch);
  if (error !== Errors.NONE) return failed(error);
  const end = partition.epochEndOffset(wanted.leaderEpoch);
  return {
    errorCode: Errors.NONE,
    leaderEpoch: end.leaderEpoch,
    endOffset: BigInt(end.endOffset),
  };
}

function failed(errorCode: ErrorCode): EpochEnd {
  return { errorCode, leaderEpoch: -1, endOffset: -1n };
}
