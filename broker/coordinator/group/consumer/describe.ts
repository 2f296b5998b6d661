/** A consumer group as ConsumerGroupDescribe shows it. */
import type { Topics } from "../group.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerMember } from "./consumer-member.ts";

/** See the header. */
export interface ConsumerGroupDescription {
  readonly groupId: string;
  readonly groupState: string;
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly assignorName: string;
  readonly members: readonly ConsumerMemberDescription[];
}

/** A member as ConsumerGroupDescribe tells of it. */
export interface ConsumerMemberDescription {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly memberEpoch: number;
  readonly clientId: string;
  readonly clientHost: string;
  readonly subscribedTopicNames: readonly string[];
  readonly subscribedTopicRegex: string | null;
  readonly assignment: { readonly topicPartitions: readonly DescribedTopic[] };
  readonly targetAssignment: { readonly topicPartitions: readonly DescribedTopic[] };
  /** 0 for the classic protocol, 1 for the new one. */
  readonly memberType: number;
}

/** Partitions of a topic, for somebody who may know it by name or by id. */
export interface DescribedTopic {
  readonly topicId: string;
  readonly topicName: string;
  readonly partitions: readonly number[];
}

/** Topics that do not exist any more are left out. */
export function describeConsumerGroup(
  group: ConsumerGroup,
  topics: Topics,
  defaultAssignor: string,
): ConsumerGroupDescription {
  return {
    groupId: group.groupId,
    groupState: group.state,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.preferredAssignor() ?? defaultAssignor,
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      rackId: member.rackId,
      memberEpoch: member.memberEpoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopicNames],
      subscribedTopicRegex: member.subscribedTopicRegex,
      assignment: { topicPartitions: described(responsibilities(member), topics) },
      targetAssignment: { topicPartitions: described(group.target(member.memberId), topics) },
      memberType: member.classic === null ? 1 : 0,
    })),
  };
}

/** What the member has, and what it has still to give up. */
function responsibilities(member: ConsumerMember): ReadonlyMap<string, ReadonlySet<number>> {
  const all = new Map<string, Set<number>>();
  for (const assignment of [member.assigned, member.pendingRevocation]) {
    for (const [topicId, partitions] of assignment) {
      const known = all.get(topicId) ?? new Set();
      for (const partition of partitions.keys()) known.add(partition);
      all.set(topicId, known);
    }
  }
  return all;
}

function described(
  assignment: ReadonlyMap<string, ReadonlySet<number>>,
  topics: Topics,
): DescribedTopic[] {
  return [...assignment].flatMap(([topicId, partitions]) => {
    const topic = topics.byId(topicId);
    if (topic === undefined) return [];
    const sorted = [...partitions].toSorted((a, b) => a - b);
    return [{ topicId, topicName: topic.name, partitions: sorted }];
  });
}
