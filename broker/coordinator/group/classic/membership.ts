/**
 * SyncGroup, Heartbeat and LeaveGroup of the classic protocol, as Kafka's `GroupMetadataManager`
 * does them (KIP-345 removal by instance id, KIP-559 protocol checks, KIP-800 reasons).
 */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import {
  type ClassicGroup,
  NO_BYTES,
  type Reply,
  syncError,
  type SyncResponse,
} from "./classic-group.ts";
import { groupMetadataRecord } from "./classic-records.ts";
import { cancelSyncIfAllSynced, NO_STEP, type Rebalancer, type Step } from "./rebalance.ts";

/** Who speaks, and of which generation. */
export interface MemberRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generationId: number;
}

/** A SyncGroup. Bytes are the group's own: nothing else may change them. */
export interface SyncRequest extends MemberRequest {
  /** Null before version 5. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** From the leader, by member id. */
  readonly assignments: ReadonlyMap<string, Uint8Array>;
}

/** A member that leaves; without a member id, the one with the instance id is meant. */
export interface LeavingMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly reason: string | null;
}

/** How it went for one of the members that leave. */
export interface LeftMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly error: ErrorCode;
}

/** `reply` is called at once or when the leader's assignment is committed. */
export function syncGroup(
  rebalancer: Rebalancer,
  group: ClassicGroup | undefined,
  request: SyncRequest,
  reply: Reply<SyncResponse>,
): Step {
  const error = group === undefined ? Errors.UNKNOWN_MEMBER_ID : syncProblem(group, request);
  const member = group?.members.get(request.memberId);
  if (group === undefined || member === undefined || error !== Errors.NONE) {
    reply(syncError(error));
    return NO_STEP;
  }
  group.pendingSync.delete(request.memberId);
  cancelSyncIfAllSynced(rebalancer, group);
  if (group.state === "Stable") {
    reply({
      error: Errors.NONE,
      protocolType: group.protocolType,
      protocolName: group.protocolName,
      assignment: member.assignment,
    });
    return NO_STEP;
  }
  // A retry over a new connection: the old request will not be read by anybody.
  group.completeSync(member, syncError(Errors.REBALANCE_IN_PROGRESS));
  member.awaitingSync = reply;
  return group.isLeader(request.memberId) ? storeAssignment(rebalancer, group, request) : NO_STEP;
}

function syncProblem(group: ClassicGroup, request: SyncRequest): ErrorCode {
  if (group.state === "Empty") return Errors.UNKNOWN_MEMBER_ID;
  const error = group.validateMember(request.memberId, request.groupInstanceId);
  if (error !== Errors.NONE) return error;
  if (request.generationId !== group.generationId) return Errors.ILLEGAL_GENERATION;
  if (
    differs(request.protocolType, group.protocolType) ||
    differs(request.protocolName, group.protocolName)
  ) return Errors.INCONSISTENT_GROUP_PROTOCOL;
  return group.state === "PreparingRebalance" ? Errors.REBALANCE_IN_PROGRESS : Errors.NONE;
}

function differs(requested: string | null, own: string | null): boolean {
  return requested !== null && own !== null && requested !== own;
}

/** The leader's assignment is recorded; only then does anybody get it. */
function storeAssignment(rebalancer: Rebalancer, group: ClassicGroup, request: SyncRequest): Step {
  const assignmentOf = (memberId: string) => request.assignments.get(memberId) ?? NO_BYTES;
  // Others may join, leave or expire until the record is committed, and so end this generation.
  const stillCurrent = () =>
    group.state === "CompletingRebalance" && group.generationId === request.generationId;
  return {
    ...NO_STEP,
    records: [groupMetadataRecord(group, (member) => assignmentOf(member.memberId))],
    onCommitted: () => {
      if (stillCurrent()) rebalancer.assign(group, request.assignments);
    },
    onFailed: (error) => {
      if (!stillCurrent()) return;
      rebalancer.propagateError(group, error);
      rebalancer.prepareOrComplete(group, `the assignment could not be stored: error ${error}`);
    },
  };
}

/** Restarts the member's session, and says whether it has to rejoin. */
export function heartbeat(
  rebalancer: Rebalancer,
  group: ClassicGroup | undefined,
  request: MemberRequest,
): ErrorCode {
  if (group === undefined) return Errors.UNKNOWN_MEMBER_ID;
  const error = group.validateMember(request.memberId, request.groupInstanceId);
  if (error !== Errors.NONE) return error;
  if (request.generationId !== group.generationId) return Errors.ILLEGAL_GENERATION;
  const member = group.members.get(request.memberId);
  if (member === undefined || group.state === "Empty") return Errors.UNKNOWN_MEMBER_ID;
  rebalancer.touch(group, member);
  return group.state === "PreparingRebalance" ? Errors.REBALANCE_IN_PROGRESS : Errors.NONE;
}

/** Removes the members; the rest rebalance. */
export function leaveGroup(
  rebalancer: Rebalancer,
  group: ClassicGroup | undefined,
  members: readonly LeavingMember[],
): { readonly step: Step; readonly left: readonly LeftMember[] } {
  const left = members.map(({ memberId, groupInstanceId, reason }) => ({
    memberId,
    groupInstanceId,
    error: group === undefined
      ? Errors.UNKNOWN_MEMBER_ID
      : leaveOne(rebalancer, group, { memberId, groupInstanceId, reason }),
  }));
  if (group === undefined || left.every((each) => each.error !== Errors.NONE)) {
    return { step: NO_STEP, left };
  }
  const step = group.state === "Empty"
    ? NO_STEP
    : rebalancer.prepareOrComplete(group, "members have left");
  rebalancer.services.forgetIfUnused(group);
  return { step, left };
}

function leaveOne(rebalancer: Rebalancer, group: ClassicGroup, leaving: LeavingMember): ErrorCode {
  const { memberId, groupInstanceId, reason } = leaving;
  let id = memberId;
  if (memberId === "") {
    const current = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId);
    if (current === undefined) return Errors.UNKNOWN_MEMBER_ID;
    id = current;
  } else if (group.pendingJoin.has(memberId)) {
    rebalancer.cancelExpiry(group, memberId);
    group.remove(memberId);
    return Errors.NONE;
  } else {
    const error = group.validateMember(memberId, groupInstanceId);
    if (error !== Errors.NONE) return error;
  }
  const member = group.members.get(id);
  if (member === undefined) return Errors.UNKNOWN_MEMBER_ID;
  rebalancer.services.logger.debug("member leaves", {
    group: group.groupId,
    memberId: id,
    reason: reason ?? "not provided",
  });
  rebalancer.evict(group, member);
  return Errors.NONE;
}
