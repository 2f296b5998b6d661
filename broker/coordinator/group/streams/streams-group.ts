/**
 * A streams group (KIP-1071) as the fold of its records (Kafka's `StreamsGroup`), with what is only
 * kept in memory: the configured topology, endpoints, a shutdown that was asked for.
 *
 *     Empty: no members. NotReady: topics are missing or do not fit. Assigning: the target is of an
 *     older group epoch. Reconciling: a member is not where the target wants it. Stable.
 */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import type { CommitFence, CommitTarget, Group } from "../group.ts";
import type { CommittedOffset } from "../offsets/offset-records.ts";
import type { ConfiguredTopology } from "./configured-topology.ts";
import {
  currentAssignmentRecord,
  isReconciledTo,
  memberMetadataRecord,
  newStreamsMember,
  type StreamsMember,
  withMetadata,
  withPlace,
} from "./streams-member.ts";
import type { StreamsGroupRecord } from "./streams-records.ts";
import { TaskOwners } from "./task-owners.ts";
import { NO_TASKS, taskIds, type Tasks, taskSet } from "./tasks.ts";
import { StreamsTopology } from "./topology.ts";

/** Kafka's names, as ListGroups and StreamsGroupDescribe show them. */
export type StreamsGroupState = "Empty" | "NotReady" | "Assigning" | "Reconciling" | "Stable";

/** What the record of a group epoch says. */
export interface GroupEpoch {
  readonly epoch: number;
  readonly metadataHash: bigint;
  /** The topology epoch whose topics are all there and fit; −1 if they do not. */
  readonly validatedTopologyEpoch: number;
  /** The configs that the target assignment rests on, by name. */
  readonly assignmentConfigs: ReadonlyMap<string, string>;
}

/** As in Kafka, the first epoch that has members is the second. */
const FIRST_EPOCH: GroupEpoch = {
  epoch: 1,
  metadataHash: 0n,
  validatedTopologyEpoch: -1,
  assignmentConfigs: new Map(),
};

/** See the header. */
export class StreamsGroup implements Group {
  readonly kind = "streams";
  readonly protocolType = "streams";
  topology: StreamsTopology | null = null;
  /** The group epoch that the target assignment is for; −1 once it is removed. */
  assignmentEpoch = FIRST_EPOCH.epoch;
  /** Wall time at which the target was computed; 0 if it is not known. */
  assignmentTimestampMs = 0;
  readonly owners = new TaskOwners();
  /** The topology over the topics of `configured.metadataHash`; null if it is not known. */
  configured: ConfiguredTopology | null = null;
  /** Grows with each change of who has which task, of those that members with endpoints have. */
  endpointEpoch = 0;
  #shutdownRequestedBy: string | null = null;
  #current = FIRST_EPOCH;
  #refreshedForEpoch: number | null = null;
  readonly #members = new Map<string, StreamsMember>();
  readonly #targets = new Map<string, Tasks>();

  constructor(readonly groupId: string) {}

  /** By member id, in the order of joining. */
  get members(): ReadonlyMap<string, StreamsMember> {
    return this.#members;
  }

  /** The group epoch, and what it was started for. */
  get current(): GroupEpoch {
    return this.#current;
  }

  /** The target assignments by member id. */
  get targets(): ReadonlyMap<string, Tasks> {
    return this.#targets;
  }

  target(memberId: string): Tasks {
    return this.#targets.get(memberId) ?? NO_TASKS;
  }

  get state(): StreamsGroupState {
    const { assignmentEpoch, topology } = this;
    if (this.#members.size === 0) return "Empty";
    if (topology?.epoch !== this.#current.validatedTopologyEpoch) return "NotReady";
    if (this.#current.epoch > assignmentEpoch) return "Assigning";
    for (const member of this.#members.values()) {
      if (!isReconciledTo(member, assignmentEpoch)) return "Reconciling";
    }
    return "Stable";
  }

  get canExpire(): boolean {
    return this.#members.size === 0;
  }

  /** The member that has asked for the shutdown of all members, or null. */
  get shutdownRequestedBy(): string | null {
    return this.#shutdownRequestedBy;
  }

  /** All members are to shut down; the first who asks for it is named. */
  requestShutdown(memberId: string): void {
    this.#shutdownRequestedBy ??= memberId;
  }

  /** Topics may have changed, so the next heartbeat looks at them anew. */
  requestMetadataRefresh(): void {
    this.#refreshedForEpoch = null;
  }

  /** The hash is that of the topics now, once the group has reached this epoch. */
  metadataRefreshed(groupEpoch: number): void {
    this.#refreshedForEpoch = groupEpoch;
  }

  /** Whether the topics have to be looked at. If a write failed, its epoch was never reached. */
  get needsMetadataRefresh(): boolean {
    return this.#refreshedForEpoch === null || this.#current.epoch < this.#refreshedForEpoch;
  }

  // ---- Offsets and administrators.

  isSubscribedTo(topic: string): boolean {
    return this.#members.size > 0 && this.topology?.bySource(topic) !== undefined;
  }

  commitProblem(fence: CommitFence): ErrorCode {
    const { memberId, groupInstanceId, generationId, isTransactional } = fence;
    if (generationId < 0 && this.#members.size === 0) return Errors.NONE;
    const anonymous = generationId === -1 && memberId === "" && groupInstanceId === null;
    if (isTransactional && anonymous) return Errors.NONE;
    const member = this.#members.get(memberId);
    if (member === undefined) return Errors.UNKNOWN_MEMBER_ID;
    if (!isTransactional && !fence.knowsStaleMemberEpoch) return Errors.UNSUPPORTED_VERSION;
    return generationId > member.memberEpoch ? staleError(isTransactional) : Errors.NONE;
  }

  /** A member may be an epoch behind for tasks that it had in that epoch already (KIP-1251). */
  commitPartitionProblem(fence: CommitFence, target: CommitTarget): ErrorCode {
    const member = this.#members.get(fence.memberId);
    if (member === undefined || fence.generationId === member.memberEpoch) return Errors.NONE;
    const id = this.topology?.bySource(target.topic)?.subtopologyId ?? "";
    const epoch = member.tasks.active.get(id)?.get(target.partition) ??
      member.pendingRevocation.active.get(id)?.get(target.partition);
    return epoch === undefined || fence.generationId < epoch
      ? staleError(fence.isTransactional)
      : Errors.NONE;
  }

  fetchProblem(memberId: string | null, memberEpoch: number): ErrorCode {
    if (memberId === null && memberEpoch < 0) return Errors.NONE;
    const member = memberId === null ? undefined : this.#members.get(memberId);
    if (member === undefined) return Errors.UNKNOWN_MEMBER_ID;
    return memberEpoch === member.memberEpoch ? Errors.NONE : Errors.STALE_MEMBER_EPOCH;
  }

  offsetDeleteProblem(): ErrorCode {
    return Errors.NONE;
  }

  deleteProblem(): ErrorCode {
    return this.#members.size === 0 ? Errors.NONE : Errors.NON_EMPTY_GROUP;
  }

  /** Topics that no member reads lose their offsets after the retention since the commit. */
  retentionStart(): (offset: CommittedOffset) => number {
    return (offset) => offset.commitTimestampMs;
  }

  // ---- Records.

  stateRecords(): StreamsGroupRecord[] {
    const { groupId, topology } = this;
    const members = [...this.#members.values()];
    return [
      ...members.map((member) => memberMetadataRecord(groupId, member)),
      ...(topology === null ? [] : [topology.record(groupId)]),
      groupEpochRecord(groupId, this.#current),
      ...[...this.#targets].map(([memberId, target]) => targetRecord(groupId, memberId, target)),
      targetEpochRecord(groupId, this.assignmentEpoch, this.assignmentTimestampMs),
      ...members.map((member) => currentAssignmentRecord(groupId, member)),
    ];
  }

  /** In the order that Kafka's replay wants. */
  tombstones(): StreamsGroupRecord[] {
    const { groupId } = this;
    const memberIds = [...this.#members.keys()];
    const targetIds = new Set([...memberIds, ...this.#targets.keys()]);
    const key = { groupId };
    return [
      ...memberIds.map((memberId) => tombstone("current", groupId, memberId)),
      ...[...targetIds].map((memberId) => tombstone("target", groupId, memberId)),
      { type: "StreamsGroupTargetAssignmentMetadata", key, value: null },
      ...memberIds.map((memberId) => tombstone("metadata", groupId, memberId)),
      { type: "StreamsGroupMetadata", key, value: null },
      { type: "StreamsGroupTopology", key, value: null },
    ];
  }

  /** Folds a record; the one that removes the group is the business of whoever holds the groups. */
  fold(record: StreamsGroupRecord): void {
    switch (record.type) {
      case "StreamsGroupMetadata":
        if (record.value === null) return;
        this.#current = {
          epoch: record.value.epoch,
          metadataHash: record.value.metadataHash,
          validatedTopologyEpoch: record.value.validatedTopologyEpoch,
          assignmentConfigs: new Map(
            (record.value.lastAssignmentConfigs ?? []).map(({ key, value }) => [key, value]),
          ),
        };
        return;
      case "StreamsGroupMemberMetadata":
        return this.#foldMetadata(record.key.memberId, record.value);
      case "StreamsGroupTopology":
        this.topology = record.value === null ? null : new StreamsTopology(record.value);
        return;
      case "StreamsGroupTargetAssignmentMetadata":
        this.assignmentEpoch = record.value?.assignmentEpoch ?? -1;
        this.assignmentTimestampMs = Number(record.value?.assignmentTimestamp ?? 0n);
        return;
      case "StreamsGroupTargetAssignmentMember": {
        const { key, value } = record;
        if (value === null) this.#targets.delete(key.memberId);
        else {
          this.#targets.set(key.memberId, {
            active: taskSet(value.activeTasks),
            standby: taskSet(value.standbyTasks),
            warmup: taskSet(value.warmupTasks),
          });
        }
        return;
      }
      case "StreamsGroupCurrentMemberAssignment": {
        const { key, value } = record;
        const member = this.#members.get(key.memberId);
        if (member === undefined && value === null) return;
        return this.#put(withPlace(member ?? newStreamsMember(key.memberId), value));
      }
    }
  }

  #foldMetadata(memberId: string, value: Parameters<typeof withMetadata>[1] | null): void {
    const member = this.#members.get(memberId);
    if (value !== null) return this.#put(withMetadata(member ?? newStreamsMember(memberId), value));
    if (member === undefined) return;
    this.owners.remove(member);
    this.#members.delete(memberId);
    if (this.#members.size === 0) this.#shutdownRequestedBy = null;
  }

  #put(member: StreamsMember): void {
    const old = this.#members.get(member.memberId);
    if (old !== undefined) this.owners.remove(old);
    this.#members.set(member.memberId, member);
    this.owners.add(member);
  }
}

/** What a commit or fetch of another epoch than the member's answers. */
function staleError(isTransactional: boolean): ErrorCode {
  return isTransactional ? Errors.ILLEGAL_GENERATION : Errors.STALE_MEMBER_EPOCH;
}

/** The record that starts a group epoch. */
export function groupEpochRecord(groupId: string, epoch: GroupEpoch): StreamsGroupRecord {
  return {
    type: "StreamsGroupMetadata",
    key: { groupId },
    value: {
      epoch: epoch.epoch,
      metadataHash: epoch.metadataHash,
      validatedTopologyEpoch: epoch.validatedTopologyEpoch,
      lastAssignmentConfigs: [...epoch.assignmentConfigs].map(([key, value]) => ({ key, value })),
      storedDescriptionTopologyEpoch: -1,
      failedDescriptionTopologyEpoch: -1,
    },
  };
}

/** The record of a member's target. */
export function targetRecord(groupId: string, memberId: string, target: Tasks): StreamsGroupRecord {
  return {
    type: "StreamsGroupTargetAssignmentMember",
    key: { groupId, memberId },
    value: {
      activeTasks: taskIds(target.active),
      standbyTasks: taskIds(target.standby),
      warmupTasks: taskIds(target.warmup),
    },
  };
}

/** The record of the group epoch that all targets are for, and of when they were computed. */
export function targetEpochRecord(
  groupId: string,
  assignmentEpoch: number,
  timestampMs: number,
): StreamsGroupRecord {
  return {
    type: "StreamsGroupTargetAssignmentMetadata",
    key: { groupId },
    value: { assignmentEpoch, assignmentTimestamp: BigInt(timestampMs) },
  };
}

/** The records that remove a member, in the order that Kafka's replay wants. */
export function memberTombstones(groupId: string, memberId: string): StreamsGroupRecord[] {
  return (["current", "target", "metadata"] as const)
    .map((what) => tombstone(what, groupId, memberId));
}

const TOMBSTONES = {
  current: "StreamsGroupCurrentMemberAssignment",
  target: "StreamsGroupTargetAssignmentMember",
  metadata: "StreamsGroupMemberMetadata",
} as const;

function tombstone(
  what: keyof typeof TOMBSTONES,
  groupId: string,
  memberId: string,
): StreamsGroupRecord {
  return { type: TOMBSTONES[what], key: { groupId, memberId }, value: null };
}
