/** OffsetCommit: the record of a committed offset; bytes are in `offset-codec.ts`. */

/** OffsetCommit (key 0 and 1). A null value removes the offset. */
export interface OffsetCommitRecord {
  readonly type: "OffsetCommit";
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly value: CommittedOffset | null;
}

/** What a group has committed for a partition. Any int64 is allowed, as in Kafka. */
export interface CommittedOffset {
  readonly offset: bigint;
  /** −1 if unknown. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly commitTimestampMs: number;
  /** When it expires whatever the group does, from the retention time of OffsetCommit v2–4; or null. */
  readonly expireTimestampMs: number | null;
  /** The topic that was meant; `ZERO_UUID` if an old record does not tell. */
  readonly topicId: string;
  /** Where the record is in the log: what a transaction commits never replaces what came later. */
  readonly recordOffset?: number;
}
