/**
 * Fetch of `__cluster_metadata` from the controller, as `KafkaRaftClient` answers it: of that partition
 * alone, for the brokers of the cluster (CLUSTER_ACTION).
 */
import { METADATA_LOG_ID } from "../../cluster/local-metadata-log.ts";
import { CLUSTER_NAME } from "../../core/acl.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { joinChunks } from "../../core/protocol/codec.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { RequestContext } from "../request-context.ts";
import type { MetadataSource } from "./metadata-source.ts";

type Request = RequestOf<typeof fetch>;
type Response = EncodableResponse<typeof fetch>;

/** The first version that can tell of leaders and snapshots (KIP-595). */
const RAFT_VERSION = 12;
/** The first version with topic ids. */
const TOPIC_ID_VERSION = 13;

/** Whether the metadata are asked for, and nothing else. */
export function isMetadataFetch(apiVersion: number, request: Request): boolean {
  const [first] = request.topics;
  if (first === undefined || request.topics.length > 1) return false;
  return apiVersion >= TOPIC_ID_VERSION
    ? first.topicId === METADATA_LOG_ID.topicId
    : first.topic === METADATA_LOG_ID.topic;
}

/** The answer to such a request. `applied` hears up to where the broker that asks has the metadata. */
export async function fetchMetadata(
  context: RequestContext,
  request: Request,
  clusterId: string,
  source: MetadataSource,
  applied: (brokerId: number, position: number) => void,
): Promise<Response> {
  if (!context.authorized("CLUSTER_ACTION", "CLUSTER", CLUSTER_NAME)) {
    return refuse(Errors.CLUSTER_AUTHORIZATION_FAILED);
  }
  if (request.clusterId !== null && request.clusterId !== clusterId) {
    return refuse(Errors.INCONSISTENT_CLUSTER_ID);
  }
  const [topic] = request.topics;
  const [wanted, ...others] = topic?.partitions ?? [];
  const isValid = context.apiVersion >= RAFT_VERSION &&
    wanted?.partition === METADATA_LOG_ID.partition && others.length === 0 &&
    request.maxWaitMs >= 0 && wanted.fetchOffset >= 0n && wanted.currentLeaderEpoch >= 0;
  if (topic === undefined || !isValid) return refuse(Errors.INVALID_REQUEST);
  const position = Number(wanted.fetchOffset);
  applied(request.replicaState.replicaId, position);
  const answer = await source.changes({
    brokerId: context.apiVersion >= 15 ? request.replicaState.replicaId : request.replicaId,
    leaderEpoch: wanted.currentLeaderEpoch,
    position,
    maxBytes: Math.min(request.maxBytes, wanted.partitionMaxBytes),
    maxWaitMs: request.maxWaitMs,
    signal: context.signal,
  });
  const end = BigInt(answer.end);
  return {
    errorCode: Errors.NONE,
    sessionId: 0,
    responses: [{
      topic: topic.topic,
      topicId: topic.topicId,
      partitions: [{
        partitionIndex: METADATA_LOG_ID.partition,
        errorCode: answer.error,
        highWatermark: end,
        lastStableOffset: end,
        logStartOffset: BigInt(answer.start),
        currentLeader: answer.leader,
        ...(answer.snapshot === null ? {} : {
          snapshotId: {
            endOffset: BigInt(answer.snapshot.endOffset),
            epoch: answer.snapshot.epoch,
          },
        }),
        abortedTransactions: null,
        records: joinChunks(answer.batches),
      }],
    }],
  };
}

function refuse(errorCode: ErrorCode): Response {
  return { errorCode, sessionId: 0, responses: [] };
}
