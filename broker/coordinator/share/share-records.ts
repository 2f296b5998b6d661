/** The records of `__share_group_state` as the coordinator sees them; bytes are in `share-codec.ts`. */

/** A share partition: a partition of a topic as one share group consumes it. */
export interface ShareKey {
  readonly groupId: string;
  readonly topicId: string;
  readonly partition: number;
}

/** The key as one string, by which share partitions are spread over partitions (`SharePartitionKey`). */
export function shareKeyString({ groupId, topicId, partition }: ShareKey): string {
  return `${groupId}:${topicId}:${partition}`;
}

/** The share partition that such a string names, or null; group ids may hold colons. */
export function parseShareKey(text: string): ShareKey | null {
  const match = /^(.+):([A-Za-z0-9_-]{22}):(\d{1,9})$/s.exec(text);
  if (match === null) return null;
  const [, groupId = "", topicId = "", partition] = match;
  return groupId.trim() === "" ? null : { groupId, topicId, partition: Number(partition) };
}

/** What has become of a record. The numbers are those of the wire and of the log (`RecordState`). */
export const DeliveryStates = {
  /** May be delivered (again). */
  AVAILABLE: 0,
  /** Delivered to a member whose lock runs; never in the log. */
  ACQUIRED: 1,
  /** Done. */
  ACKNOWLEDGED: 2,
  /** Given up: rejected, delivered too often, or gone from the log. */
  ARCHIVED: 4,
} as const;

export type DeliveryState = (typeof DeliveryStates)[keyof typeof DeliveryStates];

/** Offsets `firstOffset` to `lastOffset`, both included, that share a state. */
export interface StateBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly deliveryState: number;
  /** How often the records have been delivered. */
  readonly deliveryCount: number;
}

/** All that is persisted of a share partition. */
export interface ShareState {
  /** Grows with each snapshot in the log. */
  readonly snapshotEpoch: number;
  /** Of the group's knowledge of this share partition: another initialization is another epoch. */
  readonly stateEpoch: number;
  /** The largest epoch of a partition leader that has read. */
  readonly leaderEpoch: number;
  /** The share-partition start offset: everything below is done. −1: not decided yet. */
  readonly startOffset: number;
  /** Records from the start offset on that are done; −1 if not known (KIP-1226). */
  readonly deliveryCompleteCount: number;
  readonly createTimestampMs: number;
  readonly writeTimestampMs: number;
  /** By offset, apart from one another. */
  readonly stateBatches: readonly StateBatch[];
}

/** ShareSnapshot (key 0): everything. A null value removes the share partition. */
export interface ShareSnapshotRecord {
  readonly type: "ShareSnapshot";
  readonly key: ShareKey;
  readonly value: ShareState | null;
}

/** ShareUpdate (key 1): what changed since the snapshot of the same epoch. −1 changes nothing. */
export interface ShareUpdateRecord {
  readonly type: "ShareUpdate";
  readonly key: ShareKey;
  readonly value:
    & Pick<ShareState, "snapshotEpoch" | "leaderEpoch" | "startOffset" | "deliveryCompleteCount">
    & Pick<ShareState, "stateBatches">;
}

export type ShareRecord = ShareSnapshotRecord | ShareUpdateRecord;
