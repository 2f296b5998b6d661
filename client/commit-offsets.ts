/** OffsetCommit: for members of a group, and for whoever sets the offsets of an empty one. */
import { groupBy } from "../core/group-by.ts";
import { offsetCommit } from "../core/protocol/08-offset-commit.ts";
import type { Cluster } from "./cluster.ts";
import type { PartitionPosition } from "./consumer/options.ts";
import { throwOnError } from "./errors.ts";
import type { OperationOptions } from "./options.ts";

/** A member as the coordinator knows it. */
export interface CommittingMember {
  readonly generation: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

/**
 * Commits offsets, for a member or (with null) for a group that has no members. Throws on the first
 * that is refused.
 */
export async function commitOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly PartitionPosition[],
  member: CommittingMember | null,
  options: OperationOptions = {},
): Promise<void> {
  if (offsets.length === 0) return;
  const subject = `commit offsets of group "${groupId}"`;
  await cluster.retry(subject, async ({ timeoutMs }) => {
    const node = await cluster.coordinator("group", groupId, options);
    const connection = await cluster.connect(node, "coordinator", options.signal);
    // Version 10 names topics by id; up to 9 by name, which needs no lookup.
    const response = await connection.request(offsetCommit, {
      groupId,
      ...(member === null ? {} : {
        generationIdOrMemberEpoch: member.generation,
        memberId: member.memberId,
        ...(member.groupInstanceId === null ? {} : { groupInstanceId: member.groupInstanceId }),
      }),
      topics: [...groupBy(offsets, ({ topic }) => topic)].map(([name, list]) => ({
        name,
        partitions: list.map(({ partition, offset, leaderEpoch = -1, metadata = "" }) => ({
          partitionIndex: partition,
          committedOffset: offset,
          committedLeaderEpoch: leaderEpoch,
          committedMetadata: metadata,
        })),
      })),
    }, { timeoutMs, maxVersion: 9 });
    for (const { name, partitions } of response.topics) {
      for (const { partitionIndex, errorCode } of partitions) {
        throwOnError(errorCode, `${subject}, ${name}-${partitionIndex}`);
      }
    }
  }, { ...options, onRetry: () => cluster.forgetCoordinator("group", groupId) });
}
