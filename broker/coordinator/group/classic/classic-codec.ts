/** The bytes of a classic group's record. Written as Kafka does, in version 3; all are read. */
import {
  decodeData,
  decodeVersioned,
  encodePrefixed,
  encodeVersioned,
} from "../../../../core/protocol/codec.ts";
import { groupMetadataRecord } from "../../../../core/protocol/records/offset-and-group-records.ts";
import type { EncodedRecord } from "../../shard.ts";
import type { GroupMetadataRecord, GroupMetadataValue } from "./classic-records.ts";

const GROUP_METADATA_VERSION = 3;
const KEY_VERSION = 0;

/** Key and value of a GroupMetadata. */
export function encodeGroupMetadata(record: GroupMetadataRecord): EncodedRecord {
  const { type, key } = groupMetadataRecord;
  return {
    key: encodePrefixed(key, type, KEY_VERSION, { group: record.groupId }),
    value: record.value === null ? null : encodeGroup(record.value),
  };
}

/** Decoded bytes are copies, so that a member keeps no read buffer in memory. */
export function decodeGroupMetadata(
  key: Uint8Array,
  value: Uint8Array | null,
): GroupMetadataRecord {
  const { group } = decodeData(groupMetadataRecord.key, KEY_VERSION, key, 2);
  return {
    type: "GroupMetadata",
    groupId: group,
    value: value === null ? null : decodeGroup(value),
  };
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
