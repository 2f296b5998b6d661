/**
 * The bytes of committed offsets. Written as Kafka 4.3 does: version 4, or 1 where an expire
 * timestamp has to be kept (`GroupCoordinatorRecordHelpers`); every version is read.
 */
import {
  decodeData,
  decodeVersioned,
  encodePrefixed,
  encodeVersioned,
} from "../../../../core/protocol/codec.ts";
import { offsetCommitRecord } from "../../../../core/protocol/records/offset-and-group-records.ts";
import type { EncodedRecord } from "../../shard.ts";
import type { CommittedOffset, OffsetCommitRecord } from "./offset-records.ts";

const OFFSET_COMMIT_VERSION = 4;
const OFFSET_COMMIT_WITH_EXPIRY_VERSION = 1;
const KEY_VERSION = 0;

/** Key and value of an OffsetCommit. */
export function encodeOffsetCommit(record: OffsetCommitRecord): EncodedRecord {
  const { type, key } = offsetCommitRecord;
  const { groupId: group, topic, partition, value } = record;
  return {
    key: encodePrefixed(key, type, KEY_VERSION, { group, topic, partition }),
    value: value === null ? null : encodeOffset(value),
  };
}

function encodeOffset(value: CommittedOffset): Uint8Array {
  const version = value.expireTimestampMs === null
    ? OFFSET_COMMIT_VERSION
    : OFFSET_COMMIT_WITH_EXPIRY_VERSION;
  return encodeVersioned(offsetCommitRecord.value, version, {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    commitTimestamp: BigInt(value.commitTimestampMs),
    expireTimestamp: BigInt(value.expireTimestampMs ?? -1),
    topicId: value.topicId,
  });
}

/** Keys of type 0 and 1 are the same, and so are the values, which carry their own version. */
export function decodeOffsetCommit(key: Uint8Array, value: Uint8Array | null): OffsetCommitRecord {
  const { group, topic, partition } = decodeData(offsetCommitRecord.key, KEY_VERSION, key, 2);
  const record = { type: "OffsetCommit", groupId: group, topic, partition } as const;
  if (value === null) return { ...record, value: null };
  const decoded = decodeVersioned(offsetCommitRecord.value, value);
  const expireTimestamp = Number(decoded.expireTimestamp);
  return {
    ...record,
    value: {
      offset: decoded.offset,
      leaderEpoch: decoded.leaderEpoch,
      metadata: decoded.metadata,
      commitTimestampMs: Number(decoded.commitTimestamp),
      expireTimestampMs: expireTimestamp === -1 ? null : expireTimestamp,
      topicId: decoded.topicId,
    },
  };
}
