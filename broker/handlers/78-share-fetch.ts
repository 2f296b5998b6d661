/**
 * ShareFetch, versions 1 to 2: records for a member of a share group, which are then its own until it
 * acknowledges them or its lock runs out; with acknowledgements of earlier ones (KIP-932).
 *
 * - Needs READ on the group and on each topic. INVALID_REQUEST without a group and a member.
 * - Sessions are those of `share-sessions.ts`: SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH,
 *   SHARE_SESSION_LIMIT_REACHED (answered late, so that clients do not ask in a loop). The initial
 *   epoch carries no acknowledgements (INVALID_REQUEST); the final one fetches nothing.
 * - For each partition: UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED, and
 *   what the share coordinator says. Acknowledgements are answered apart, as in ShareAcknowledge.
 * - Without records it waits up to `maxWaitMs` for the first that anybody may have; `minBytes` above
 *   one is taken for one.
 * - 2: `shareAcquireMode` 1 bounds the records strictly (KIP-1206); a request that renews locks
 *   fetches nothing and has to say so by zero bounds (KIP-1222).
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { shareFetch } from "../../core/protocol/78-share-fetch.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import { LeaderHints } from "../leader-hints.ts";
import type { RequestContext } from "../request-context.ts";
import {
  accessProblem,
  acknowledgeAll,
  type AckResult,
  byTopic,
  leaderNews,
  senderProblem,
} from "../share/share-requests.ts";
import type { ShareFetchEntry } from "../share/share-service.ts";
import {
  FINAL_EPOCH,
  INITIAL_EPOCH,
  type SessionPartition,
  type ShareSession,
} from "../share/share-sessions.ts";

type Request = RequestOf<typeof shareFetch>;
type Response = EncodableResponse<typeof shareFetch>;

const RECORD_LIMIT_MODE = 1;
const NO_BYTES = new Uint8Array(0);

export const shareFetchHandler: Handler<typeof shareFetch> = {
  api: shareFetch,
  authorize: { kind: "items", operations: ["READ GROUP", "READ TOPIC"] },
  topicsOf: (request) => request.topics,
  async handle(context, request, broker) {
    const { shareSessionEpoch: epoch, isRenewAck } = request;
    const groupId = request.groupId ?? "";
    const memberId = request.memberId ?? "";
    if (request.groupId !== null && !context.authorized("READ", "GROUP", groupId)) {
      return refuse(Errors.GROUP_AUTHORIZATION_FAILED);
    }
    const problem = senderProblem(request.groupId, request.memberId) ?? contentProblem(request);
    if (problem !== null) return refuse(Errors.INVALID_REQUEST, problem);
    const session = sessionOf(context, broker, request, groupId, memberId);
    if (session === Errors.SHARE_SESSION_LIMIT_REACHED) {
      await sleep(broker.io.clock, Math.max(0, request.maxWaitMs), context.signal);
    }
    if (typeof session === "number") return refuse(session);

    const acknowledged = await acknowledgeAll(
      context,
      broker,
      { groupId, memberId, isRenewAck },
      request.topics.map(withAcknowledgements),
    );
    const fetches = epoch !== FINAL_EPOCH && !isRenewAck;
    const entries = fetches ? await fetchAll(context, broker, request, session) : [];
    if (epoch === FINAL_EPOCH) await broker.shares.closeSession(session);
    else if (fetches && !isStillNext(broker, session, epoch)) {
      await broker.shares.releaseUnheard(session);
      return refuse(Errors.INVALID_SHARE_SESSION_EPOCH);
    }
    const hints = new LeaderHints(context, broker);
    return {
      acquisitionLockTimeoutMs: broker.shares.config(groupId).recordLockDurationMs,
      responses: responses(hints, entries, acknowledged, epoch === INITIAL_EPOCH),
      nodeEndpoints: hints.nodeEndpoints,
    };
  },
};

function refuse(errorCode: ErrorCode, message?: string): Response {
  return { errorCode, errorMessage: message ?? errorName(errorCode) };
}

/** What in a request contradicts itself; null if nothing does. */
function contentProblem(request: Request): string | null {
  const { isRenewAck, maxBytes, minBytes, maxRecords, maxWaitMs, shareSessionEpoch } = request;
  if (isRenewAck && (maxBytes !== 0 || minBytes !== 0 || maxRecords !== 0 || maxWaitMs !== 0)) {
    return "A request that renews locks fetches nothing: its bounds have to be 0.";
  }
  const acknowledges = request.topics.some(({ partitions }) =>
    partitions.some((partition) => partition.acknowledgementBatches.length > 0)
  );
  return shareSessionEpoch === INITIAL_EPOCH && acknowledges
    ? "The request that opens a session has nothing to acknowledge."
    : null;
}

function sessionOf(
  context: RequestContext,
  broker: Broker,
  request: Request,
  groupId: string,
  memberId: string,
): ShareSession | ErrorCode {
  const { sessions } = broker.shares;
  const { shareSessionEpoch: epoch } = request;
  const isNew = epoch === INITIAL_EPOCH;
  const session = isNew
    ? sessions.open(groupId, memberId, context.connection.id)
    : sessions.use(groupId, memberId, epoch);
  if (typeof session === "number") return session;
  if (isNew) {
    const gone = () => void broker.shares.closeSession(session);
    // A connection may open any number of sessions, one after the other.
    context.connection.signal.addEventListener("abort", gone, {
      once: true,
      signal: session.ended,
    });
  }
  for (const { topicId, partitions } of request.topics) {
    for (const { partitionIndex: partition } of partitions) session.add({ topicId, partition });
  }
  for (const { topicId, partitions } of request.forgottenTopicsData) {
    for (const partition of partitions) session.forget({ topicId, partition });
  }
  return session;
}

/** Only partitions that something is said about are answered for acknowledgements. */
function withAcknowledgements(topic: Request["topics"][number]) {
  return {
    topicId: topic.topicId,
    partitions: topic.partitions.filter((each) => each.acknowledgementBatches.length > 0),
  };
}

/** Whether no later request of the session came while this one waited. */
function isStillNext(broker: Broker, session: ShareSession, epoch: number): boolean {
  const { sessions } = broker.shares;
  if (!sessions.isCurrent(session)) return false;
  return session.epoch === (epoch === 0x7fffffff ? 1 : epoch + 1);
}

async function fetchAll(
  context: RequestContext,
  broker: Broker,
  request: Request,
  session: ShareSession,
): Promise<ShareFetchEntry[]> {
  const { config, io, shares } = broker;
  const refused: ShareFetchEntry[] = [];
  const wanted: SessionPartition[] = [];
  for (const partition of session.partitions.values()) {
    const error = accessProblem(context, broker, partition.topicId, partition.partition);
    if (error === Errors.NONE) wanted.push(partition);
    else refused.push({ partition, error, records: NO_BYTES, ranges: [] });
  }
  const maxBytes = Math.max(0, Math.min(request.maxBytes, config.get("fetch.max.bytes")));
  const entries = await shares.fetch(wanted, {
    groupId: session.groupId,
    memberId: session.memberId,
    maxBytes,
    maxRecords: request.maxRecords,
    batchSize: Math.max(1, request.batchSize),
    recordLimit: request.shareAcquireMode === RECORD_LIMIT_MODE,
    deadlineMs: io.clock.monotonicMs() + (refused.length > 0 ? 0 : Math.max(0, request.maxWaitMs)),
    signal: context.signal,
    stopping: broker.stopping,
  });
  for (const { partition, records } of entries) {
    if (records.length > 0) session.rotate(partition);
  }
  return [...entries, ...refused];
}

/** Answers that say something; all of them where the session has just begun. */
function responses(
  hints: LeaderHints,
  entries: readonly ShareFetchEntry[],
  acknowledged: readonly AckResult[],
  all: boolean,
): Response["responses"] {
  const rest = new Map(acknowledged.map((each) => [`${each.topicId}:${each.partition}`, each]));
  const told: { topicId: string; entry: ShareFetchEntry; ack: ErrorCode }[] = [];
  for (const entry of entries) {
    const { topicId, partition } = entry.partition;
    const id = `${topicId}:${partition}`;
    const ack = rest.get(id);
    rest.delete(id);
    const isNews = entry.error !== Errors.NONE || entry.ranges.length > 0 || ack !== undefined;
    if (isNews || all) told.push({ topicId, entry, ack: ack?.error ?? Errors.NONE });
  }
  for (const { topicId, partition, error: ack } of rest.values()) {
    const nothing = { error: Errors.NONE, records: NO_BYTES, ranges: [] };
    told.push({ topicId, entry: { partition: { topicId, partition }, ...nothing }, ack });
  }
  return byTopic(told, ({ topicId, entry, ack }) => ({
    partitionIndex: entry.partition.partition,
    errorCode: entry.error,
    errorMessage: messageOf(entry.error),
    acknowledgeErrorCode: ack,
    acknowledgeErrorMessage: messageOf(ack),
    ...leaderNews(hints, topicId, entry.partition.partition, entry.error || ack),
    records: entry.records,
    acquiredRecords: entry.ranges.map((range) => ({
      firstOffset: BigInt(range.firstOffset),
      lastOffset: BigInt(range.lastOffset),
      deliveryCount: range.deliveryCount,
    })),
  }));
}

function messageOf(error: ErrorCode): string | null {
  return error === Errors.NONE ? null : errorName(error);
}
