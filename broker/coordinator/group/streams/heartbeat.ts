/**
 * StreamsGroupHeartbeat of a member that joins or stays (KIP-1071). Everything that it changes is
 * in the records; what is only in memory (sessions, endpoints, a shutdown) changes at once.
 */
import { Errors } from "../../../../core/errors.ts";
import { accept, type Outcome, type Refusal, refuse } from "../../../outcome.ts";
import { ClassicGroup } from "../classic/classic-group.ts";
import { GROUPS_PER_SHARD_MAX } from "../group-config.ts";
import type { GroupRecord } from "../group-records.ts";
import { JOIN_EPOCH } from "../modern/modern-group.ts";
import { type ConfiguredTopology, type Status, StatusCodes } from "./configured-topology.ts";
import { endpointPartitions } from "./endpoints.ts";
import {
  refused,
  type StreamsHeartbeatRequest,
  type StreamsHeartbeatResponse,
  type StreamsHeartbeatResult,
  type StreamsParts,
} from "./parts.ts";
import { reconcile } from "./reconcile.ts";
import { StreamsGroup } from "./streams-group.ts";
import {
  clientTagsOf,
  currentAssignmentRecord,
  isReconciledTo,
  memberMetadataRecord,
  newStreamsMember,
  sameMetadata,
  samePlace,
  type StreamsMember,
} from "./streams-member.ts";
import { areTasksWithin, ROLES, sameMemberTasks } from "./tasks.ts";
import {
  assignAfterDelay,
  configure,
  recordGroupEpoch,
  recordTarget,
  recordTopology,
  type Target,
  type Update,
} from "./update.ts";

/** See the header. */
export function streamsHeartbeat(
  parts: StreamsParts,
  request: StreamsHeartbeatRequest,
): StreamsHeartbeatResult {
  const records: GroupRecord[] = [];
  const found = findGroup(parts, request, records);
  if (!found.ok) return { records: [], response: found };
  const group = found.value;
  const { maxSize } = parts.context.config.streams;
  if (group.members.size >= maxSize && !group.members.has(request.memberId)) {
    const why = `The streams group has reached its maximum capacity of ${maxSize} members.`;
    return refused(Errors.GROUP_MAX_SIZE_REACHED, why);
  }
  const known = findMember(group, request);
  if (!known.ok) return { records: [], response: known };
  const moved = advance(parts, group, known.value, request, records);
  return moved.ok ? { records, response: moved } : { records: [], response: moved };
}

/** The group; one that is not there, or an empty classic one, becomes one when a member joins. */
function findGroup(
  parts: StreamsParts,
  { groupId, memberEpoch }: StreamsHeartbeatRequest,
  records: GroupRecord[],
): Outcome<StreamsGroup> {
  const { groups } = parts.context;
  const group = groups.get(groupId);
  if (group instanceof StreamsGroup) return accept(group);
  const joins = memberEpoch === JOIN_EPOCH;
  if (group === undefined) {
    if (!joins) return refuse(Errors.GROUP_ID_NOT_FOUND, `Streams group ${groupId} not found.`);
    if (groups.size >= GROUPS_PER_SHARD_MAX) {
      return refuse(Errors.GROUP_MAX_SIZE_REACHED, "There are as many groups as there may be.");
    }
    return accept(new StreamsGroup(groupId));
  }
  if (joins && group instanceof ClassicGroup && group.state === "Empty") {
    records.push(...group.tombstones());
    return accept(new StreamsGroup(groupId));
  }
  return refuse(Errors.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a streams group.`);
}

function findMember(
  group: StreamsGroup,
  request: StreamsHeartbeatRequest,
): Outcome<StreamsMember> {
  const { memberId, memberEpoch } = request;
  const member = group.members.get(memberId);
  if (member === undefined) {
    if (memberEpoch === JOIN_EPOCH) return accept(newStreamsMember(memberId));
    const why = `Member ${memberId} is not a member of group ${group.groupId}.`;
    return refuse(Errors.UNKNOWN_MEMBER_ID, why);
  }
  return epochProblem(member, request) ?? accept(member);
}

/**
 * An epoch that is not the member's own is fenced, but the one before it, if the member has nothing
 * that it does not have now: the answer with the new epoch was lost.
 */
function epochProblem(member: StreamsMember, request: StreamsHeartbeatRequest): Refusal | null {
  const { memberEpoch, owned } = request;
  if (memberEpoch === JOIN_EPOCH || memberEpoch === member.memberEpoch) return null;
  const isLarger = memberEpoch > member.memberEpoch;
  const isBefore = !isLarger && memberEpoch === member.previousMemberEpoch;
  if (isBefore && owned !== null && areTasksWithin(owned, member.tasks)) return null;
  const why = `The streams group member has a ${isLarger ? "greater" : "smaller"} member epoch ` +
    `(${memberEpoch}) than the one known by the group coordinator (${member.memberEpoch}). ` +
    "The member must abandon all its partitions and rejoin.";
  return refuse(Errors.FENCED_MEMBER_EPOCH, why);
}

/** The member with what the request says of it. */
function saying(member: StreamsMember, request: StreamsHeartbeatRequest): StreamsMember {
  const { rebalanceTimeoutMs, userEndpoint, clientTags } = request;
  return {
    ...member,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    topologyEpoch: request.topology?.epoch ?? member.topologyEpoch,
    processId: request.processId ?? member.processId,
    userEndpoint: userEndpoint ?? member.userEndpoint,
    clientTags: clientTags === null ? member.clientTags : clientTagsOf(clientTags),
    clientId: request.clientId,
    clientHost: request.clientHost,
  };
}

/** Takes up what the member says and moves it on. */
function advance(
  parts: StreamsParts,
  group: StreamsGroup,
  member: StreamsMember,
  request: StreamsHeartbeatRequest,
  records: GroupRecord[],
): Outcome<StreamsHeartbeatResponse> {
  const { groupId } = group;
  const updated = saying(member, request);
  const update: Update = { group, updated, records };
  const hasChanged = !sameMetadata(member, updated);
  if (hasChanged) records.push(memberMetadataRecord(groupId, updated));
  const topology = recordTopology(update, request.topology);
  if (!topology.ok) return topology;
  const configured = configure(parts, group, topology.value);
  if (!configured.ok) return configured;
  const invalid = invalidTask(request, configured.value);
  if (invalid !== null) return invalid;
  const epoch = recordGroupEpoch(parts, update, configured.value, hasChanged);
  if (group.members.size === 0) {
    const delayMs = parts.context.config.streams.initialRebalanceDelayMs(groupId);
    parts.sessions.delayRebalance(groupId, delayMs, () => assignAfterDelay(parts, groupId));
  }
  const status = staleTopologyStatus(group, updated);
  const target = recordTarget(parts, update, configured.value, epoch, status);
  const moved = recordReconciliation(parts, update, target, request);
  if (!moved.ok) return moved;
  parts.sessions.touch(groupId, member.memberId);
  if (request.shutdownApplication) group.requestShutdown(member.memberId);
  status.push(...topicStatus(configured.value), ...shutdownStatus(group));
  return accept(respond(parts, group, member, moved.value, request, configured.value, status));
}

/** A task that the member says it has and that cannot be; only a ready topology can tell. */
function invalidTask(
  { owned }: StreamsHeartbeatRequest,
  { problem, subtopologies }: ConfiguredTopology,
): Refusal | null {
  if (owned === null || problem !== null || subtopologies === null) return null;
  for (const role of ROLES) {
    for (const [id, tasks] of owned[role]) {
      const subtopology = subtopologies.find((each) => each.id === id);
      if (subtopology === undefined) {
        return refuse(
          Errors.INVALID_REQUEST,
          `Subtopology ${id} does not exist in the topology.`,
        );
      }
      for (const task of tasks) {
        if (task >= 0 && task < subtopology.taskCount) continue;
        const why = `Task ${task} for subtopology ${id} is invalid. ` +
          `Number of tasks for this subtopology: ${subtopology.taskCount}`;
        return refuse(Errors.INVALID_REQUEST, why);
      }
    }
  }
  return null;
}

/** Moves the member towards its target; the member afterwards. */
function recordReconciliation(
  parts: StreamsParts,
  { group, updated, records }: Update,
  target: Target,
  request: StreamsHeartbeatRequest,
): Outcome<StreamsMember> {
  if (isReconciledTo(updated, target.epoch)) return accept(updated);
  const moved = reconcile({
    member: updated,
    targetEpoch: target.epoch,
    target: target.tasks,
    owned: request.owned,
    owners: group.owners,
  });
  if (moved === null) {
    const why = "The streams group member is in a unknown state. " +
      "The member must abandon all its tasks and rejoin.";
    return refuse(Errors.FENCED_MEMBER_EPOCH, why);
  }
  if (!samePlace(moved, updated)) {
    records.push(currentAssignmentRecord(group.groupId, moved));
    parts.sessions.watchRevocation(group.groupId, moved);
  }
  return accept(moved);
}

function staleTopologyStatus({ topology }: StreamsGroup, member: StreamsMember): Status[] {
  if (topology === null || member.topologyEpoch >= topology.epoch) return [];
  const statusDetail = `The member's topology epoch ${member.topologyEpoch} is behind the ` +
    `group's topology epoch ${topology.epoch}.`;
  return [{ statusCode: StatusCodes.STALE_TOPOLOGY, statusDetail }];
}

function topicStatus({ problem }: ConfiguredTopology): Status[] {
  return problem === null ? [] : [problem];
}

function shutdownStatus({ shutdownRequestedBy }: StreamsGroup): Status[] {
  if (shutdownRequestedBy === null) return [];
  const statusDetail = `Streams group member ${shutdownRequestedBy} encountered a fatal error ` +
    "and requested a shutdown for the entire application.";
  return [{ statusCode: StatusCodes.SHUTDOWN_APPLICATION, statusDetail }];
}

function respond(
  parts: StreamsParts,
  group: StreamsGroup,
  before: StreamsMember,
  after: StreamsMember,
  request: StreamsHeartbeatRequest,
  configured: ConfiguredTopology,
  status: readonly Status[],
): StreamsHeartbeatResponse {
  const { owned } = request;
  const hasChanged = request.memberEpoch === JOIN_EPOCH ||
    !sameMemberTasks(before.tasks, after.tasks);
  // A member that has other tasks than it should may not have heard: an answer was lost.
  const isAstray = owned !== null &&
    !(areTasksWithin(owned, after.tasks) && areTasksWithin(after.tasks, owned));
  if (hasChanged && after.userEndpoint !== null) group.endpointEpoch++;
  const { topics, groups, config } = parts.context;
  const endpoints = group.endpointEpoch === request.endpointInformationEpoch
    ? null
    : endpointPartitions(group, after, configured.subtopologies ?? [], topics);
  return {
    memberId: after.memberId,
    memberEpoch: after.memberEpoch,
    heartbeatIntervalMs: config.streams.heartbeatIntervalMs(group.groupId),
    status,
    tasks: hasChanged || isAstray ? after.tasks : null,
    // What is counted before a group is there is forgotten.
    endpointInformationEpoch: groups.has(group.groupId) ? group.endpointEpoch : 0,
    partitionsByUserEndpoint: endpoints,
    topicsToCreate: configured.missing,
  };
}
