/** A member of a consumer group (KIP-848), and its records. Kafka's `ConsumerGroupMember`. */
import type { DataOf } from "../../../../core/protocol/schema.ts";
import type {
  consumerGroupCurrentMemberAssignmentRecord,
  consumerGroupMemberMetadataRecord,
} from "../../../../core/protocol/records/consumer-group-records.ts";
import type { ModernMember } from "../modern/modern-group.ts";
import {
  type EpochedAssignment,
  epochedAssignmentOf,
  epochedTopicPartitionsOf,
  NO_PARTITIONS,
  sameEpochedAssignment,
} from "../modern/topic-partitions.ts";
import type { ConsumerGroupRecord } from "./consumer-records.ts";

/** Where a member is on its way to the target; the numbers are those of records. */
export const MemberStates = {
  /** It has what the target of its epoch gives it. */
  STABLE: 0,
  /** It has to give up partitions before it may move to the next epoch. */
  UNREVOKED_PARTITIONS: 1,
  /** It is in the epoch of the target and waits for partitions that others still have. */
  UNRELEASED_PARTITIONS: 2,
} as const;

type MetadataValue = DataOf<(typeof consumerGroupMemberMetadataRecord)["value"]>;
type AssignmentValue = DataOf<(typeof consumerGroupCurrentMemberAssignmentRecord)["value"]>;

/** What a member that speaks the classic protocol said when it joined. */
export type ClassicMemberMetadata = NonNullable<MetadataValue["classicMemberMetadata"]>;

/** See the header. A state that is not in `MemberStates` is of a later version. */
export interface ConsumerMember extends ModernMember {
  readonly instanceId: string | null;
  readonly rebalanceTimeoutMs: number;
  /** Empty or null if it has none. */
  readonly subscribedTopicRegex: string | null;
  readonly serverAssignor: string | null;
  readonly state: number;
  readonly assigned: EpochedAssignment;
  readonly pendingRevocation: EpochedAssignment;
  readonly classic: ClassicMemberMetadata | null;
}

/** A member that has not said anything yet. */
export function newConsumerMember(memberId: string): ConsumerMember {
  return {
    memberId,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    rackId: null,
    clientId: "",
    clientHost: "",
    subscribedTopicNames: new Set(),
    instanceId: null,
    rebalanceTimeoutMs: -1,
    subscribedTopicRegex: "",
    serverAssignor: null,
    state: MemberStates.STABLE,
    assigned: NO_PARTITIONS,
    pendingRevocation: NO_PARTITIONS,
    classic: null,
  };
}

/** Whether the member has all that the target of this epoch gives it. */
export function isReconciledTo(member: ConsumerMember, targetEpoch: number): boolean {
  return member.state === MemberStates.STABLE && member.memberEpoch === targetEpoch;
}

/** Whether both are in the same epoch and state with the same partitions. */
export function samePlace(a: ConsumerMember, b: ConsumerMember): boolean {
  return a === b || (
    a.memberEpoch === b.memberEpoch && a.previousMemberEpoch === b.previousMemberEpoch &&
    a.state === b.state && sameEpochedAssignment(a.assigned, b.assigned) &&
    sameEpochedAssignment(a.pendingRevocation, b.pendingRevocation)
  );
}

/** Whether both subscribe to the same topics by name. */
export function sameTopicNames(a: ModernMember, b: ModernMember): boolean {
  return a.subscribedTopicNames.size === b.subscribedTopicNames.size &&
    a.subscribedTopicNames.isSubsetOf(b.subscribedTopicNames);
}

/** Whether both have said the same of themselves. */
export function sameMetadata(a: ConsumerMember, b: ConsumerMember): boolean {
  return a.instanceId === b.instanceId && a.rackId === b.rackId && a.clientId === b.clientId &&
    a.clientHost === b.clientHost && a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.subscribedTopicRegex === b.subscribedTopicRegex && a.serverAssignor === b.serverAssignor &&
    sameTopicNames(a, b) && sameClassic(a.classic, b.classic);
}

function sameClassic(a: ClassicMemberMetadata | null, b: ClassicMemberMetadata | null): boolean {
  if (a === null || b === null) return a === b;
  return a.sessionTimeoutMs === b.sessionTimeoutMs &&
    a.supportedProtocols.length === b.supportedProtocols.length &&
    a.supportedProtocols.every(({ name, metadata }, index) => {
      const other = b.supportedProtocols[index]!;
      return name === other.name && Buffer.compare(metadata, other.metadata) === 0;
    });
}

/** The member as this record says that it is. */
export function withMetadata(member: ConsumerMember, value: MetadataValue): ConsumerMember {
  return {
    ...member,
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    subscribedTopicNames: new Set(value.subscribedTopicNames),
    subscribedTopicRegex: value.subscribedTopicRegex,
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    serverAssignor: value.serverAssignor,
    classic: value.classicMemberMetadata,
  };
}

/** The member with the epoch and partitions of this record; none for a tombstone. */
export function withPlace(member: ConsumerMember, value: AssignmentValue | null): ConsumerMember {
  if (value === null) {
    return {
      ...member,
      memberEpoch: -1,
      previousMemberEpoch: -1,
      assigned: NO_PARTITIONS,
      pendingRevocation: NO_PARTITIONS,
    };
  }
  // A static member that has left for a while has no epoch for its partitions to be of.
  const epoch = Math.max(value.memberEpoch, 0);
  return {
    ...member,
    memberEpoch: value.memberEpoch,
    previousMemberEpoch: value.previousMemberEpoch,
    state: value.state,
    assigned: epochedAssignmentOf(value.assignedPartitions, epoch),
    pendingRevocation: epochedAssignmentOf(value.partitionsPendingRevocation, epoch),
  };
}

/** The record of what the member said. */
export function memberMetadataRecord(groupId: string, member: ConsumerMember): ConsumerGroupRecord {
  return {
    type: "ConsumerGroupMemberMetadata",
    key: { groupId, memberId: member.memberId },
    value: {
      instanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopicNames].toSorted(),
      subscribedTopicRegex: member.subscribedTopicRegex,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      serverAssignor: member.serverAssignor,
      classicMemberMetadata: member.classic,
    },
  };
}

/** The record of the member's epoch and partitions. */
export function currentAssignmentRecord(
  groupId: string,
  member: ConsumerMember,
): ConsumerGroupRecord {
  return {
    type: "ConsumerGroupCurrentMemberAssignment",
    key: { groupId, memberId: member.memberId },
    value: {
      memberEpoch: member.memberEpoch,
      previousMemberEpoch: member.previousMemberEpoch,
      state: member.state,
      assignedPartitions: epochedTopicPartitionsOf(member.assigned),
      partitionsPendingRevocation: epochedTopicPartitionsOf(member.pendingRevocation),
    },
  };
}
