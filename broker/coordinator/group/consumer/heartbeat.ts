/**
 * ConsumerGroupHeartbeat (KIP-848): a member joins, keeps its session and moves towards its target.
 * The ladder of checks and the order of records are those of Kafka's `GroupMetadataManager`.
 */
import { Errors } from "../../../../core/errors.ts";
import { accept, type Outcome, type Refusal, refuse } from "../../../outcome.ts";
import type { CoordinatorResult } from "../../shard.ts";
import { ClassicGroup } from "../classic/classic-group.ts";
import { GROUPS_PER_SHARD_MAX } from "../group-config.ts";
import type { GroupRecord } from "../group-records.ts";
import { JOIN_EPOCH, STATIC_LEAVE_EPOCH } from "../modern/modern-group.ts";
import {
  type Assignment,
  type EpochedAssignment,
  sameEpochedAssignment,
} from "../modern/topic-partitions.ts";
import { kafkaUuid } from "../uuid.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import { type ConsumerMember, newConsumerMember } from "./consumer-member.ts";
import { upgrade } from "./migration.ts";
import { type ConsumerParts, refused } from "./parts.ts";
import type { CanDescribe } from "./regexes.ts";
import {
  recordGroupEpoch,
  recordReconciliation,
  recordSubscription,
  recordTarget,
  replaceStatic,
} from "./update.ts";

/** A ConsumerGroupHeartbeat of a member that stays; null is what has not changed. */
export interface HeartbeatRequest {
  readonly groupId: string;
  /** Empty in version 0 for a member that is given its id. */
  readonly memberId: string;
  /** 0 to join. */
  readonly memberEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  /** −1 if it has not changed. */
  readonly rebalanceTimeoutMs: number;
  readonly subscribedTopicNames: readonly string[] | null;
  readonly subscribedTopicRegex: string | null;
  readonly serverAssignor: string | null;
  readonly owned: Assignment | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly canDescribe: CanDescribe;
}

/** The answer; the assignment is null if it is what the member has been told. */
export interface HeartbeatResponse {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  readonly assignment: EpochedAssignment | null;
}

/** The outcome of a heartbeat: what to write, and what to say then. */
export type HeartbeatResult = CoordinatorResult<GroupRecord, Outcome<HeartbeatResponse>>;

/** Runs a heartbeat of a member that joins or stays. */
export function consumerHeartbeat(
  parts: ConsumerParts,
  request: HeartbeatRequest,
): HeartbeatResult {
  const records: GroupRecord[] = [];
  const found = findGroup(parts, request, records);
  if (!found.ok) return { records: [], response: found };
  const group = found.value;
  const { maxSize } = parts.context.config.consumer;
  if (group.members.size >= maxSize && !group.members.has(request.memberId)) {
    const why = `The consumer group has reached its maximum capacity of ${maxSize} members.`;
    return refused(Errors.GROUP_MAX_SIZE_REACHED, why);
  }
  const memberId = request.memberId || kafkaUuid(parts.context.random);
  const subscribed = request.instanceId === null
    ? dynamicMember(group, memberId, request)
    : staticMember(group, memberId, request.instanceId, request, records);
  if (!subscribed.ok) return { records: [], response: subscribed };
  const moved = advance(parts, group, subscribed.value, request, records);
  if (!moved.ok) return { records: [], response: moved };
  parts.sessions.touch(group.groupId, moved.value);
  return { records, response: accept(respond(parts, request, subscribed.value, moved.value)) };
}

function respond(
  parts: ConsumerParts,
  request: HeartbeatRequest,
  before: ConsumerMember,
  after: ConsumerMember,
): HeartbeatResponse {
  const isFull = request.rebalanceTimeoutMs !== -1 && request.owned !== null &&
    (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null);
  const tells = request.memberEpoch === JOIN_EPOCH || isFull ||
    !sameEpochedAssignment(before.assigned, after.assigned);
  return {
    memberId: after.memberId,
    memberEpoch: after.memberEpoch,
    heartbeatIntervalMs: parts.context.config.consumer.heartbeatIntervalMs(request.groupId),
    assignment: tells ? after.assigned : null,
  };
}

/** The group; one that is not there, or is of another kind, becomes one when a member joins. */
function findGroup(
  parts: ConsumerParts,
  { groupId, memberEpoch }: HeartbeatRequest,
  records: GroupRecord[],
): Outcome<ConsumerGroup> {
  const { groups } = parts.context;
  const group = groups.get(groupId);
  if (group instanceof ConsumerGroup) return accept(group);
  const joins = memberEpoch === JOIN_EPOCH;
  if (group === undefined) {
    if (!joins) return refuse(Errors.GROUP_ID_NOT_FOUND, `Consumer group ${groupId} not found.`);
    if (groups.size >= GROUPS_PER_SHARD_MAX) {
      return refuse(Errors.GROUP_MAX_SIZE_REACHED, "There are as many groups as there may be.");
    }
    return accept(new ConsumerGroup(groupId));
  }
  if (joins && group instanceof ClassicGroup) {
    if (group.state !== "Empty") return upgrade(parts, group, records);
    records.push(...group.tombstones());
    return accept(new ConsumerGroup(groupId));
  }
  return refuse(Errors.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a consumer group.`);
}

function dynamicMember(
  group: ConsumerGroup,
  memberId: string,
  request: HeartbeatRequest,
): Outcome<ConsumerMember> {
  const member = group.members.get(memberId);
  if (member === undefined) {
    if (request.memberEpoch === JOIN_EPOCH) return accept(newConsumerMember(memberId));
    const why = `Member ${memberId} is not a member of group ${group.groupId}.`;
    return refuse(Errors.UNKNOWN_MEMBER_ID, why);
  }
  return epochProblem(member, request) ?? accept(member);
}

function staticMember(
  group: ConsumerGroup,
  memberId: string,
  instanceId: string,
  request: HeartbeatRequest,
  records: GroupRecord[],
): Outcome<ConsumerMember> {
  const holder = group.staticMember(instanceId);
  if (request.memberEpoch === JOIN_EPOCH) {
    if (holder === undefined) {
      return accept(group.members.get(memberId) ?? newConsumerMember(memberId));
    }
    // A member that speaks the classic protocol cannot say that it leaves for a while.
    if (holder.classic === null && holder.memberEpoch !== STATIC_LEAVE_EPOCH) {
      const why =
        `Static member ${memberId} with instance id ${instanceId} cannot join the group ` +
        `because the instance id is owned by ${holder.memberId} member.`;
      return refuse(Errors.UNRELEASED_INSTANCE_ID, why);
    }
    return accept(replaceStatic(group, holder, memberId, records));
  }
  return staticProblem(holder, memberId, instanceId) ?? epochProblem(holder!, request) ??
    accept(holder!);
}

/** Why the member id may not speak for the instance id, or null if it may. */
export function staticProblem(
  holder: ConsumerMember | undefined,
  memberId: string,
  instanceId: string,
): Refusal | null {
  if (holder === undefined) {
    return refuse(Errors.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`);
  }
  if (holder.memberId === memberId) return null;
  const why = `Static member ${memberId} with instance id ${instanceId} was fenced by member ` +
    `${holder.memberId}.`;
  return refuse(Errors.FENCED_INSTANCE_ID, why);
}

/**
 * An epoch that is not the member's own is fenced, but the one before it, if the member has nothing
 * that it does not have now: the answer with the new epoch was lost.
 */
function epochProblem(member: ConsumerMember, request: HeartbeatRequest): Refusal | null {
  const { memberEpoch, owned } = request;
  if (memberEpoch === JOIN_EPOCH || memberEpoch === member.memberEpoch) return null;
  const isLarger = memberEpoch > member.memberEpoch;
  if (!isLarger && memberEpoch === member.previousMemberEpoch && isSubset(owned, member.assigned)) {
    return null;
  }
  const why = `The consumer group member has a ${isLarger ? "greater" : "smaller"} member epoch ` +
    `(${memberEpoch}) than the one known by the group coordinator (${member.memberEpoch}). ` +
    "The member must abandon all its partitions and rejoin.";
  return refuse(Errors.FENCED_MEMBER_EPOCH, why);
}

function isSubset(owned: Assignment | null, assigned: EpochedAssignment): boolean {
  if (owned === null) return false;
  for (const [topicId, partitions] of owned) {
    const epochs = assigned.get(topicId);
    for (const partition of partitions) if (!epochs?.has(partition)) return false;
  }
  return true;
}

/** Takes up what the member says and moves it on; the member afterwards. */
function advance(
  parts: ConsumerParts,
  group: ConsumerGroup,
  member: ConsumerMember,
  request: HeartbeatRequest,
  records: GroupRecord[],
): Outcome<ConsumerMember> {
  const { subscribedTopicNames } = request;
  const updated: ConsumerMember = {
    ...member,
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs === -1
      ? member.rebalanceTimeoutMs
      : request.rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? member.serverAssignor,
    subscribedTopicNames: subscribedTopicNames === null
      ? member.subscribedTopicNames
      : new Set(subscribedTopicNames),
    subscribedTopicRegex: request.subscribedTopicRegex ?? member.subscribedTopicRegex,
    clientId: request.clientId,
    clientHost: request.clientHost,
    classic: null,
  };
  const update = { group, member, updated, records };
  const change = recordSubscription(parts, update, request.canDescribe);
  if (!change.ok) return change;
  // What a new expression matches is not known yet, and will start an epoch of its own.
  const { names, regex } = change.value;
  const epoch = recordGroupEpoch(parts, update, names || regex === "resolved");
  const target = recordTarget(parts, update, epoch);
  return recordReconciliation(parts, update, target, names || regex !== "none", request.owned);
}
