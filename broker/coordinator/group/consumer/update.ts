/**
 * What every change of a member leads to, whichever protocol it speaks: its record, a new group
 * epoch if the subscription or its topics have changed, a new target for a new epoch, and a step of
 * the member towards its target. Follows Kafka's `GroupMetadataManager.consumerGroupHeartbeat`.
 */
import { Errors } from "../../../../core/errors.ts";
import { accept, type Outcome, refuse } from "../../../outcome.ts";
import type { GroupRecord } from "../group-records.ts";
import type { Assignment } from "../modern/topic-partitions.ts";
import { NO_PARTITIONS, sameAssignment } from "../modern/topic-partitions.ts";
import {
  type ConsumerGroup,
  groupEpochRecord,
  memberTombstones,
  targetAssignmentRecord,
  targetEpochRecord,
} from "./consumer-group.ts";
import {
  type ConsumerMember,
  currentAssignmentRecord,
  isReconciledTo,
  memberMetadataRecord,
  sameMetadata,
  samePlace,
  sameTopicNames,
} from "./consumer-member.ts";
import { assignorOf, type ConsumerParts, sharedTopicIds, topicIdsOf } from "./parts.ts";
import { reconcile } from "./reconcile.ts";
import type { CanDescribe, RegexChange } from "./regexes.ts";

/** A member before and after what it has just said, and the records of it so far. */
export interface MemberUpdate {
  readonly group: ConsumerGroup;
  readonly member: ConsumerMember;
  readonly updated: ConsumerMember;
  readonly records: GroupRecord[];
}

/** How the subscription has changed. */
export interface SubscriptionChange {
  readonly names: boolean;
  readonly regex: RegexChange;
}

/** The target of a group epoch, for one member. */
export interface Target {
  readonly epoch: number;
  readonly assignment: Assignment;
}

/** Records what the member says of itself. */
export function recordSubscription(
  parts: ConsumerParts,
  { group, member, updated, records }: MemberUpdate,
  canDescribe: CanDescribe,
): Outcome<SubscriptionChange> {
  const names = !sameTopicNames(member, updated);
  if (!sameMetadata(member, updated)) records.push(memberMetadataRecord(group.groupId, updated));
  const regex = parts.regexes.update(group, member, updated, canDescribe, records);
  return regex.ok ? accept({ names, regex: regex.value }) : regex;
}

/** Starts a group epoch if one is due; the epoch that the group is in then. */
export function recordGroupEpoch(
  parts: ConsumerParts,
  { group, updated, records }: MemberUpdate,
  bump: boolean,
): number {
  if (!bump && !group.needsMetadataRefresh) return group.groupEpoch;
  const names = group.subscribedTopicsOf(group.membersWith(updated));
  const hash = group.hashOf(names, parts.context.topics);
  const { groupId } = group;
  let epoch = group.groupEpoch;
  if (bump || hash !== group.metadataHash) {
    epoch++;
    records.push(groupEpochRecord(groupId, epoch, hash));
  }
  group.metadataRefreshed(epoch);
  if (group.hasPartitionMetadata) {
    records.push({ type: "ConsumerGroupPartitionMetadata", key: { groupId }, value: null });
  }
  return epoch;
}

/** The member whose instance id this one takes over, if its id is another. */
export function replacedBy(
  group: ConsumerGroup,
  updated: ConsumerMember,
): ConsumerMember | undefined {
  const holder = updated.instanceId === null ? undefined : group.staticMember(updated.instanceId);
  return holder?.memberId === updated.memberId ? undefined : holder;
}

/** The present target of the member, or of the static member that it replaces. */
export function presentTarget(group: ConsumerGroup, updated: ConsumerMember): Target {
  const memberId = replacedBy(group, updated)?.memberId ?? updated.memberId;
  return { epoch: group.assignmentEpoch, assignment: group.target(memberId) };
}

/** Computes a new target if the present one is of an older epoch and the interval is over. */
export function recordTarget(
  parts: ConsumerParts,
  { group, updated, records }: MemberUpdate,
  groupEpoch: number,
): Target {
  const present = presentTarget(group, updated);
  if (group.assignmentEpoch >= groupEpoch) return present;
  const { clock, config, topics } = parts.context;
  const intervalMs = config.consumer.assignmentIntervalMs(group.groupId);
  const nowMs = clock.wallMs();
  const waits = group.assignmentTimestampMs !== 0 && intervalMs > 0 &&
    nowMs < group.assignmentTimestampMs + intervalMs;
  if (waits) return present;
  const members = group.membersWith(updated);
  const assignor = assignorOf(
    group.preferredAssignor(members) ?? config.consumer.assignors[0] ?? "uniform",
  );
  const idsOf = sharedTopicIds(topics);
  const targets = assignor.assign({
    members: members.map((each) => ({
      memberId: each.memberId,
      instanceId: each.instanceId,
      topicIds: idsOf(group.topicNamesOf(each)),
      target: each === updated ? present.assignment : group.target(each.memberId),
    })).toSorted((a, b) => a.memberId < b.memberId ? -1 : 1),
    partitionCount: (topicId) => topics.byId(topicId)?.partitions.length ?? 0,
  });
  for (const { memberId } of members) {
    const before = group.targetAssignment.get(memberId);
    const after = targets.get(memberId) ?? NO_PARTITIONS;
    if (before === undefined || !sameAssignment(before, after)) {
      records.push(targetAssignmentRecord(group.groupId, memberId, after));
    }
  }
  records.push(targetEpochRecord(group.groupId, groupEpoch, nowMs));
  return { epoch: groupEpoch, assignment: targets.get(updated.memberId) ?? NO_PARTITIONS };
}

/** Moves the member towards its target; the member afterwards. */
export function recordReconciliation(
  parts: ConsumerParts,
  { group, updated, records }: MemberUpdate,
  target: Target,
  subscriptionChanged: boolean,
  owned: Assignment | null,
): Outcome<ConsumerMember> {
  if (!subscriptionChanged && isReconciledTo(updated, target.epoch)) return accept(updated);
  const moved = reconcile({
    member: updated,
    targetEpoch: target.epoch,
    target: target.assignment,
    subscribedTopicIds: topicIdsOf(group.topicNamesOf(updated), parts.context.topics),
    subscriptionChanged,
    owned,
    isFree: (topicId, partition) => group.isFree(topicId, partition),
  });
  if (moved === null) {
    const why = "The consumer group member is in a unknown state. " +
      "The member must abandon all its partitions and rejoin.";
    return refuse(Errors.FENCED_MEMBER_EPOCH, why);
  }
  if (!samePlace(moved, updated)) {
    records.push(currentAssignmentRecord(group.groupId, moved));
    parts.sessions.watchRevocation(group.groupId, moved);
  }
  return accept(moved);
}

/** Gives a static member's place to a new member id; its regular expression is dealt with later. */
export function replaceStatic(
  group: ConsumerGroup,
  old: ConsumerMember,
  memberId: string,
  records: GroupRecord[],
): ConsumerMember {
  const { groupId } = group;
  const member = { ...old, memberId, memberEpoch: 0, previousMemberEpoch: 0 };
  records.push(
    ...memberTombstones(groupId, old.memberId),
    memberMetadataRecord(groupId, member),
    targetAssignmentRecord(groupId, memberId, group.target(old.memberId)),
    currentAssignmentRecord(groupId, member),
  );
  return member;
}
