/** Members that leave a consumer group or are fenced from it; the group may become classic then. */
import { Errors } from "../../../../core/errors.ts";
import { accept, type Outcome } from "../../../outcome.ts";
import type { CoordinatorResult } from "../../shard.ts";
import type { GroupRecord } from "../group-records.ts";
import { STATIC_LEAVE_EPOCH } from "../modern/modern-group.ts";
import { NO_PARTITIONS, withEpoch } from "../modern/topic-partitions.ts";
import {
  type ConsumerGroup,
  groupEpochRecord,
  memberTombstones,
  regexRecord,
} from "./consumer-group.ts";
import { type ConsumerMember, currentAssignmentRecord } from "./consumer-member.ts";
import { type HeartbeatResponse, staticProblem } from "./heartbeat.ts";
import { canDowngradeWithout, downgrade } from "./migration.ts";
import { type ConsumerParts, NO_STEP, refused, type Step } from "./parts.ts";

/** A heartbeat with which a member leaves. */
export interface LeaveRequest {
  readonly groupId: string;
  readonly memberId: string;
  /** −1, or −2 for a static member that comes back. */
  readonly memberEpoch: number;
  readonly instanceId: string | null;
}

/** Removes the member, or keeps the place of a static one that comes back. */
export function consumerLeave(
  parts: ConsumerParts,
  request: LeaveRequest,
): CoordinatorResult<GroupRecord, Outcome<HeartbeatResponse>> {
  const { groupId, memberId, memberEpoch, instanceId } = request;
  const group = parts.find(groupId);
  if (group === undefined) {
    const isThere = parts.context.groups.has(groupId);
    const why = isThere
      ? `Group ${groupId} is not a consumer group.`
      : `Group ${groupId} not found.`;
    return refused(Errors.GROUP_ID_NOT_FOUND, why);
  }
  const response = accept({ memberId, memberEpoch, heartbeatIntervalMs: 0, assignment: null });
  if (instanceId === null) {
    const member = group.members.get(memberId);
    if (member === undefined) {
      const why = `Member ${memberId} is not a member of group ${groupId}.`;
      return refused(Errors.UNKNOWN_MEMBER_ID, why);
    }
    return { records: fenceMembers(parts, group, [member]), response };
  }
  const holder = group.staticMember(instanceId);
  const problem = staticProblem(holder, memberId, instanceId);
  if (problem !== null) return { records: [], response: problem };
  const records = memberEpoch === STATIC_LEAVE_EPOCH
    ? [currentAssignmentRecord(groupId, awaited(holder!))]
    : fenceMembers(parts, group, [holder!]);
  return { records, response };
}

/** A static member that has left for a while keeps its partitions; who returns may commit for all. */
function awaited(member: ConsumerMember): ConsumerMember {
  return {
    ...member,
    memberEpoch: STATIC_LEAVE_EPOCH,
    pendingRevocation: NO_PARTITIONS,
    assigned: withEpoch(member.assigned, 0),
  };
}

/** The operation of a deadline that a member has missed. */
export function fenceOnTimeout(
  parts: ConsumerParts,
  groupId: string,
  memberId: string,
  reason: string,
  which: (member: ConsumerMember) => boolean,
): Step {
  const group = parts.find(groupId);
  const member = group?.members.get(memberId);
  if (group === undefined || member === undefined || !which(member)) return NO_STEP;
  parts.context.logger.info("group member is fenced", { group: groupId, memberId, reason });
  return {
    records: fenceMembers(parts, group, [member]),
    response: undefined,
    // A member that could not be removed is watched on.
    onFailed: () => parts.sessions.touch(groupId, member),
  };
}

/** Removes the members; the rest get a new epoch, or a classic group if all of them are classic. */
export function fenceMembers(
  parts: ConsumerParts,
  group: ConsumerGroup,
  leaving: readonly ConsumerMember[],
): GroupRecord[] {
  if (leaving.length === 0) return [];
  const { groupId } = group;
  const gone = new Set(leaving.map((member) => member.memberId));
  const stay = [...group.members.values()].filter((member) => !gone.has(member.memberId));
  if (canDowngradeWithout(parts, group, stay)) {
    const reason = `the last member of the consumer protocol has left group ${groupId}`;
    return downgrade(parts, group, stay, null, reason);
  }
  return removal(parts, group, leaving, stay);
}

function removal(
  parts: ConsumerParts,
  group: ConsumerGroup,
  leaving: readonly ConsumerMember[],
  stay: readonly ConsumerMember[],
): GroupRecord[] {
  const { groupId } = group;
  const records: GroupRecord[] = [];
  for (const { memberId } of leaving) records.push(...memberTombstones(groupId, memberId));
  const used = new Set(stay.map((member) => member.subscribedTopicRegex));
  for (const regex of group.regexes.keys()) {
    if (!used.has(regex)) records.push(regexRecord(groupId, regex, null));
  }
  const hash = group.hashOf(group.subscribedTopicsOf(stay), parts.context.topics);
  records.push(groupEpochRecord(groupId, group.groupEpoch + 1, hash));
  return records;
}
