/**
 * What a heartbeat leads to: the topology over the topics that there are, a new group epoch if
 * anything has changed that an assignment rests on, a new target for a new epoch. Follows Kafka's
 * `GroupMetadataManager.streamsGroupHeartbeat`.
 */
import { Errors } from "../../../../core/errors.ts";
import { accept, type Outcome, refuse } from "../../../outcome.ts";
import type { GroupRecord } from "../group-records.ts";
import { metadataHash } from "../modern/metadata-hash.ts";
import { type ConfiguredTopology, configureTopology, type Status } from "./configured-topology.ts";
import { StatusCodes } from "./configured-topology.ts";
import { NO_STEP, type Step, type StreamsParts } from "./parts.ts";
import { assignTasks } from "./sticky-assignor.ts";
import {
  type GroupEpoch,
  groupEpochRecord,
  type StreamsGroup,
  targetEpochRecord,
  targetRecord,
} from "./streams-group.ts";
import type { StreamsMember } from "./streams-member.ts";
import { NO_TASKS, sameTasks, type Tasks } from "./tasks.ts";
import { StreamsTopology, type TopologyValue } from "./topology.ts";

/** The name of the one config that an assignment rests on. */
const STANDBY_REPLICAS = "num.standby.replicas";

/** A heartbeat under way: the group, the member as it will be, the records so far. */
export interface Update {
  readonly group: StreamsGroup;
  readonly updated: StreamsMember;
  readonly records: GroupRecord[];
}

/** The topology of the group: the one that it has, or the first that a member brings. */
export function recordTopology(
  { group, records }: Update,
  value: TopologyValue | null,
): Outcome<StreamsTopology> {
  const present = group.topology;
  if (value === null) {
    if (present !== null) return accept(present);
    const why = "The group has no topology. The member must abandon all its tasks and rejoin.";
    return refuse(Errors.FENCED_MEMBER_EPOCH, why);
  }
  const topology = new StreamsTopology(value);
  if (present === null) {
    records.push(topology.record(group.groupId));
    return accept(topology);
  }
  // An older member stays, and hears that it is behind.
  if (present.epoch > topology.epoch || present.equals(topology)) return accept(present);
  return refuse(Errors.INVALID_REQUEST, "Topology updates are not supported yet.");
}

/** The topology over the topics as they are; looked at anew only if they may have changed. */
export function configure(
  parts: StreamsParts,
  group: StreamsGroup,
  topology: StreamsTopology,
): Outcome<ConfiguredTopology> {
  const { configured } = group;
  const isSame = configured !== null && configured.topology.equals(topology);
  if (isSame && !group.needsMetadataRefresh) return accept(configured);
  const { topics } = parts.context;
  const hash = metadataHash(topology.requiredTopics, topics);
  if (isSame && configured.metadataHash === hash) return accept(configured);
  const outcome = configureTopology(topology, hash, topics);
  if (outcome.ok) group.configured = outcome.value;
  return outcome;
}

/** The configs of the group that an assignment rests on. */
function assignmentConfigs(parts: StreamsParts, groupId: string): ReadonlyMap<string, string> {
  const { streams } = parts.context.config;
  return new Map([[STANDBY_REPLICAS, String(streams.standbyReplicas(groupId))]]);
}

/** Starts a group epoch if one is due; the epoch that the group is in then. */
export function recordGroupEpoch(
  parts: StreamsParts,
  { group, records }: Update,
  configured: ConfiguredTopology,
  memberChanged: boolean,
): number {
  const { current, groupId } = group;
  const next: GroupEpoch = {
    epoch: current.epoch + 1,
    metadataHash: configured.metadataHash,
    validatedTopologyEpoch: configured.problem === null ? configured.topology.epoch : -1,
    assignmentConfigs: assignmentConfigs(parts, groupId),
  };
  const isDue = memberChanged || group.topology === null ||
    next.metadataHash !== current.metadataHash ||
    next.validatedTopologyEpoch !== current.validatedTopologyEpoch ||
    next.assignmentConfigs.get(STANDBY_REPLICAS) !==
      current.assignmentConfigs.get(STANDBY_REPLICAS);
  if (isDue) records.push(groupEpochRecord(groupId, next));
  const epoch = isDue ? next.epoch : current.epoch;
  group.metadataRefreshed(epoch);
  return epoch;
}

/** The target of a group epoch, for one member. */
export interface Target {
  readonly epoch: number;
  readonly tasks: Tasks;
}

/** Computes a new target if the present one is of an older epoch and nothing is to be waited for. */
export function recordTarget(
  parts: StreamsParts,
  { group, updated, records }: Update,
  configured: ConfiguredTopology,
  groupEpoch: number,
  status: Status[],
): Target {
  const { groupId } = group;
  const delayed = (why: string) => {
    const statusDetail = `Assignment delayed due to the configured ${why}.`;
    status.push({ statusCode: StatusCodes.ASSIGNMENT_DELAYED, statusDetail });
  };
  if (parts.sessions.isDelayed(groupId)) {
    delayed("initial rebalance delay");
    return { epoch: group.assignmentEpoch, tasks: NO_TASKS };
  }
  const present = { epoch: group.assignmentEpoch, tasks: group.target(updated.memberId) };
  if (group.assignmentEpoch >= groupEpoch) return present;
  if (waitsForInterval(parts, group)) {
    delayed("assignment interval");
    return present;
  }
  const members = new Map(group.members).set(updated.memberId, updated);
  const targets = computeTargets(parts, group, [...members.values()], configured, records);
  records.push(targetEpochRecord(groupId, groupEpoch, parts.context.clock.wallMs()));
  return { epoch: groupEpoch, tasks: targets.get(updated.memberId) ?? NO_TASKS };
}

/** Assigns at the end of the initial rebalance delay, for all that have joined meanwhile. */
export function assignAfterDelay(parts: StreamsParts, groupId: string): Step {
  const group = parts.find(groupId);
  if (group === undefined || group.topology === null || group.members.size === 0) return NO_STEP;
  const configured = configure(parts, group, group.topology);
  if (!configured.ok) return NO_STEP;
  const { epoch } = group.current;
  if (group.assignmentEpoch >= epoch || waitsForInterval(parts, group)) return NO_STEP;
  const records: GroupRecord[] = [];
  computeTargets(parts, group, [...group.members.values()], configured.value, records);
  records.push(targetEpochRecord(groupId, epoch, parts.context.clock.wallMs()));
  return { records, response: undefined };
}

function waitsForInterval({ context }: StreamsParts, group: StreamsGroup): boolean {
  const intervalMs = context.config.streams.assignmentIntervalMs(group.groupId);
  return group.assignmentTimestampMs !== 0 && intervalMs > 0 &&
    context.clock.wallMs() < group.assignmentTimestampMs + intervalMs;
}

/** New targets of all members, none while topics are missing; records those that change. */
function computeTargets(
  parts: StreamsParts,
  group: StreamsGroup,
  members: readonly StreamsMember[],
  configured: ConfiguredTopology,
  records: GroupRecord[],
): ReadonlyMap<string, Tasks> {
  const { groupId } = group;
  const targets = assignTasks({
    members: members.map(({ memberId, processId }) => ({
      memberId,
      processId,
      target: group.target(memberId),
    })),
    subtopologies: configured.problem === null ? configured.subtopologies ?? [] : [],
    standbyReplicas: parts.context.config.streams.standbyReplicas(groupId),
  });
  for (const [memberId, tasks] of targets) {
    const before = group.targets.get(memberId);
    if (before === undefined || !sameTasks(before, tasks)) {
      records.push(targetRecord(groupId, memberId, tasks));
    }
  }
  return targets;
}
