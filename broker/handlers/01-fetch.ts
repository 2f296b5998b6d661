/**
 * Fetch, versions 4 to 18.
 *
 * Sessions are KIP-227's (`fetch-session.ts`): FETCH_SESSION_ID_NOT_FOUND,
 * INVALID_FETCH_SESSION_EPOCH and FETCH_SESSION_TOPIC_ID_ERROR answer the whole request. Then for
 * each partition, in this order:
 * 1. the topic is known (UNKNOWN_TOPIC_OR_PARTITION; by id, from version 13 on, UNKNOWN_TOPIC_ID)
 *    and the sender may read it (TOPIC_AUTHORIZATION_FAILED);
 * 2. the leader epoch is this broker's (FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH; version 9,
 *    KIP-320), and it leads (NOT_LEADER_OR_FOLLOWER, with the leader and its address, KIP-951). To
 *    consumers it also answers as a follower, from version 11 on (KIP-392);
 * 3. the last fetched epoch agrees with the log, else the diverging epoch is answered
 *    (version 12, KIP-595);
 * 4. the offset is in the log (OFFSET_OUT_OF_RANGE) and its batch is whole (CORRUPT_MESSAGE).
 *
 * With `replica.selector.class` a consumer that says its rack is sent to a replica there (KIP-392).
 *
 * An offset inside a batch returns that batch. With less than `minBytes` to read and no error the
 * request waits for more, up to `maxWaitMs`; how it reads is `fetch-run.ts`. A read_committed
 * consumer gets what lies below the last stable offset, and which transactions in it were aborted:
 * it leaves their records out by itself (KIP-98).
 *
 * A follower (`replicaId`, from version 15 on `replicaState` with its broker epoch, KIP-903) needs
 * CLUSTER_ACTION, else TOPIC_AUTHORIZATION_FAILED everywhere. It reads up to the end of the log,
 * and what it asks for counts as what it has: NOT_LEADER_OR_FOLLOWER if it is none of the replicas,
 * or its broker has begun anew since. With OFFSET_OUT_OF_RANGE it is told where the log starts,
 * where it then begins anew; Kafka's followers ask for that with ListOffsets. A follower that
 * closes its session over another connection is answered at once, for it wants to follow something
 * else as well. Of `__cluster_metadata` a member of a cluster gives the controller's changes
 * (`cluster/metadata-fetch.ts`).
 */
import { Errors } from "../../core/errors.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import { fetchMetadata, isMetadataFetch } from "../cluster/metadata-fetch.ts";
import { type FetchEntry, type FetchParams, runFetch } from "../fetch-run.ts";
import {
  type FetchPlan,
  type FetchTarget,
  NO_SESSION_ID,
  type SessionRequest,
} from "../fetch-session.ts";
import type { Handler } from "../handler.ts";
import { LeaderHints } from "../leader-hints.ts";
import { replicaSelector, selectsReplicas } from "../replica-selector.ts";
import type { RequestContext } from "../request-context.ts";

/** Serves the API; see the head of this file. */
export const fetchHandler: Handler<typeof fetch> = {
  api: fetch,
  authorize: { kind: "items", operations: ["READ TOPIC", "CLUSTER_ACTION CLUSTER"] },
  topicsOf: (request) => request.topics,
  handle(context, request, broker) {
    if (broker.cluster !== null && isMetadataFetch(context.apiVersion, request)) {
      const { clusterId, cluster: { metadataSource, role } } = broker;
      return fetchMetadata(
        context,
        request,
        clusterId,
        metadataSource,
        (brokerId, position) => role.brokers?.applied(brokerId, position),
      );
    }
    const plan = broker.fetchSessions.plan(sessionRequest(context.apiVersion, request));
    if (plan.kind === "error") {
      return { errorCode: plan.error, sessionId: NO_SESSION_ID, responses: [] };
    }
    const params = fetchParams(context, request, broker, plan);
    const entries = runFetch(broker.io.clock, plan.partitions, params);
    return entries instanceof Promise
      ? entries.then((entries) => respond(context, broker, plan, entries, params))
      : respond(context, broker, plan, entries, params);
  },
};

function sessionRequest(version: number, request: RequestOf<typeof fetch>): SessionRequest {
  const targets: FetchTarget[] = [];
  for (const { topic, topicId, partitions } of request.topics) {
    for (const partition of partitions) {
      targets.push({
        topic,
        topicId,
        partition: partition.partition,
        maxBytes: partition.partitionMaxBytes,
        // Beyond 2^53 the number is not exact, and out of range all the same.
        fetchOffset: Number(partition.fetchOffset),
        currentLeaderEpoch: partition.currentLeaderEpoch,
        lastFetchedEpoch: partition.lastFetchedEpoch,
        logStartOffset: Number(partition.logStartOffset),
      });
    }
  }
  const forgotten: Pick<FetchTarget, "topic" | "topicId" | "partition">[] = [];
  for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
    for (const partition of partitions) forgotten.push({ topic, topicId, partition });
  }
  const { sessionId, sessionEpoch } = request;
  return { sessionId, sessionEpoch, usesTopicIds: version >= 13, targets, forgotten };
}

function fetchParams(
  context: RequestContext,
  request: RequestOf<typeof fetch>,
  broker: Broker,
  plan: FetchPlan,
): FetchParams {
  const { partitions, config } = broker;
  const maxBytes = Math.max(0, Math.min(request.maxBytes, config.get("fetch.max.bytes")));
  const byId = context.apiVersion >= 13;
  const follower = followerOf(context, request);
  const fromFollowers = follower === null && context.apiVersion >= 11;
  const mayFollow = follower !== null &&
    context.authorized("CLUSTER_ACTION", "CLUSTER", CLUSTER_NAME);
  return {
    isolation: follower !== null
      ? "log_end"
      : request.isolationLevel === 1
      ? "read_committed"
      : "read_uncommitted",
    follower,
    fromFollowers,
    throttle: follower === null
      ? null
      : broker.cluster?.replication.throttleOf(follower.brokerId) ?? null,
    select: fromFollowers ? replicaSelector(context, broker, request.rackId) : null,
    tellsHighWatermarks: follower !== null && selectsReplicas(broker),
    minBytes: Math.min(request.minBytes, maxBytes),
    maxBytes,
    deadlineMs: broker.io.clock.monotonicMs() + request.maxWaitMs,
    signal: context.signal,
    stopping: broker.stopping,
    session: follower !== null && plan.kind === "incremental" ? plan.session : null,
    find: (target) => {
      const name = byId ? partitions.topicName(target.topicId) : target.topic;
      if (name === undefined) return Errors.UNKNOWN_TOPIC_ID;
      const isAllowed = follower === null ? context.authorized("READ", "TOPIC", name) : mayFollow;
      if (!isAllowed) return Errors.TOPIC_AUTHORIZATION_FAILED;
      return byId
        ? partitions.findById(target.topicId, target.partition)
        : partitions.find(target.topic, target.partition);
    },
  };
}

/** The broker that fetches as a follower, or null. */
function followerOf(
  context: RequestContext,
  request: RequestOf<typeof fetch>,
): FetchParams["follower"] {
  const { replicaId, replicaEpoch } = context.apiVersion >= 15
    ? request.replicaState
    : { replicaId: request.replicaId, replicaEpoch: -1n };
  return replicaId < 0 ? null : { brokerId: replicaId, brokerEpoch: Number(replicaEpoch) };
}

type PartitionResponse = NonNullable<
  NonNullable<EncodableResponse<typeof fetch>["responses"]>[number]["partitions"]
>[number];

function respond(
  context: RequestContext,
  broker: Broker,
  plan: Exclude<FetchPlan, { kind: "error" }>,
  entries: readonly FetchEntry[],
  { follower }: FetchParams,
): EncodableResponse<typeof fetch> {
  let sessionId = NO_SESSION_ID;
  // Nobody would use, or close, a session that a lost connection asked for.
  if (plan.kind === "full" && !context.signal.aborted) {
    const usesTopicIds = context.apiVersion >= 13;
    const isBroker = follower !== null &&
      context.authorized("CLUSTER_ACTION", "CLUSTER", CLUSTER_NAME);
    const session = broker.fetchSessions.open(plan.partitions, usesTopicIds, isBroker);
    sessionId = session?.id ?? NO_SESSION_ID;
  } else if (plan.kind === "incremental") {
    sessionId = plan.session.id;
    if (plan.session.epoch !== plan.epoch) {
      return { errorCode: Errors.INVALID_FETCH_SESSION_EPOCH, sessionId, responses: [] };
    }
  }
  const hints = new LeaderHints(context, broker);
  const responses: { topic: string; topicId: string; partitions: PartitionResponse[] }[] = [];
  for (const entry of entries) {
    const changed = noteSent(entry);
    const traffic = entry.partition?.traffic;
    if (traffic !== undefined && entry.records.length > 0) {
      if (follower === null) traffic.fetchedBytes += entry.records.length;
      else traffic.servedBytes += entry.records.length;
    }
    if (plan.kind === "incremental") {
      if (!changed) continue;
      if (entry.records.length > 0) plan.session.rotate(entry.session);
    }
    const { topic, topicId } = entry.session.target;
    let last = responses.at(-1);
    if (last === undefined || last.topic !== topic || last.topicId !== topicId) {
      last = { topic, topicId, partitions: [] };
      responses.push(last);
    }
    last.partitions.push({
      ...partitionResponse(entry),
      ...(entry.error !== Errors.NONE && news(context, broker, entry, hints, follower)),
    });
  }
  const { nodeEndpoints } = hints;
  return context.apiVersion >= 16 && nodeEndpoints.length > 0
    ? { sessionId, responses, nodeEndpoints }
    : { sessionId, responses };
}

/** What helps the client out of an error: the leader, or for a follower the start of the log. */
function news(
  context: RequestContext,
  broker: Broker,
  { error, partition, session: { target } }: FetchEntry,
  hints: LeaderHints,
  follower: FetchParams["follower"],
): Partial<PartitionResponse> {
  if (error === Errors.OFFSET_OUT_OF_RANGE && follower !== null && partition !== null) {
    return { logStartOffset: BigInt(partition.logStartOffset) };
  }
  const isElsewhere = error === Errors.NOT_LEADER_OR_FOLLOWER ||
    error === Errors.FENCED_LEADER_EPOCH;
  if (!isElsewhere || context.apiVersion < 12) return {};
  const topicId = context.apiVersion >= 13
    ? target.topicId
    : broker.metadata.topic(target.topic)?.id;
  const currentLeader = hints.of(topicId, target.partition, partition);
  return currentLeader === null ? {} : { currentLeader };
}

/** Whether the entry says something that the session's client was not told yet; notes it as told. */
function noteSent(entry: FetchEntry): boolean {
  const { session, partition, error } = entry;
  if (error !== Errors.NONE || partition === null) {
    // So that the partition is named again once the error is gone.
    session.sentHighWatermark = -1;
    return true;
  }
  const { highWatermark, logStartOffset } = partition;
  const changed = entry.records.length > 0 || entry.diverging !== null ||
    entry.preferredReplica >= 0 ||
    session.sentHighWatermark !== highWatermark || session.sentLogStartOffset !== logStartOffset;
  session.sentHighWatermark = highWatermark;
  session.sentLogStartOffset = logStartOffset;
  return changed;
}

function partitionResponse(entry: FetchEntry): PartitionResponse {
  const { session, partition, error, records } = entry;
  const partitionIndex = session.target.partition;
  if (error !== Errors.NONE || partition === null) {
    return {
      partitionIndex,
      errorCode: error,
      highWatermark: -1n,
      lastStableOffset: -1n,
      logStartOffset: -1n,
      abortedTransactions: null,
      records,
    };
  }
  return {
    partitionIndex,
    errorCode: Errors.NONE,
    highWatermark: BigInt(partition.highWatermark),
    lastStableOffset: BigInt(partition.lastStableOffset),
    logStartOffset: BigInt(partition.logStartOffset),
    abortedTransactions: entry.aborted?.map(({ producerId, firstOffset }) => ({
      producerId: BigInt(producerId),
      firstOffset: BigInt(firstOffset),
    })) ?? null,
    records,
    ...(entry.preferredReplica < 0 ? {} : { preferredReadReplica: entry.preferredReplica }),
    ...(entry.diverging === null ? {} : {
      divergingEpoch: {
        epoch: entry.diverging.leaderEpoch,
        endOffset: BigInt(entry.diverging.endOffset),
      },
    }),
  };
}
