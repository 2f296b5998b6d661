/**
 * A heartbeat of a share group's member (Kafka's `GroupMetadataManager.shareGroupHeartbeat`):
 *
 * 1. the member joins, or says that its subscription has changed;
 * 2. with subscriptions, topics or initialized partitions the group's epoch moves on;
 * 3. a new group epoch has a new target assignment, over what is initialized;
 * 4. the member takes its target.
 *
 * What is subscribed to and not initialized yet is for the share coordinator first; the caller asks
 * it, and tells the group (`ShareGroups.endInitialization`).
 */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import { accept, type Outcome, refuse } from "../../../outcome.ts";
import type { CoordinatorResult } from "../../shard.ts";
import type { GroupContext } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import { JOIN_EPOCH } from "../modern/modern-group.ts";
import { type Assignment, sameAssignment } from "../modern/topic-partitions.ts";
import { allPartitions, type PartitionsById } from "./known-partitions.ts";
import {
  epochRecord,
  knownRecord,
  memberRecord,
  newShareMember,
  placeRecord,
  type ShareGroup,
  type ShareMember,
  targetRecord,
} from "./share-group.ts";
import type { ShareGroupRecord } from "./share-group-records.ts";
import { assignSimply } from "./simple-assignor.ts";

/** What a member sends. */
export interface ShareHeartbeatRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** Null: as before. */
  readonly subscribedTopicNames: readonly string[] | null;
}

/** What it gets. */
export interface ShareHeartbeatResponse {
  readonly memberId: string;
  readonly memberEpoch: number;
  /** Null: as before. */
  readonly assignment: Assignment | null;
}

/** Share partitions that are to be initialized, in this state epoch. */
export interface Initialization {
  readonly groupId: string;
  readonly stateEpoch: number;
  readonly partitions: PartitionsById;
}

/** The answer, and what is to be initialized once that is committed. */
export interface ShareHeartbeatOutcome {
  readonly outcome: Outcome<ShareHeartbeatResponse>;
  readonly initialization: Initialization | null;
}

export type ShareHeartbeatResult = CoordinatorResult<GroupRecord, ShareHeartbeatOutcome>;

/** What a heartbeat is judged by. */
export interface HeartbeatParts {
  readonly context: GroupContext;
  /** Initializations that are under way, by topic, until when nobody tries them again. */
  readonly attempts: Map<string, number>;
  touch(groupId: string, memberId: string): void;
}

/** A refusal as a result. */
export function refused(error: ErrorCode, message: string): ShareHeartbeatResult {
  return { records: [], response: { outcome: refuse(error, message), initialization: null } };
}

/** Why the member may not go on in this epoch; NONE if it may. */
export function memberEpochProblem(
  member: ShareMember | undefined,
  memberEpoch: number,
): ErrorCode {
  if (memberEpoch === JOIN_EPOCH) return Errors.NONE;
  if (member === undefined) return Errors.UNKNOWN_MEMBER_ID;
  // The answer with the newer epoch may have been lost.
  const isKnown = memberEpoch === member.memberEpoch ||
    memberEpoch === member.previousMemberEpoch;
  return isKnown ? Errors.NONE : Errors.FENCED_MEMBER_EPOCH;
}

/** See the header; the group is there, or has just been made, and the member may come. */
export function shareHeartbeat(
  parts: HeartbeatParts,
  group: ShareGroup,
  request: ShareHeartbeatRequest,
): ShareHeartbeatResult {
  const { groupId, memberId } = request;
  const records: ShareGroupRecord[] = [];
  const before = group.members.get(memberId) ?? newShareMember(memberId);
  const updated = updatedMember(before, request);
  if (!group.members.has(memberId) || updated !== before) {
    records.push(memberRecord(groupId, updated));
  }
  const members = [...group.members.values()].filter((each) => each.memberId !== memberId);
  members.push(updated);

  const groupEpoch = moveEpoch(parts, group, before, updated, members, records);
  const target = retarget(parts.context, group, groupEpoch, members, updated, records);
  const placed = target.epoch === updated.memberEpoch ? updated : {
    ...updated,
    memberEpoch: target.epoch,
    previousMemberEpoch: updated.memberEpoch,
    assigned: target.assignment,
  };
  if (placed !== updated) records.push(placeRecord(groupId, placed));
  const initialization = initializationOf(parts, group, groupEpoch, members, records);
  parts.touch(groupId, memberId);

  const isFull = request.subscribedTopicNames !== null || request.memberEpoch === JOIN_EPOCH;
  const tells = isFull || !sameAssignment(before.assigned, placed.assigned);
  return {
    records,
    response: {
      outcome: accept({
        memberId,
        memberEpoch: placed.memberEpoch,
        assignment: tells ? placed.assigned : null,
      }),
      initialization,
    },
  };
}

function updatedMember(before: ShareMember, request: ShareHeartbeatRequest): ShareMember {
  const { rackId, clientId, clientHost, subscribedTopicNames } = request;
  const subscribed = subscribedTopicNames === null
    ? before.subscribedTopicNames
    : new Set(subscribedTopicNames);
  const isSame = (rackId === null || rackId === before.rackId) && clientId === before.clientId &&
    clientHost === before.clientHost && sameNames(subscribed, before.subscribedTopicNames);
  return isSame ? before : {
    ...before,
    rackId: rackId ?? before.rackId,
    clientId,
    clientHost,
    subscribedTopicNames: subscribed,
  };
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && a.isSubsetOf(b);
}

/** The group epoch that holds from now on. */
function moveEpoch(
  { context }: HeartbeatParts,
  group: ShareGroup,
  before: ShareMember,
  updated: ShareMember,
  members: readonly ShareMember[],
  records: ShareGroupRecord[],
): number {
  let moves = !sameNames(before.subscribedTopicNames, updated.subscribedTopicNames) ||
    assignmentIsPending(context, group);
  if (!moves && !group.needsMetadataRefresh) return group.groupEpoch;
  const hash = group.hashOf(group.subscribedTopicsOf(members), context.topics);
  moves ||= hash !== group.metadataHash;
  const groupEpoch = moves ? group.groupEpoch + 1 : group.groupEpoch;
  if (moves) records.push(epochRecord(group.groupId, groupEpoch, hash));
  group.metadataRefreshed(groupEpoch);
  return groupEpoch;
}

/** Whether something that is subscribed to has been initialized since the last target. */
function assignmentIsPending(context: GroupContext, group: ShareGroup): boolean {
  if (group.members.size === 0) return false;
  const assigned = new Map<string, Set<number>>();
  for (const target of group.targetAssignment.values()) {
    for (const [topicId, partitions] of target) {
      assigned.set(topicId, (assigned.get(topicId) ?? new Set()).union(partitions));
    }
  }
  for (const name of group.subscribedTopics) {
    const topic = context.topics.byName(name);
    if (topic === undefined) continue;
    const initialized = group.known.initializedOf(topic.id);
    if (initialized.size > 0 && !sameSet(initialized, assigned.get(topic.id))) return true;
  }
  return false;
}

function sameSet(a: ReadonlySet<number>, b: ReadonlySet<number> | undefined): boolean {
  return b !== undefined && a.size === b.size && a.isSubsetOf(b);
}

/** The member's target, computed anew for all members where the group's epoch has moved. */
function retarget(
  context: GroupContext,
  group: ShareGroup,
  groupEpoch: number,
  members: readonly ShareMember[],
  member: ShareMember,
  records: ShareGroupRecord[],
): { readonly epoch: number; readonly assignment: Assignment } {
  if (groupEpoch <= group.assignmentEpoch) {
    return { epoch: group.assignmentEpoch, assignment: group.target(member.memberId) };
  }
  const targets = targetsOf(context, group, members);
  for (const [memberId, target] of targets) {
    const known = group.targetAssignment.get(memberId);
    if (known !== undefined && sameAssignment(known, target)) continue;
    records.push(targetRecord(group.groupId, memberId, target));
  }
  records.push({
    type: "ShareGroupTargetAssignmentMetadata",
    key: { groupId: group.groupId },
    value: {
      assignmentEpoch: groupEpoch,
      assignmentTimestamp: BigInt(context.clock.wallMs()),
    },
  });
  return { epoch: groupEpoch, assignment: targets.get(member.memberId) ?? new Map() };
}

function targetsOf(
  { topics }: GroupContext,
  group: ShareGroup,
  members: readonly ShareMember[],
): Map<string, Assignment> {
  const assignable = new Map<string, ReadonlySet<number>>();
  const sharing = members.map(({ memberId, subscribedTopicNames }) => {
    const topicIds = new Set<string>();
    for (const name of subscribedTopicNames) {
      const topic = topics.byName(name);
      if (topic === undefined) continue;
      topicIds.add(topic.id);
      assignable.set(topic.id, group.known.initializedOf(topic.id));
    }
    return { memberId, topicIds, target: group.target(memberId) };
  });
  return assignSimply(sharing, assignable);
}

/** What is subscribed to and neither initialized nor being so; null if there is nothing. */
function initializationOf(
  parts: HeartbeatParts,
  group: ShareGroup,
  groupEpoch: number,
  members: readonly ShareMember[],
  records: ShareGroupRecord[],
): Initialization | null {
  const { topics, clock, config } = parts.context;
  const { groupId, known } = group;
  const nowMs = clock.monotonicMs();
  const partitions = new Map<string, ReadonlySet<number>>();
  for (const name of group.subscribedTopicsOf(members)) {
    const topic = topics.byName(name);
    if (topic === undefined) continue;
    const attempt = `${groupId}:${topic.id}`;
    const isTrying = (parts.attempts.get(attempt) ?? -Infinity) > nowMs;
    let missing = allPartitions(topic).difference(known.initializedOf(topic.id));
    const pending = known.initializing.get(topic.id)?.partitions;
    if (isTrying && pending !== undefined) missing = missing.difference(pending);
    if (missing.size === 0) continue;
    partitions.set(topic.id, missing);
    parts.attempts.set(attempt, nowMs + config.share.initializeRetryIntervalMs);
  }
  if (partitions.size === 0) return null;
  const next = known.begin(partitions, (topicId) => topics.byId(topicId)?.name ?? "");
  records.push(knownRecord(groupId, next));
  return { groupId, stateEpoch: groupEpoch, partitions };
}
