/** What ShareFetch and ShareAcknowledge have in common: acknowledgements and their answers. */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import type { Broker } from "../broker.ts";
import type { LeaderHints } from "../leader-hints.ts";
import type { RequestContext } from "../request-context.ts";
import { AcknowledgeTypes } from "./delivery-window.ts";
import type { Acknowledgement } from "./acknowledgement.ts";
import { toOffset } from "./state-requests.ts";

/** As long as a UUID in text is what a client may call itself (`KafkaApis.isMemberIdValid`). */
const MEMBER_ID_LENGTH_MAX = 36;
/** First version with renewals (KIP-1222). */
const RENEW_VERSION = 2;

/** Acknowledgements as they stand in a request. */
interface WireBatch {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly acknowledgeTypes: readonly number[];
}

interface WirePartition {
  readonly partitionIndex: number;
  readonly acknowledgementBatches: readonly WireBatch[];
}

/** Who acknowledges. */
export interface AckSender {
  readonly groupId: string;
  readonly memberId: string;
  /** Whether the request says that it renews; only then it may. */
  readonly isRenewAck: boolean;
}

/** How it went for one partition. */
export interface AckResult {
  readonly topicId: string;
  readonly partition: number;
  readonly error: ErrorCode;
}

/** Why the head of a request is refused; null if it is not. */
export function senderProblem(groupId: string | null, memberId: string | null): string | null {
  if (groupId === null) return "Invalid group id in the request.";
  const isValid = memberId !== null && memberId !== "" && memberId.length <= MEMBER_ID_LENGTH_MAX;
  return isValid ? null : "Invalid member id in the request.";
}

/** Takes the acknowledgements of a request; answers each of its partitions when it is persisted. */
export function acknowledgeAll(
  context: RequestContext,
  broker: Broker,
  sender: AckSender,
  topics: readonly { readonly topicId: string; readonly partitions: readonly WirePartition[] }[],
): Promise<AckResult[]> {
  const answers: Promise<AckResult>[] = [];
  const typeMax = context.apiVersion >= RENEW_VERSION
    ? AcknowledgeTypes.RENEW
    : AcknowledgeTypes.REJECT;
  const { renewEnabled } = broker.shares.config(sender.groupId);
  const rules = { typeMax, isRenewAck: sender.isRenewAck && renewEnabled };
  for (const { topicId, partitions } of topics) {
    for (const { partitionIndex: partition, acknowledgementBatches: batches } of partitions) {
      const problem = accessProblem(context, broker, topicId, partition) ||
        batchesProblem(batches, rules);
      const error = problem !== Errors.NONE || batches.length === 0
        ? Promise.resolve(problem)
        : broker.shares.acknowledge(
          { groupId: sender.groupId, topicId, partition },
          sender.memberId,
          batches.map(toAcknowledgement),
        );
      answers.push(error.then((code) => ({ topicId, partition, error: code })));
    }
  }
  return Promise.all(answers);
}

/** NONE, or why the sender may not fetch from the partition. */
export function accessProblem(
  context: RequestContext,
  broker: Broker,
  topicId: string,
  partition: number,
): ErrorCode {
  const topic = broker.metadata.topicById(topicId);
  if (topic === undefined) return Errors.UNKNOWN_TOPIC_ID;
  if (!context.authorized("READ", "TOPIC", topic.name)) return Errors.TOPIC_AUTHORIZATION_FAILED;
  return topic.partitions[partition] === undefined
    ? Errors.UNKNOWN_TOPIC_OR_PARTITION
    : Errors.NONE;
}

/** Kafka's `validateAcknowledgementBatches`. */
function batchesProblem(
  batches: readonly WireBatch[],
  { typeMax, isRenewAck }: { readonly typeMax: number; readonly isRenewAck: boolean },
): ErrorCode {
  let end = -1n;
  for (const { firstOffset, lastOffset, acknowledgeTypes: types } of batches) {
    const isMismatched = types.length > 1 && BigInt(types.length) !== lastOffset - firstOffset + 1n;
    const isWrong = firstOffset > lastOffset || firstOffset <= end || types.length === 0 ||
      isMismatched || types.some((type) => type < 0 || type > typeMax) ||
      !isRenewAck && types.includes(AcknowledgeTypes.RENEW);
    if (isWrong) return Errors.INVALID_REQUEST;
    end = lastOffset;
  }
  return Errors.NONE;
}

function toAcknowledgement(batch: WireBatch): Acknowledgement {
  return {
    firstOffset: toOffset(batch.firstOffset),
    lastOffset: toOffset(batch.lastOffset),
    types: batch.acknowledgeTypes,
  };
}

/** `currentLeader` of a partition's answer: told where the client asked the wrong broker (KIP-951). */
export function leaderNews(
  hints: LeaderHints,
  topicId: string,
  partition: number,
  error: ErrorCode,
) {
  if (error !== Errors.NOT_LEADER_OR_FOLLOWER && error !== Errors.FENCED_LEADER_EPOCH) return {};
  const currentLeader = hints.of(topicId, partition, null);
  return currentLeader === null ? {} : { currentLeader };
}

/** Collects answers by topic, in the order of their first mention. */
export function byTopic<T extends { readonly topicId: string }, P>(
  entries: readonly T[],
  response: (entry: T) => P,
): { topicId: string; partitions: P[] }[] {
  return [...Map.groupBy(entries, ({ topicId }) => topicId)].map(([topicId, ofTopic]) => ({
    topicId,
    partitions: ofTopic.map(response),
  }));
}
