/** What the requests to the share coordinator have in common: one answer per share partition. */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { CLUSTER_NAME, type ResourceOperation } from "../authorizer.ts";
import type { ShareKey } from "../coordinator/share/share-records.ts";

/** What brokers need to ask one another. */
export const clusterAction: readonly ResourceOperation[] = [
  { operation: "CLUSTER_ACTION", resourceType: "CLUSTER", name: CLUSTER_NAME },
];

/** A request that names share partitions of one group. */
interface StateRequest<P> {
  readonly groupId: string;
  readonly topics: readonly { readonly topicId: string; readonly partitions: readonly P[] }[];
}

/** Answers for the topics of a request. */
export interface StateResult<T> {
  topicId: string;
  partitions: ({ partition: number } & T)[];
}

/** Asks for each share partition; they may lie in different shards, so they are asked at once. */
export function forEachSharePartition<P extends { readonly partition: number }, T>(
  request: StateRequest<P>,
  refusal: (error: ErrorCode) => T,
  ask: (key: ShareKey, wanted: P) => Promise<T>,
): Promise<StateResult<T>[]> {
  const { groupId, topics } = request;
  if (groupId === "") return Promise.resolve(refuseAll(request, Errors.INVALID_GROUP_ID, refusal));
  return Promise.all(topics.map(async ({ topicId, partitions }) => ({
    topicId,
    partitions: await Promise.all(partitions.map(async (wanted) => {
      const { partition } = wanted;
      return { partition, ...await ask({ groupId, topicId, partition }, wanted) };
    })),
  })));
}

/** The same refusal for every share partition of a request. */
export function refuseAll<P extends { readonly partition: number }, T>(
  request: StateRequest<P>,
  error: ErrorCode,
  refusal: (error: ErrorCode) => T,
): StateResult<T>[] {
  return request.topics.map(({ topicId, partitions }) => ({
    topicId,
    partitions: partitions.map(({ partition }) => ({ partition, ...refusal(error) })),
  }));
}

/** An offset from the wire; beyond 2^53 no log ever gets. */
export function toOffset(offset: bigint): number {
  return offset > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(offset);
}
