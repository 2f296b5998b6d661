/** The records of `__consumer_offsets` as the coordinator sees them; bytes are in `group-codec.ts`. */
import { type ClassicGroup, type ClassicMember, metadataOf, NO_BYTES } from "./classic-group.ts";

/** GroupMetadata (key 2): one generation of a classic group. A null value removes the group. */
export interface GroupMetadataRecord {
  readonly type: "GroupMetadata";
  readonly groupId: string;
  readonly value: GroupMetadataValue | null;
}

/** Timeouts in milliseconds; `stateTimestampMs` −1 if unknown. */
export interface GroupMetadataValue {
  readonly protocolType: string;
  readonly generationId: number;
  readonly protocolName: string | null;
  readonly leaderId: string | null;
  readonly stateTimestampMs: number;
  readonly members: readonly MemberMetadata[];
}

export interface MemberMetadata {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly subscription: Uint8Array;
  readonly assignment: Uint8Array;
}

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
}

/** Every kind of record that the group coordinator writes or folds. */
export type GroupRecord = GroupMetadataRecord | OffsetCommitRecord;

/** The group's present generation, with the assignments that the leader has just sent. */
export function groupMetadataRecord(
  group: ClassicGroup,
  assignmentOf: (member: ClassicMember) => Uint8Array,
): GroupMetadataRecord {
  const protocolName = group.protocolName;
  return {
    type: "GroupMetadata",
    groupId: group.groupId,
    value: {
      protocolType: group.protocolType ?? "",
      generationId: group.generationId,
      protocolName,
      leaderId: group.leaderId,
      stateTimestampMs: group.stateTimestampMs ?? -1,
      members: [...group.members.values()].map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        sessionTimeoutMs: member.sessionTimeoutMs,
        subscription: protocolName === null ? NO_BYTES : metadataOf(member, protocolName),
        assignment: assignmentOf(member),
      })),
    },
  };
}
