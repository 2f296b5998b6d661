/**
 * Describes groups of every type. Each type has a request of its own, and a broker answers
 * GROUP_ID_NOT_FOUND for groups of the others, so they are tried one after the other.
 */
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { describeGroups } from "../../core/protocol/15-describe-groups.ts";
import { consumerGroupDescribe } from "../../core/protocol/69-consumer-group-describe.ts";
import { shareGroupDescribe } from "../../core/protocol/77-share-group-describe.ts";
import { streamsGroupDescribe } from "../../core/protocol/89-streams-group-describe.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import { KafkaError, throwOnError } from "../errors.ts";
import { decodeAssignment } from "../group-protocol.ts";
import type { TopicPartitions } from "../group-protocol.ts";

/** Which protocol the members of a group speak. */
export type GroupType = "classic" | "consumer" | "share" | "streams";

/** Tasks of a subtopology; a task reads the partitions of its number. */
export interface SubtopologyTasks {
  readonly subtopology: string;
  readonly partitions: readonly number[];
}

/** What a member of a streams group runs (KIP-1071). */
export interface StreamsTasks {
  readonly active: readonly SubtopologyTasks[];
  readonly standby: readonly SubtopologyTasks[];
  readonly warmup: readonly SubtopologyTasks[];
}

/** A member of a described group. */
export interface GroupMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** Null in a classic group, where only the group has a generation. */
  readonly memberEpoch: number | null;
  /** Names that it has subscribed to; empty where the group's type does not tell. */
  readonly subscribedTopics: readonly string[];
  readonly subscribedRegex: string | null;
  /** What it reads now; in a streams group, the inputs of its active tasks. */
  readonly assignment: readonly TopicPartitions[];
  /** Null in groups that are not for streams. */
  readonly tasks: StreamsTasks | null;
}

/** A group and its members. */
export interface GroupDescription {
  readonly groupId: string;
  readonly state: string;
  readonly type: GroupType;
  readonly protocolType: string;
  /** The assignor in use; "" where that is not told. */
  readonly protocol: string;
  readonly coordinator: number;
  /** Counts changes of members and subscriptions; null in a classic group. */
  readonly groupEpoch: number | null;
  /** The group epoch that the target assignment was made for; null in a classic group. */
  readonly assignmentEpoch: number | null;
  readonly members: readonly GroupMember[];
}

type Described = Omit<GroupDescription, "coordinator">;

/** Asks the group's coordinator. Throws GROUP_ID_NOT_FOUND where there is no such group. */
export async function describeGroup(
  connection: Connection,
  groupId: string,
  timeoutMs: number,
): Promise<Described> {
  for (const describe of [classicGroup, consumerGroup, shareGroup, streamsGroup]) {
    const found = await describe(connection, groupId, timeoutMs);
    if (found !== null) return found;
  }
  throw new KafkaError(Errors.GROUP_ID_NOT_FOUND, `group "${groupId}"`);
}

/** The group if the answer holds it, null if it is of another type or not there. */
function foundIn<G extends { readonly errorCode: number; readonly errorMessage: string | null }>(
  groups: readonly G[],
  groupId: string,
): G | null {
  const group = groups[0];
  if (group?.errorCode === Errors.GROUP_ID_NOT_FOUND) return null;
  throwOnError(group?.errorCode ?? -1, `group "${groupId}"`, group?.errorMessage ?? null);
  return group ?? null;
}

async function classicGroup(
  connection: Connection,
  groupId: string,
  timeoutMs: number,
): Promise<Described | null> {
  const response = await connection.request(describeGroups, { groups: [groupId] }, { timeoutMs });
  const group = foundIn(response.groups, groupId);
  // Brokers before version 6 (KIP-1043) call a group that is not there dead.
  if (group === null || group.groupState === "Dead") return null;
  return {
    groupId,
    state: group.groupState,
    type: "classic",
    protocolType: group.protocolType,
    protocol: group.protocolData,
    groupEpoch: null,
    assignmentEpoch: null,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      rackId: null,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberEpoch: null,
      subscribedTopics: [],
      subscribedRegex: null,
      assignment: group.protocolType === "consumer"
        ? decodeAssignment(member.memberAssignment)
        : [],
      tasks: null,
    })),
  };
}

/** KIP-848. */
async function consumerGroup(
  connection: Connection,
  groupId: string,
  timeoutMs: number,
): Promise<Described | null> {
  if (connection.versionOf(consumerGroupDescribe) === null) return null;
  const request = { groupIds: [groupId] };
  const response = await connection.request(consumerGroupDescribe, request, { timeoutMs });
  const group = foundIn(response.groups, groupId);
  return group === null ? null : {
    groupId,
    state: group.groupState,
    type: "consumer",
    protocolType: "consumer",
    protocol: group.assignorName,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberEpoch: member.memberEpoch,
      subscribedTopics: member.subscribedTopicNames,
      subscribedRegex: member.subscribedTopicRegex === "" ? null : member.subscribedTopicRegex,
      assignment: topicPartitionsOf(member.assignment),
      tasks: null,
    })),
  };
}

/** KIP-932. */
async function shareGroup(
  connection: Connection,
  groupId: string,
  timeoutMs: number,
): Promise<Described | null> {
  if (connection.versionOf(shareGroupDescribe) === null) return null;
  const request = { groupIds: [groupId] };
  const response = await connection.request(shareGroupDescribe, request, { timeoutMs });
  const group = foundIn(response.groups, groupId);
  return group === null ? null : {
    groupId,
    state: group.groupState,
    type: "share",
    protocolType: "share",
    protocol: group.assignorName,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: null,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberEpoch: member.memberEpoch,
      subscribedTopics: member.subscribedTopicNames,
      subscribedRegex: null,
      assignment: topicPartitionsOf(member.assignment),
      tasks: null,
    })),
  };
}

type StreamsGroup = ResponseOf<typeof streamsGroupDescribe>["groups"][number];
type StreamsMember = StreamsGroup["members"][number];

/** KIP-1071. */
async function streamsGroup(
  connection: Connection,
  groupId: string,
  timeoutMs: number,
): Promise<Described | null> {
  if (connection.versionOf(streamsGroupDescribe) === null) return null;
  const request = { groupIds: [groupId] };
  const response = await connection.request(streamsGroupDescribe, request, { timeoutMs });
  const group = foundIn(response.groups, groupId);
  return group === null ? null : {
    groupId,
    state: group.groupState,
    type: "streams",
    protocolType: "streams",
    protocol: group.assignorName ?? "",
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberEpoch: member.memberEpoch,
      subscribedTopics: [],
      subscribedRegex: null,
      assignment: inputsOf(member, group),
      tasks: {
        active: tasksOf(member.assignment.activeTasks),
        standby: tasksOf(member.assignment.standbyTasks),
        warmup: tasksOf(member.assignment.warmupTasks),
      },
    })),
  };
}

function tasksOf(tasks: StreamsMember["assignment"]["activeTasks"]): SubtopologyTasks[] {
  return tasks.map(({ subtopologyId, partitions }) => ({ subtopology: subtopologyId, partitions }));
}

/**
 * A task reads its partition of every input of its subtopology. An input with fewer partitions than
 * there are tasks is listed with ones that it does not have.
 */
function inputsOf(member: StreamsMember, group: StreamsGroup): TopicPartitions[] {
  return member.assignment.activeTasks.flatMap(({ subtopologyId, partitions }) => {
    const subtopology = group.topology?.subtopologies?.find((each) =>
      each.subtopologyId === subtopologyId
    );
    if (subtopology === undefined) return [];
    const repartitioned = subtopology.repartitionSourceTopics.map(({ name }) => name);
    return [...subtopology.sourceTopics, ...repartitioned].map((topic) => ({ topic, partitions }));
  });
}

function topicPartitionsOf(assignment: {
  readonly topicPartitions: readonly {
    readonly topicName: string;
    readonly partitions: readonly number[];
  }[];
}): TopicPartitions[] {
  return assignment.topicPartitions.map(({ topicName, partitions }) => ({
    topic: topicName,
    partitions,
  }));
}
