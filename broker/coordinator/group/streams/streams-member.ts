/** A member of a streams group (KIP-1071), and its records. Kafka's `StreamsGroupMember`. */
import type {
  streamsGroupCurrentMemberAssignmentRecord,
  streamsGroupMemberMetadataRecord,
} from "../../../../core/protocol/records/streams-group-records.ts";
import type { DataOf } from "../../../../core/protocol/schema.ts";
import type { StreamsGroupRecord } from "./streams-records.ts";
import {
  epochedTaskIds,
  epochedTaskSet,
  type MemberTasks,
  NO_TASKS,
  sameMemberTasks,
  taskIds,
  taskSet,
} from "./tasks.ts";

/** Where a member is on its way to the target; the numbers are those of records. */
export const MemberStates = {
  /** It has what the target of its epoch gives it. */
  STABLE: 1,
  /** It has to give up tasks before it may move to the next epoch. */
  UNREVOKED_TASKS: 2,
  /** It is in the epoch of the target and waits for tasks that others still have. */
  UNRELEASED_TASKS: 3,
} as const;

type MetadataValue = DataOf<(typeof streamsGroupMemberMetadataRecord)["value"]>;
type AssignmentValue = DataOf<(typeof streamsGroupCurrentMemberAssignmentRecord)["value"]>;

/** Where a process answers questions about its state (interactive queries). */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** See the header. A state that is not in `MemberStates` is of a later version. */
export interface StreamsMember {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly previousMemberEpoch: number;
  readonly state: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  /** The epoch of the topology that it runs. */
  readonly topologyEpoch: number;
  /** Members of one process share its state on disk. */
  readonly processId: string;
  readonly userEndpoint: Endpoint | null;
  readonly clientTags: readonly { readonly key: string; readonly value: string }[];
  readonly tasks: MemberTasks;
  readonly pendingRevocation: MemberTasks;
}

/** A member that has not said anything yet. */
export function newStreamsMember(memberId: string): StreamsMember {
  return {
    memberId,
    memberEpoch: 0,
    previousMemberEpoch: 0,
    state: MemberStates.STABLE,
    instanceId: null,
    rackId: null,
    clientId: "",
    clientHost: "",
    rebalanceTimeoutMs: -1,
    topologyEpoch: -1,
    processId: "",
    userEndpoint: null,
    clientTags: [],
    tasks: NO_TASKS,
    pendingRevocation: NO_TASKS,
  };
}

/** Whether the member has all that the target of this epoch gives it. */
export function isReconciledTo(member: StreamsMember, targetEpoch: number): boolean {
  return member.state === MemberStates.STABLE && member.memberEpoch === targetEpoch;
}

/** Whether both are in the same epoch and state with the same tasks. */
export function samePlace(a: StreamsMember, b: StreamsMember): boolean {
  return a === b || (
    a.memberEpoch === b.memberEpoch && a.previousMemberEpoch === b.previousMemberEpoch &&
    a.state === b.state && sameMemberTasks(a.tasks, b.tasks) &&
    sameMemberTasks(a.pendingRevocation, b.pendingRevocation)
  );
}

/** Whether both have said the same of themselves. */
export function sameMetadata(a: StreamsMember, b: StreamsMember): boolean {
  return a.instanceId === b.instanceId && a.rackId === b.rackId && a.clientId === b.clientId &&
    a.clientHost === b.clientHost && a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.topologyEpoch === b.topologyEpoch && a.processId === b.processId &&
    a.userEndpoint?.host === b.userEndpoint?.host &&
    a.userEndpoint?.port === b.userEndpoint?.port && sameTags(a.clientTags, b.clientTags);
}

function sameTags(a: StreamsMember["clientTags"], b: StreamsMember["clientTags"]): boolean {
  return a.length === b.length &&
    a.every(({ key, value }, index) => key === b[index]!.key && value === b[index]!.value);
}

/** Tags in the order of their keys; of two with one key the last counts. */
export function clientTagsOf(tags: StreamsMember["clientTags"]): StreamsMember["clientTags"] {
  const byKey = new Map(tags.map(({ key, value }) => [key, value]));
  return [...byKey].map(([key, value]) => ({ key, value }))
    .toSorted((a, b) => a.key < b.key ? -1 : 1);
}

/** The member as this record says that it is. */
export function withMetadata(member: StreamsMember, value: MetadataValue): StreamsMember {
  const { userEndpoint } = value;
  return {
    ...member,
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    topologyEpoch: value.topologyEpoch,
    processId: value.processId,
    userEndpoint: userEndpoint === null
      ? null
      : { host: userEndpoint.host, port: userEndpoint.port },
    clientTags: clientTagsOf(value.clientTags),
  };
}

/** The member with the epoch and tasks of this record; none for a tombstone. */
export function withPlace(member: StreamsMember, value: AssignmentValue | null): StreamsMember {
  if (value === null) {
    return {
      ...member,
      memberEpoch: -1,
      previousMemberEpoch: -1,
      tasks: NO_TASKS,
      pendingRevocation: NO_TASKS,
    };
  }
  const { memberEpoch } = value;
  return {
    ...member,
    memberEpoch,
    previousMemberEpoch: value.previousMemberEpoch,
    state: value.state,
    tasks: {
      active: epochedTaskSet(value.activeTasks, memberEpoch),
      standby: taskSet(value.standbyTasks),
      warmup: taskSet(value.warmupTasks),
    },
    pendingRevocation: {
      active: epochedTaskSet(value.activeTasksPendingRevocation, memberEpoch),
      standby: taskSet(value.standbyTasksPendingRevocation),
      warmup: taskSet(value.warmupTasksPendingRevocation),
    },
  };
}

/** The record of what the member said. */
export function memberMetadataRecord(groupId: string, member: StreamsMember): StreamsGroupRecord {
  return {
    type: "StreamsGroupMemberMetadata",
    key: { groupId, memberId: member.memberId },
    value: {
      instanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      topologyEpoch: member.topologyEpoch,
      processId: member.processId,
      userEndpoint: member.userEndpoint,
      clientTags: [...member.clientTags],
    },
  };
}

/** The record of the member's epoch and tasks. */
export function currentAssignmentRecord(
  groupId: string,
  member: StreamsMember,
): StreamsGroupRecord {
  const { tasks, pendingRevocation } = member;
  const plain = (set: MemberTasks["standby"]) =>
    taskIds(set).map((each) => ({ ...each, assignmentEpochs: null }));
  return {
    type: "StreamsGroupCurrentMemberAssignment",
    key: { groupId, memberId: member.memberId },
    value: {
      memberEpoch: member.memberEpoch,
      previousMemberEpoch: member.previousMemberEpoch,
      state: member.state,
      activeTasks: epochedTaskIds(tasks.active),
      standbyTasks: plain(tasks.standby),
      warmupTasks: plain(tasks.warmup),
      activeTasksPendingRevocation: epochedTaskIds(pendingRevocation.active),
      standbyTasksPendingRevocation: plain(pendingRevocation.standby),
      warmupTasksPendingRevocation: plain(pendingRevocation.warmup),
    },
  };
}
