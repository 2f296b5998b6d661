/** A streams group as StreamsGroupDescribe shows it. */
import type { StreamsGroup, StreamsGroupState } from "./streams-group.ts";
import type { Endpoint, StreamsMember } from "./streams-member.ts";
import { type Role, type TaskIds, taskIds, type TaskSet } from "./tasks.ts";
import type { Subtopology, TopicInfo } from "./topology.ts";

/** See the header. */
export interface StreamsGroupDescription {
  readonly groupId: string;
  readonly groupState: StreamsGroupState;
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly assignorName: string;
  readonly topology: {
    readonly epoch: number;
    readonly subtopologies: readonly DescribedSubtopology[];
  } | null;
  readonly members: readonly StreamsMemberDescription[];
}

/** A subtopology as StreamsGroupDescribe tells of it. */
export interface DescribedSubtopology {
  readonly subtopologyId: string;
  readonly sourceTopics: readonly string[];
  readonly repartitionSinkTopics: readonly string[];
  readonly stateChangelogTopics: readonly TopicInfo[];
  readonly repartitionSourceTopics: readonly TopicInfo[];
}

/** A member as StreamsGroupDescribe tells of it. */
export interface StreamsMemberDescription {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly topologyEpoch: number;
  readonly processId: string;
  readonly userEndpoint: Endpoint | null;
  readonly clientTags: StreamsMember["clientTags"];
  readonly assignment: DescribedTasks;
  readonly targetAssignment: DescribedTasks;
}

/** Tasks by what they are to a member. */
export interface DescribedTasks {
  readonly activeTasks: readonly TaskIds[];
  readonly standbyTasks: readonly TaskIds[];
  readonly warmupTasks: readonly TaskIds[];
}

/** Partitions of internal topics are 0 until a member has found that all of them fit. */
export function describeStreamsGroup(group: StreamsGroup): StreamsGroupDescription {
  const { topology, configured } = group;
  const isReady = configured?.problem === null &&
    group.current.validatedTopologyEpoch === topology?.epoch;
  const subtopologies = (isReady ? configured.subtopologies : null)
    ?.map((each) => each.subtopology) ?? topology?.subtopologies ?? [];
  return {
    groupId: group.groupId,
    groupState: group.state,
    groupEpoch: group.current.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: "sticky",
    topology: topology === null
      ? null
      : { epoch: topology.epoch, subtopologies: subtopologies.map(describedSubtopology) },
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      memberEpoch: member.memberEpoch,
      instanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      topologyEpoch: member.topologyEpoch,
      processId: member.processId,
      userEndpoint: member.userEndpoint,
      clientTags: member.clientTags,
      assignment: describedTasks(member.tasks),
      targetAssignment: describedTasks(group.target(member.memberId)),
    })),
  };
}

function describedSubtopology(subtopology: Subtopology): DescribedSubtopology {
  const byName = (a: TopicInfo, b: TopicInfo) => a.name < b.name ? -1 : 1;
  return {
    subtopologyId: subtopology.subtopologyId,
    sourceTopics: subtopology.sourceTopics.toSorted(),
    repartitionSinkTopics: subtopology.repartitionSinkTopics.toSorted(),
    stateChangelogTopics: subtopology.stateChangelogTopics.toSorted(byName),
    repartitionSourceTopics: subtopology.repartitionSourceTopics.toSorted(byName),
  };
}

function describedTasks(tasks: Readonly<Record<Role, TaskSet>>): DescribedTasks {
  return {
    activeTasks: taskIds(tasks.active),
    standbyTasks: taskIds(tasks.standby),
    warmupTasks: taskIds(tasks.warmup),
  };
}
