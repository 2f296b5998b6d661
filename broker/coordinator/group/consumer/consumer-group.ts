/**
 * A consumer group (KIP-848) as the fold of its records (Kafka's `ConsumerGroup`). Reads and the
 * fold only; what happens when is in `heartbeat.ts`, `sessions.ts` and `classic-members.ts`.
 *
 *     Empty: no members. Assigning: the target is of an older group epoch. Reconciling: a member is
 *     not where the target wants it. Stable.
 */
import { assert } from "../../../../core/assert.ts";
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import type { CommitFence, CommitTarget, Group } from "../group.ts";
import { assignmentOf, topicPartitionsOf } from "../modern/topic-partitions.ts";
import { ModernGroup } from "../modern/modern-group.ts";
import type { CommittedOffset } from "../offsets/offset-records.ts";
import {
  type ConsumerMember,
  currentAssignmentRecord,
  isReconciledTo,
  memberMetadataRecord,
  newConsumerMember,
  withMetadata,
  withPlace,
} from "./consumer-member.ts";
import type { ConsumerGroupRecord } from "./consumer-records.ts";

/** Kafka's names, as ListGroups and ConsumerGroupDescribe show them. */
export type ConsumerGroupState = "Empty" | "Assigning" | "Reconciling" | "Stable";

/** What a regular expression matched, in which metadata, and when that was (wall time). */
export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>;
  readonly version: number;
  readonly timestampMs: number;
}

const NONE_OWNED = new Map<number, string>();

/** See the header. */
export class ConsumerGroup extends ModernGroup<ConsumerMember> implements Group {
  readonly kind = "consumer";
  readonly protocolType = "consumer";
  /** Whether a record of before Kafka 4.1 lists the topics; it goes with the next change. */
  hasPartitionMetadata = false;
  readonly #staticMembers = new Map<string, string>();
  readonly #regexes = new Map<string, ResolvedRegex>();
  readonly #regexSubscribers = new Map<string, number>();
  readonly #owners = new Map<string, Map<number, string>>();

  get state(): ConsumerGroupState {
    if (this.members.size === 0) return "Empty";
    if (this.groupEpoch > this.assignmentEpoch) return "Assigning";
    for (const member of this.members.values()) {
      if (!isReconciledTo(member, this.assignmentEpoch)) return "Reconciling";
    }
    return "Stable";
  }

  get canExpire(): boolean {
    return this.members.size === 0;
  }

  /** The member with the instance id, whatever its member id. */
  staticMember(instanceId: string): ConsumerMember | undefined {
    const memberId = this.#staticMembers.get(instanceId);
    return memberId === undefined ? undefined : this.members.get(memberId);
  }

  /** Whether no member has the partition, nor still has to give it up. */
  isFree(topicId: string, partition: number): boolean {
    return !(this.#owners.get(topicId) ?? NONE_OWNED).has(partition);
  }

  /** What the regular expressions of the members have matched. */
  get regexes(): ReadonlyMap<string, ResolvedRegex> {
    return this.#regexes;
  }

  /** How many members subscribe by each regular expression that any of them has. */
  get regexSubscribers(): ReadonlyMap<string, number> {
    return this.#regexSubscribers;
  }

  /** The names of the topics that a member subscribes to, by name or by regular expression. */
  topicNamesOf(member: ConsumerMember): ReadonlySet<string> {
    const resolved = this.#regexes.get(member.subscribedTopicRegex ?? "");
    if (resolved === undefined || resolved.topics.size === 0) return member.subscribedTopicNames;
    if (member.subscribedTopicNames.size === 0) return resolved.topics;
    return member.subscribedTopicNames.union(resolved.topics);
  }

  override subscribedTopicsOf(members: Iterable<ConsumerMember>): ReadonlySet<string> {
    const names = new Set<string>();
    const regexes = new Set<string>();
    for (const member of members) {
      for (const name of member.subscribedTopicNames) names.add(name);
      if (member.subscribedTopicRegex) regexes.add(member.subscribedTopicRegex);
    }
    for (const regex of regexes) {
      for (const name of this.#regexes.get(regex)?.topics ?? []) names.add(name);
    }
    return names;
  }

  /** The members as they will be with this one in its place; it takes over its instance id. */
  membersWith(updated: ConsumerMember): ConsumerMember[] {
    const replaced = updated.instanceId === null
      ? undefined
      : this.#staticMembers.get(updated.instanceId);
    const members: ConsumerMember[] = [];
    for (const member of this.members.values()) {
      if (member.memberId !== updated.memberId && member.memberId !== replaced) {
        members.push(member);
      }
    }
    members.push(updated);
    return members;
  }

  /** The assignor that most members ask for, or null if none does. */
  preferredAssignor(members: Iterable<ConsumerMember> = this.members.values()): string | null {
    const votes = new Map<string, number>();
    for (const { serverAssignor } of members) {
      if (serverAssignor !== null) {
        votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1);
      }
    }
    let best: string | null = null;
    for (const [name, count] of votes) {
      if (best === null || count > (votes.get(best) ?? 0)) best = name;
    }
    return best;
  }

  // ---- Offsets and administrators.

  commitProblem(fence: CommitFence): ErrorCode {
    const { memberId, groupInstanceId, generationId, isTransactional } = fence;
    if (generationId < 0 && this.members.size === 0) return Errors.NONE;
    // A transactional producer of before KIP-447 does not say for which member it commits.
    const anonymous = generationId === -1 && memberId === "" && groupInstanceId === null;
    if (isTransactional && anonymous) return Errors.NONE;
    const member = this.members.get(memberId);
    if (member === undefined) return Errors.UNKNOWN_MEMBER_ID;
    if (!isTransactional && member.classic === null && !fence.knowsStaleMemberEpoch) {
      return Errors.UNSUPPORTED_VERSION;
    }
    return generationId > member.memberEpoch ? staleError(member, isTransactional) : Errors.NONE;
  }

  /** A member may be an epoch behind for partitions that it had in that epoch already (KIP-1251). */
  commitPartitionProblem(fence: CommitFence, target: CommitTarget): ErrorCode {
    const member = this.members.get(fence.memberId);
    if (member === undefined || fence.generationId === member.memberEpoch) return Errors.NONE;
    const epoch = member.assigned.get(target.topicId)?.get(target.partition) ??
      member.pendingRevocation.get(target.topicId)?.get(target.partition);
    return epoch === undefined || fence.generationId < epoch
      ? staleError(member, fence.isTransactional)
      : Errors.NONE;
  }

  fetchProblem(memberId: string | null, memberEpoch: number): ErrorCode {
    if (memberId === null && memberEpoch < 0) return Errors.NONE;
    const member = memberId === null ? undefined : this.members.get(memberId);
    if (member === undefined) return Errors.UNKNOWN_MEMBER_ID;
    return memberEpoch === member.memberEpoch ? Errors.NONE : staleError(member, false);
  }

  offsetDeleteProblem(): ErrorCode {
    return Errors.NONE;
  }

  deleteProblem(): ErrorCode {
    return this.members.size === 0 ? Errors.NONE : Errors.NON_EMPTY_GROUP;
  }

  /** Topics that no member reads lose their offsets after the retention since the commit. */
  retentionStart(): (offset: CommittedOffset) => number {
    return (offset) => offset.commitTimestampMs;
  }

  // ---- Records.

  stateRecords(): ConsumerGroupRecord[] {
    const { groupId } = this;
    const members = [...this.members.values()];
    return [
      ...members.map((member) => memberMetadataRecord(groupId, member)),
      groupEpochRecord(groupId, this.groupEpoch, this.metadataHash),
      ...[...this.targetAssignment].map(([memberId, target]) =>
        targetAssignmentRecord(groupId, memberId, target)
      ),
      targetEpochRecord(groupId, this.assignmentEpoch, this.assignmentTimestampMs),
      ...members.map((member) => currentAssignmentRecord(groupId, member)),
      ...[...this.#regexes].map(([regex, resolved]) => regexRecord(groupId, regex, resolved)),
    ];
  }

  /** In the order that Kafka's replay wants. */
  tombstones(): ConsumerGroupRecord[] {
    const { groupId } = this;
    const memberIds = [...this.members.keys()];
    const records: ConsumerGroupRecord[] = [];
    for (const memberId of memberIds) records.push(tombstone("current", groupId, memberId));
    for (const memberId of new Set([...memberIds, ...this.targetAssignment.keys()])) {
      records.push(tombstone("target", groupId, memberId));
    }
    const key = { groupId };
    records.push({ type: "ConsumerGroupTargetAssignmentMetadata", key, value: null });
    for (const memberId of memberIds) records.push(tombstone("metadata", groupId, memberId));
    for (const regex of this.#regexes.keys()) records.push(regexRecord(groupId, regex, null));
    if (this.hasPartitionMetadata) {
      records.push({ type: "ConsumerGroupPartitionMetadata", key, value: null });
    }
    records.push({ type: "ConsumerGroupMetadata", key, value: null });
    return records;
  }

  /** Folds a record; the one that removes the group is the business of whoever holds the groups. */
  fold(record: ConsumerGroupRecord): void {
    switch (record.type) {
      case "ConsumerGroupMetadata":
        if (record.value === null) return;
        this.groupEpoch = record.value.epoch;
        this.metadataHash = record.value.metadataHash;
        return;
      case "ConsumerGroupPartitionMetadata":
        this.hasPartitionMetadata = record.value !== null;
        return;
      case "ConsumerGroupMemberMetadata":
        return this.#foldMetadata(record.key.memberId, record.value);
      case "ConsumerGroupTargetAssignmentMetadata":
        this.assignmentEpoch = record.value?.assignmentEpoch ?? -1;
        this.assignmentTimestampMs = Number(record.value?.assignmentTimestamp ?? 0n);
        return;
      case "ConsumerGroupTargetAssignmentMember": {
        const { key, value } = record;
        return this.setTarget(
          key.memberId,
          value === null ? null : assignmentOf(value.topicPartitions),
        );
      }
      case "ConsumerGroupCurrentMemberAssignment": {
        const { key, value } = record;
        const member = this.members.get(key.memberId);
        if (member === undefined && value === null) return;
        return this.#put(withPlace(member ?? newConsumerMember(key.memberId), value));
      }
      case "ConsumerGroupRegularExpression":
        return this.#foldRegex(record.key.regularExpression, record.value);
    }
  }

  #foldMetadata(memberId: string, value: Parameters<typeof withMetadata>[1] | null): void {
    const member = this.members.get(memberId);
    if (value !== null) {
      this.#put(withMetadata(member ?? newConsumerMember(memberId), value));
    } else if (member !== undefined) {
      this.#free(member);
      this.#countRegex(member, -1);
      this.memberMap.delete(memberId);
      const { instanceId } = member;
      if (instanceId !== null && this.#staticMembers.get(instanceId) === memberId) {
        this.#staticMembers.delete(instanceId);
      }
    }
    this.subscriptionsChanged();
  }

  #foldRegex(
    regex: string,
    value: {
      readonly topics: readonly string[];
      readonly version: bigint;
      readonly timestamp: bigint;
    } | null,
  ): void {
    if (value === null) this.#regexes.delete(regex);
    else {
      this.#regexes.set(regex, {
        topics: new Set(value.topics),
        version: Number(value.version),
        timestampMs: Number(value.timestamp),
      });
    }
    this.subscriptionsChanged();
  }

  #put(member: ConsumerMember): void {
    const old = this.members.get(member.memberId);
    if (old !== undefined) {
      this.#free(old);
      this.#countRegex(old, -1);
    }
    this.#countRegex(member, 1);
    this.memberMap.set(member.memberId, member);
    if (member.instanceId !== null) this.#staticMembers.set(member.instanceId, member.memberId);
    for (const assignment of [member.assigned, member.pendingRevocation]) {
      for (const [topicId, partitions] of assignment) {
        let owners = this.#owners.get(topicId);
        if (owners === undefined) this.#owners.set(topicId, owners = new Map());
        for (const partition of partitions.keys()) owners.set(partition, member.memberId);
      }
    }
  }

  #countRegex({ subscribedTopicRegex: regex }: ConsumerMember, by: 1 | -1): void {
    if (!regex) return;
    const count = (this.#regexSubscribers.get(regex) ?? 0) + by;
    if (count === 0) this.#regexSubscribers.delete(regex);
    else this.#regexSubscribers.set(regex, count);
  }

  #free(member: ConsumerMember): void {
    for (const assignment of [member.assigned, member.pendingRevocation]) {
      for (const [topicId, partitions] of assignment) {
        const owners = this.#owners.get(topicId);
        if (owners === undefined) continue;
        for (const partition of partitions.keys()) {
          if (owners.get(partition) === member.memberId) owners.delete(partition);
        }
        if (owners.size === 0) this.#owners.delete(topicId);
      }
    }
  }
}

/** What a commit or fetch of another epoch than the member's answers. */
function staleError(member: ConsumerMember, isTransactional: boolean): ErrorCode {
  return member.classic !== null || isTransactional
    ? Errors.ILLEGAL_GENERATION
    : Errors.STALE_MEMBER_EPOCH;
}

/** The record that starts a group epoch. */
export function groupEpochRecord(
  groupId: string,
  epoch: number,
  metadataHash: bigint,
): ConsumerGroupRecord {
  assert(epoch >= 0, "a group epoch only grows");
  return { type: "ConsumerGroupMetadata", key: { groupId }, value: { epoch, metadataHash } };
}

/** The record of a member's target. */
export function targetAssignmentRecord(
  groupId: string,
  memberId: string,
  target: Parameters<typeof topicPartitionsOf>[0],
): ConsumerGroupRecord {
  return {
    type: "ConsumerGroupTargetAssignmentMember",
    key: { groupId, memberId },
    value: { topicPartitions: topicPartitionsOf(target) },
  };
}

/** The record of the group epoch that all targets are for, and of when they were computed. */
export function targetEpochRecord(
  groupId: string,
  assignmentEpoch: number,
  timestampMs: number,
): ConsumerGroupRecord {
  return {
    type: "ConsumerGroupTargetAssignmentMetadata",
    key: { groupId },
    value: { assignmentEpoch, assignmentTimestamp: BigInt(timestampMs) },
  };
}

/** The record of what a regular expression matched; null removes it. */
export function regexRecord(
  groupId: string,
  regularExpression: string,
  resolved: ResolvedRegex | null,
): ConsumerGroupRecord {
  return {
    type: "ConsumerGroupRegularExpression",
    key: { groupId, regularExpression },
    value: resolved === null ? null : {
      topics: [...resolved.topics].toSorted(),
      version: BigInt(resolved.version),
      timestamp: BigInt(resolved.timestampMs),
    },
  };
}

const TOMBSTONES = {
  current: "ConsumerGroupCurrentMemberAssignment",
  target: "ConsumerGroupTargetAssignmentMember",
  metadata: "ConsumerGroupMemberMetadata",
} as const;

function tombstone(
  what: keyof typeof TOMBSTONES,
  groupId: string,
  memberId: string,
): ConsumerGroupRecord {
  return { type: TOMBSTONES[what], key: { groupId, memberId }, value: null };
}

/** The records that remove a member, in the order that Kafka's replay wants. */
export function memberTombstones(groupId: string, memberId: string): ConsumerGroupRecord[] {
  return [
    tombstone("current", groupId, memberId),
    tombstone("target", groupId, memberId),
    tombstone("metadata", groupId, memberId),
  ];
}
