/**
 * The bytes of the group coordinator's records: Kafka's own, so that its tools read ours and ours
 * reads its. Written as Kafka 4.3 does: GroupMetadata version 3, OffsetCommit version 4, or 1 where
 * an expire timestamp has to be kept (`GroupCoordinatorRecordHelpers`); every version is read.
 */
import {
  decodeData,
  decodePrefix,
  decodeVersioned,
  encodePrefixed,
  encodeVersioned,
  ProtocolError,
} from "../../../core/protocol/codec.ts";
import {
  groupMetadataRecord,
  legacyOffsetCommitRecord,
  offsetCommitRecord,
} from "../../../core/protocol/records/offset-and-group-records.ts";
import type { EncodedRecord, RecordCodec } from "../shard.ts";
import type {
  CommittedOffset,
  GroupMetadataValue,
  GroupRecord,
  OffsetCommitRecord,
} from "./group-records.ts";

const GROUP_METADATA_VERSION = 3;
const OFFSET_COMMIT_VERSION = 4;
const OFFSET_COMMIT_WITH_EXPIRY_VERSION = 1;
const KEY_VERSION = 0;

/** See the header. Decoded bytes are copies, so that a member keeps no read buffer in memory. */
export const groupRecordCodec: RecordCodec<GroupRecord> = { encode, decode };

function encode(record: GroupRecord): EncodedRecord {
  switch (record.type) {
    case "OffsetCommit": {
      const { type, key } = offsetCommitRecord;
      const { groupId: group, topic, partition, value } = record;
      return {
        key: encodePrefixed(key, type, KEY_VERSION, { group, topic, partition }),
        value: value === null ? null : encodeOffset(value),
      };
    }
    case "GroupMetadata": {
      const { type, key } = groupMetadataRecord;
      return {
        key: encodePrefixed(key, type, KEY_VERSION, { group: record.groupId }),
        value: record.value === null ? null : encodeGroup(record.value),
      };
    }
  }
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

function encodeGroup(value: GroupMetadataValue): Uint8Array {
  return encodeVersioned(groupMetadataRecord.value, GROUP_METADATA_VERSION, {
    protocolType: value.protocolType,
    generation: value.generationId,
    protocol: value.protocolName,
    leader: value.leaderId,
    currentStateTimestamp: BigInt(value.stateTimestampMs),
    members: value.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: member.subscription,
      assignment: member.assignment,
    })),
  });
}

function decode(key: Uint8Array, value: Uint8Array | null): GroupRecord | null {
  try {
    switch (decodePrefix(key)) {
      case legacyOffsetCommitRecord.type:
      case offsetCommitRecord.type:
        return decodeOffset(key, value);
      case groupMetadataRecord.type: {
        const { group } = decodeData(groupMetadataRecord.key, KEY_VERSION, key, 2);
        return {
          type: "GroupMetadata",
          groupId: group,
          value: value === null ? null : decodeGroup(value),
        };
      }
      default:
        return null;
    }
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

/** Keys of type 0 and 1 are the same, and so are the values, which carry their own version. */
function decodeOffset(key: Uint8Array, value: Uint8Array | null): OffsetCommitRecord {
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

function decodeGroup(value: Uint8Array): GroupMetadataValue {
  const decoded = decodeVersioned(groupMetadataRecord.value, value);
  return {
    protocolType: decoded.protocolType,
    generationId: decoded.generation,
    protocolName: decoded.protocol,
    leaderId: decoded.leader,
    stateTimestampMs: Number(decoded.currentStateTimestamp),
    members: decoded.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs: member.rebalanceTimeout,
      sessionTimeoutMs: member.sessionTimeout,
      subscription: member.subscription.slice(),
      assignment: member.assignment.slice(),
    })),
  };
}
