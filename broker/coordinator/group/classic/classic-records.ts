/** GroupMetadata: the record of a classic group; bytes are in `classic-codec.ts`. */
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
