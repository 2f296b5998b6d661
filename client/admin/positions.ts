/** Where a group is in its partitions, whatever its type: committed or start offsets. */
import type { Admin } from "../admin.ts";

/** A group's place in a partition. */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  /** Null where a share group has not begun to read. */
  readonly offset: number | null;
  /** Where the broker tells it, as it does for share groups (KIP-1226); else null. */
  readonly lag: number | null;
}

/** What the group has committed; the start offsets of a share group. */
export async function readPositions(
  admin: Admin,
  group: string,
  type: string,
): Promise<Position[]> {
  if (type === "share") {
    const offsets = await admin.groups.listShareOffsets(group);
    return offsets.map(({ topic, partition, startOffset, lag }) => ({
      topic,
      partition,
      offset: startOffset === null ? null : Number(startOffset),
      lag: lag === null ? null : Number(lag),
    }));
  }
  const offsets = await admin.groups.listOffsets(group);
  return offsets.map(({ topic, partition, offset }) => ({
    topic,
    partition,
    offset: Number(offset),
    lag: null,
  }));
}
