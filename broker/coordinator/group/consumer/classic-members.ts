/**
 * Members of the classic protocol in a consumer group (KIP-848, online migration): their JoinGroup,
 * SyncGroup, Heartbeat and LeaveGroup are steps of the same reconciliation; a rejoin is what a
 * heartbeat with new owned partitions is for others. Follows Kafka's `GroupMetadataManager`.
 */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import type { CoordinatorResult } from "../../shard.ts";
import {
  joinError,
  type JoinResponse,
  type Reply,
  syncError,
  type SyncResponse,
} from "../classic/classic-group.ts";
import type { JoinRequest } from "../classic/join.ts";
import type {
  LeavingMember,
  LeftMember,
  MemberRequest,
  SyncRequest,
} from "../classic/membership.ts";
import type { GroupRecord } from "../group-records.ts";
import { kafkaUuid } from "../uuid.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import { type ConsumerMember, MemberStates, newConsumerMember } from "./consumer-member.ts";
import { byTopicId, type Subscription, subscriptionOf } from "./embedded-protocol.ts";
import { staticProblem } from "./heartbeat.ts";
import { fenceMembers } from "./leave.ts";
import { canDowngradeWithout, classicAssignment, downgrade } from "./migration.ts";
import { type ConsumerParts, NO_STEP, type Step } from "./parts.ts";
import {
  type MemberUpdate,
  presentTarget,
  recordGroupEpoch,
  recordReconciliation,
  recordSubscription,
  recordTarget,
  replacedBy,
  replaceStatic,
} from "./update.ts";

/** JoinGroup: answered when its records are committed; there is nobody to wait for. */
export function classicJoin(
  parts: ConsumerParts,
  group: ConsumerGroup,
  request: JoinRequest,
  reply: Reply<JoinResponse>,
): Step {
  const refuse = (error: ErrorCode, memberId = "") => {
    reply(joinError(error, memberId));
    return NO_STEP;
  };
  const { canUpgrade, canDowngrade, maxSize } = parts.context.config.consumer;
  const { groupInstanceId: instanceId } = request;
  const isUnknown = request.memberId === "";
  const memberId = isUnknown ? kafkaUuid(parts.context.random) : request.memberId;
  if (!canUpgrade && !canDowngrade) return refuse(Errors.INCONSISTENT_GROUP_PROTOCOL);
  if (group.members.size >= maxSize && !group.members.has(memberId)) {
    return refuse(Errors.GROUP_MAX_SIZE_REACHED);
  }
  const subscription = joinSubscription(group, request);
  if (typeof subscription === "number") return refuse(subscription);
  if (isUnknown && instanceId === null && request.requiresKnownMemberId) {
    return refuse(Errors.MEMBER_ID_REQUIRED, memberId);
  }
  const records: GroupRecord[] = [];
  const member = joiningMember(group, memberId, instanceId, isUnknown, records);
  if (typeof member === "number") return refuse(member);
  const updated = updatedMember(member, request, subscription);
  const joined = advance(parts, { group, member, updated, records }, subscription);
  if (typeof joined === "number") return refuse(joined);
  return {
    records: joined.records,
    response: undefined,
    onCommitted: () => {
      parts.sessions.joined(group.groupId, memberId);
      if (parts.find(group.groupId) === group) {
        parts.sessions.touch(group.groupId, joined.member);
        parts.sessions.expectSync(group.groupId, joined.member);
      }
      reply({
        ...joinError(Errors.NONE, memberId),
        generationId: joined.member.memberEpoch,
        protocolType: "consumer",
        protocolName: request.protocols[0]?.name ?? "",
      });
    },
  };
}

/** The subscription of the protocol that the member prefers, or why it cannot join with its own. */
function joinSubscription(group: ConsumerGroup, request: JoinRequest): Subscription | ErrorCode {
  const classic = [...group.members.values()].filter((member) => member.classic !== null);
  const fits = request.protocols.some(({ name }) =>
    classic.every((member) => member.classic?.supportedProtocols.some((each) => each.name === name))
  );
  if (request.protocolType !== "consumer" || !fits) return Errors.INCONSISTENT_GROUP_PROTOCOL;
  const [preferred] = request.protocols;
  const subscription = preferred === undefined ? null : subscriptionOf(preferred.metadata);
  return subscription ?? Errors.UNKNOWN_SERVER_ERROR;
}

function joiningMember(
  group: ConsumerGroup,
  memberId: string,
  instanceId: string | null,
  isUnknown: boolean,
  records: GroupRecord[],
): ConsumerMember | ErrorCode {
  if (instanceId === null) return group.members.get(memberId) ?? newConsumerMember(memberId);
  const holder = group.staticMember(instanceId);
  if (!isUnknown) return staticProblem(holder, memberId, instanceId)?.error ?? holder!;
  return holder === undefined
    ? newConsumerMember(memberId)
    : replaceStatic(group, holder, memberId, records);
}

function updatedMember(
  member: ConsumerMember,
  request: JoinRequest,
  subscription: Subscription,
): ConsumerMember {
  return {
    ...member,
    instanceId: request.groupInstanceId ?? member.instanceId,
    rackId: subscription.rackId || member.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    subscribedTopicNames: new Set(subscription.topics),
    // A classic member resolves its expressions itself.
    subscribedTopicRegex: "",
    clientId: request.clientId,
    clientHost: request.clientHost,
    classic: {
      sessionTimeoutMs: request.sessionTimeoutMs,
      supportedProtocols: request.protocols,
    },
  };
}

/** Takes up what the member says and moves it on, or makes the group classic. */
function advance(
  parts: ConsumerParts,
  update: MemberUpdate,
  subscription: Subscription,
): { readonly member: ConsumerMember; readonly records: readonly GroupRecord[] } | ErrorCode {
  const { group, updated, records } = update;
  const owned = byTopicId(subscription.ownedPartitions, parts.context.topics);
  const change = recordSubscription(parts, update, () => false);
  if (!change.ok) return change.error;
  const bump = change.value.names || change.value.regex !== "none";
  const epoch = recordGroupEpoch(parts, update, bump);
  const replaced = replacedBy(group, updated);
  const members = group.membersWith(updated);
  if (replaced === undefined || !canDowngradeWithout(parts, group, members)) {
    const target = recordTarget(parts, update, epoch);
    const moved = recordReconciliation(parts, update, target, bump, owned);
    return moved.ok ? { member: moved.value, records } : moved.error;
  }
  const rebalances = group.assignmentEpoch < epoch;
  let member = updated;
  if (!rebalances) {
    const target = presentTarget(group, updated);
    const moved = recordReconciliation(parts, update, target, bump, owned);
    if (!moved.ok) return moved.error;
    member = moved.value;
  }
  const reason = rebalances ? "the group was a consumer group with an older assignment" : null;
  const rest = downgrade(parts, group, members, { member: updated, replaced }, reason);
  return { member, records: [...records, ...rest] };
}

/** SyncGroup: what the member has by now. */
export function classicSync(
  parts: ConsumerParts,
  group: ConsumerGroup,
  request: SyncRequest,
  reply: Reply<SyncResponse>,
): Step {
  const { groupId } = group;
  const member = knownMember(group, request);
  const problem = typeof member === "number" ? member : syncProblem(parts, group, member, request);
  if (typeof member === "number" || problem !== Errors.NONE) {
    reply(syncError(problem));
    return NO_STEP;
  }
  return {
    ...NO_STEP,
    onCommitted: () => {
      parts.sessions.synced(groupId, member.memberId);
      parts.sessions.touch(groupId, member);
      reply({
        error: Errors.NONE,
        protocolType: request.protocolType,
        protocolName: request.protocolName,
        assignment: classicAssignment(parts, member),
      });
    },
  };
}

/** The member of the request, if it speaks the classic protocol and is of that generation. */
function knownMember(group: ConsumerGroup, request: MemberRequest): ConsumerMember | ErrorCode {
  const { memberId, groupInstanceId, generationId } = request;
  const member = groupInstanceId === null
    ? group.members.get(memberId)
    : group.staticMember(groupInstanceId);
  if (member === undefined) return Errors.UNKNOWN_MEMBER_ID;
  if (member.memberId !== memberId) return Errors.FENCED_INSTANCE_ID;
  if (member.classic === null) return Errors.UNKNOWN_MEMBER_ID;
  return generationId === member.memberEpoch ? member : Errors.ILLEGAL_GENERATION;
}

function syncProblem(
  parts: ConsumerParts,
  group: ConsumerGroup,
  member: ConsumerMember,
  request: SyncRequest,
): ErrorCode {
  const { protocolType, protocolName } = request;
  const own = member.classic?.supportedProtocols[0]?.name;
  if (protocolType !== null && protocolType !== "consumer") {
    return Errors.INCONSISTENT_GROUP_PROTOCOL;
  }
  if (protocolName !== null && protocolName !== own) return Errors.INCONSISTENT_GROUP_PROTOCOL;
  // Who gives up partitions has rejoined for this epoch already.
  const rejoins = group.assignmentEpoch > member.memberEpoch &&
    member.state !== MemberStates.UNREVOKED_PARTITIONS;
  if (!rejoins) return Errors.NONE;
  parts.sessions.expectJoin(group.groupId, member);
  return Errors.REBALANCE_IN_PROGRESS;
}

/** Heartbeat: whether the member has to rejoin, to give up partitions or to get more. */
export function classicHeartbeat(
  parts: ConsumerParts,
  group: ConsumerGroup,
  request: MemberRequest,
): ErrorCode {
  const member = knownMember(group, request);
  if (typeof member === "number") return member;
  parts.sessions.touch(group.groupId, member);
  const rejoins = member.memberEpoch < group.assignmentEpoch ||
    member.state === MemberStates.UNREVOKED_PARTITIONS ||
    (member.state === MemberStates.UNRELEASED_PARTITIONS && !waits(group, member));
  if (!rejoins) return Errors.NONE;
  parts.sessions.expectJoin(group.groupId, member);
  return Errors.REBALANCE_IN_PROGRESS;
}

/** Whether something of the member's target is still with others. */
function waits(group: ConsumerGroup, member: ConsumerMember): boolean {
  for (const [topicId, partitions] of group.target(member.memberId)) {
    for (const partition of partitions) {
      const has = member.assigned.get(topicId)?.has(partition) ?? false;
      if (!has && !group.isFree(topicId, partition)) return true;
    }
  }
  return false;
}

/** LeaveGroup, also of members of the new protocol, whom an administrator removes. */
export function classicLeave(
  parts: ConsumerParts,
  group: ConsumerGroup,
  members: readonly LeavingMember[],
): CoordinatorResult<GroupRecord, readonly LeftMember[]> {
  const leaving = new Set<ConsumerMember>();
  const left = members.map(({ memberId, groupInstanceId }) => {
    const member = groupInstanceId === null
      ? group.members.get(memberId)
      : group.staticMember(groupInstanceId);
    const fenced = groupInstanceId !== null && memberId !== "" && member !== undefined &&
      member.memberId !== memberId;
    const error = member === undefined
      ? Errors.UNKNOWN_MEMBER_ID
      : fenced
      ? Errors.FENCED_INSTANCE_ID
      : Errors.NONE;
    if (member !== undefined && error === Errors.NONE) leaving.add(member);
    return { memberId, groupInstanceId, error };
  });
  return { records: fenceMembers(parts, group, [...leaving]), response: left };
}
