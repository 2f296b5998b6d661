/**
 * Where the logs of a leader and a follower part (KIP-595's diverging epoch in Fetch, KIP-101): the
 * leader says of the follower's last epoch where it ended, the follower cuts its log there and asks
 * again. After Kafka's `Partition.readRecords` and `AbstractFetcherThread.getOffsetTruncationState`.
 */

import { assert } from "../../core/assert.ts";

/** The largest epoch up to the one asked for, and the offset behind its last record; −1: unknown. */
export interface EpochEnd {
  readonly leaderEpoch: number;
  readonly endOffset: number;
}

/** What is asked of a log: the end of an epoch in it (`PartitionLog.epochEndOffset`). */
export interface EpochHistory {
  readonly logEndOffset: number;
  epochEndOffset(leaderEpoch: number): EpochEnd;
}

/**
 * The leader's part: null if its log goes on where the follower's ends, which is at `fetchOffset`,
 * behind a record of `lastFetchedEpoch` (−1: the follower has none), which is no later than the
 * leader's own. That one has to be in its history from its election on, not from its first record:
 * else it could not tell where an epoch of another leader, of which it has nothing, ends for it.
 */
export function divergingEpoch(
  leader: EpochHistory,
  fetchOffset: number,
  lastFetchedEpoch: number,
): EpochEnd | null {
  if (lastFetchedEpoch < 0) return null;
  const end = leader.epochEndOffset(lastFetchedEpoch);
  assert(end.endOffset >= 0, "a leader's history reaches up to its own epoch");
  return diverges(end, fetchOffset, lastFetchedEpoch) ? end : null;
}

/**
 * Whether a log that ends at `fetchOffset`, behind a record of that epoch, has what another one has not,
 * in which the epoch ends there.
 */
export function diverges(end: EpochEnd, fetchOffset: number, lastFetchedEpoch: number): boolean {
  return end.leaderEpoch < lastFetchedEpoch || end.endOffset < fetchOffset;
}

/** The follower's part: where to cut its log before it fetches again. */
export function truncationOffset(follower: EpochHistory, leaderEnd: EpochEnd): number {
  const { logEndOffset } = follower;
  if (leaderEnd.leaderEpoch < 0) return Math.min(leaderEnd.endOffset, logEndOffset);
  const own = follower.epochEndOffset(leaderEnd.leaderEpoch);
  if (own.endOffset < 0) return Math.min(leaderEnd.endOffset, logEndOffset);
  // An epoch that the leader has and this log has not: first everything behind the one before goes.
  if (own.leaderEpoch !== leaderEnd.leaderEpoch) return Math.min(own.endOffset, logEndOffset);
  return Math.min(own.endOffset, leaderEnd.endOffset, logEndOffset);
}
