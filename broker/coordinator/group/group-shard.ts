/**
 * All groups of one partition of `__consumer_offsets`: the classic protocol and committed offsets
 * (Kafka's `GroupCoordinatorShard`). State and decisions only; the runtime does what they say.
 */
import { type ErrorCode, Errors } from "../../../core/errors.ts";
import type { Clock, Random } from "../../../core/io.ts";
import type { Logger } from "../../../core/logger.ts";
import { ZERO_UUID } from "../../../core/protocol/schema.ts";
import type { CoordinatorResult, CoordinatorShard, CoordinatorTimers } from "../shard.ts";
import {
  ClassicGroup,
  type ClassicMember,
  joinError,
  type JoinResponse,
  metadataOf,
  NO_BYTES,
  type Reply,
  syncError,
  type SyncResponse,
} from "./classic-group.ts";
import { type GroupConfig, GROUPS_PER_SHARD_MAX } from "./group-config.ts";
import type {
  CommittedOffset,
  GroupMetadataRecord,
  GroupMetadataValue,
  GroupRecord,
  MemberMetadata,
  OffsetCommitRecord,
} from "./group-records.ts";
import { JoinOperation, type JoinRequest } from "./join.ts";
import {
  heartbeat,
  leaveGroup,
  type LeavingMember,
  type LeftMember,
  type MemberRequest,
  syncGroup,
  type SyncRequest,
} from "./membership.ts";
import { OffsetStore } from "./offset-store.ts";
import {
  commitOffsets,
  commitProblem,
  type CommitRequest,
  deleteOffsets,
  expireOffsets,
  offsetTombstones,
  type PartitionErrors,
} from "./offsets.ts";
import { NO_STEP, Rebalancer, type Step } from "./rebalance.ts";

const EXPIRY_KEY = "expire offsets";

/** What a shard is made of. */
export interface GroupShardOptions {
  readonly config: GroupConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly timers: CoordinatorTimers<GroupRecord>;
  /** The id of a topic that exists now. */
  readonly topicId: (topic: string) => string | undefined;
}

/** A group as ListGroups shows it. */
export interface GroupListing {
  readonly groupId: string;
  readonly protocolType: string;
  readonly state: string;
  readonly type: string;
}

/** A group as DescribeGroups shows it. Metadata is shown in a stable group only. */
export interface GroupDescription {
  readonly groupId: string;
  readonly state: string;
  readonly protocolType: string;
  readonly protocolName: string;
  readonly members: readonly MemberDescription[];
}

export interface MemberDescription {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly metadata: Uint8Array;
  readonly assignment: Uint8Array;
}

/** See the header. */
export class GroupShard implements CoordinatorShard<GroupRecord> {
  readonly #groups = new Map<string, ClassicGroup>();
  readonly #offsets = new OffsetStore();
  readonly #options: GroupShardOptions;
  readonly #rebalancer: Rebalancer;
  readonly #join: JoinOperation;

  constructor(options: GroupShardOptions) {
    this.#options = options;
    const find = (groupId: string) => this.#groups.get(groupId);
    this.#rebalancer = new Rebalancer({
      config: options.config,
      clock: options.clock,
      timers: options.timers,
      logger: options.logger,
      find,
      forgetIfUnused: (group) => this.#forgetIfUnused(group),
    });
    const groups = { find, create: (groupId: string) => this.#create(groupId) };
    this.#join = new JoinOperation(this.#rebalancer, groups, options.random);
  }

  // ---- The log's view of the state.

  replay(record: GroupRecord): void {
    if (record.type === "OffsetCommit") return this.#foldOffset(record);
    const { groupId, value } = record;
    if (value === null) this.#remove(groupId);
    else this.#groups.set(groupId, groupFromRecord(record, value));
  }

  written(record: GroupRecord): void {
    if (record.type === "OffsetCommit") return this.#foldOffset(record);
    // The group itself is ahead of its record: it has members that wait, and sessions.
    const group = this.#groups.get(record.groupId);
    if (record.value === null) this.#remove(record.groupId);
    else if (group !== undefined) group.stored = record;
  }

  stateKeys(): string[] {
    return [...this.#groups.keys()];
  }

  stateOf(groupId: string): GroupRecord[] {
    const stored = this.#groups.get(groupId)?.stored ?? null;
    const records: GroupRecord[] = stored === null ? [] : [stored];
    for (const [topic, partitions] of this.#offsets.ofGroup(groupId)) {
      for (const [partition, value] of partitions) {
        records.push({ type: "OffsetCommit", groupId, topic, partition, value });
      }
    }
    return records;
  }

  onLoaded(): void {
    for (const group of this.#groups.values()) {
      for (const member of group.members.values()) this.#rebalancer.touch(group, member);
      if (group.members.size > this.#options.config.maxSize && group.canRebalance()) {
        this.#rebalancer.prepare(group, "the group is larger than group.max.size now");
      }
    }
    this.#options.timers.schedule("drop offsets of deleted topics", 0, () => this.dropDeleted());
    this.#scheduleExpiry();
  }

  onUnloaded(error: ErrorCode): void {
    for (const group of this.#groups.values()) {
      for (const member of group.members.values()) {
        group.completeJoin(member, joinError(error, member.memberId));
        group.completeSync(member, syncError(error));
      }
    }
    this.#groups.clear();
  }

  // ---- The classic protocol.

  /** `reply` is called at once or later, exactly once, whatever the outcome of the step. */
  join(request: JoinRequest, reply: Reply<JoinResponse>): Step {
    return this.#join.join(request, reply);
  }

  sync(request: SyncRequest, reply: Reply<SyncResponse>): Step {
    return syncGroup(this.#rebalancer, this.#groups.get(request.groupId), request, reply);
  }

  heartbeat(request: MemberRequest): ErrorCode {
    return heartbeat(this.#rebalancer, this.#groups.get(request.groupId), request);
  }

  leave(
    groupId: string,
    members: readonly LeavingMember[],
  ): CoordinatorResult<GroupRecord, readonly LeftMember[]> {
    const { step, left } = leaveGroup(this.#rebalancer, this.#groups.get(groupId), members);
    return { ...step, response: left };
  }

  /**
   * The connection of a JoinGroup or SyncGroup is gone, and with it whoever would hear the answer.
   * A member of an earlier generation keeps its part in the rebalance, as in Kafka, so that a
   * reconnect costs nobody anything. A new one is out: it has nothing to lose, and as a ghost it
   * would get partitions that nobody reads until its session ends.
   */
  abandon(groupId: string, reply: Reply<never>): Step {
    const group = this.#groups.get(groupId);
    if (group === undefined) return NO_STEP;
    for (const member of group.members.values()) {
      if (member.awaitingJoin === reply) {
        member.awaitingJoin = () => {};
        return member.isNew
          ? this.#rebalancer.removeMember(group, member, "the connection of a new member is gone")
          : NO_STEP;
      }
      if (member.awaitingSync === reply) {
        member.awaitingSync = null;
        this.#rebalancer.touch(group, member);
        return NO_STEP;
      }
    }
    return NO_STEP;
  }

  // ---- Offsets.

  commit(request: CommitRequest): CoordinatorResult<GroupRecord, PartitionErrors> {
    const group = this.#groups.get(request.groupId);
    const error = group === undefined
      ? this.#missingGroupProblem(request)
      : commitProblem(group, request);
    if (error !== Errors.NONE) return { records: [], response: { ok: false, error } };
    const member = group?.members.get(request.memberId);
    // A commit shows that the member is alive.
    if (group !== undefined && member !== undefined) this.#rebalancer.touch(group, member);
    const { config, clock } = this.#options;
    return commitOffsets(request, config.offsetMetadataMaxBytes, clock.wallMs());
  }

  /** What is committed for a partition, or undefined. An offset of a topic that was is none. */
  offset(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    const offset = this.#offsets.get(groupId, topic, partition);
    return offset !== undefined && this.#isOfTopic(topic, offset) ? offset : undefined;
  }

  /** Everything that is committed for a group. */
  allOffsets(groupId: string): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> {
    return this.#offsets.ofGroup(groupId);
  }

  deleteOffsets(
    groupId: string,
    topics: readonly { readonly name: string; readonly partitions: readonly number[] }[],
  ): CoordinatorResult<GroupRecord, PartitionErrors> {
    return deleteOffsets(this.#offsets, this.#groups.get(groupId), topics);
  }

  /** Removes the offsets of topics that do not exist, or not any more. */
  dropDeleted(): CoordinatorResult<GroupRecord, void> {
    const records = [...this.#offsets.groupIds()].flatMap((groupId) =>
      offsetTombstones(this.#offsets, groupId, (topic, offset) => !this.#isOfTopic(topic, offset))
    );
    return { records, response: undefined, atomic: false };
  }

  // ---- Groups as administrators see them.

  list(): GroupListing[] {
    return [...this.#groups.values()].map((group) => ({
      groupId: group.groupId,
      protocolType: group.protocolType ?? "",
      state: group.state,
      type: "classic",
    }));
  }

  describe(groupId: string): GroupDescription | undefined {
    const group = this.#groups.get(groupId);
    if (group === undefined) return undefined;
    const protocolName = group.state === "Stable" ? group.protocolName : null;
    return {
      groupId,
      state: group.state,
      protocolType: group.protocolType ?? "",
      protocolName: protocolName ?? "",
      members: [...group.members.values()].map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        metadata: protocolName === null ? NO_BYTES : metadataOf(member, protocolName),
        assignment: member.assignment,
      })),
    };
  }

  /** Removes the groups that are empty, with their offsets. */
  deleteGroups(
    groupIds: readonly string[],
  ): CoordinatorResult<GroupRecord, ReadonlyMap<string, ErrorCode>> {
    const records: GroupRecord[] = [];
    const errors = new Map<string, ErrorCode>();
    for (const groupId of groupIds) {
      const group = this.#groups.get(groupId);
      if (group === undefined) errors.set(groupId, Errors.GROUP_ID_NOT_FOUND);
      else if (group.state !== "Empty") errors.set(groupId, Errors.NON_EMPTY_GROUP);
      else if (!errors.has(groupId)) {
        errors.set(groupId, Errors.NONE);
        records.push(...offsetTombstones(this.#offsets, groupId, () => true));
        records.push({ type: "GroupMetadata", groupId, value: null });
      }
    }
    return { records, response: errors, atomic: false };
  }

  // ---- Inside.

  #foldOffset({ groupId, topic, partition, value }: OffsetCommitRecord): void {
    if (value === null) return this.#offsets.delete(groupId, topic, partition);
    // Consumers that only commit have a group too: an empty one without a protocol type.
    if (!this.#groups.has(groupId)) this.#materialize(groupId);
    this.#offsets.set(groupId, topic, partition, value);
  }

  #remove(groupId: string): void {
    const group = this.#groups.get(groupId);
    if (group !== undefined) this.#rebalancer.cancelAll(group);
    this.#groups.delete(groupId);
  }

  /** Removes what has expired, and groups that are left with nothing. */
  #expire(): CoordinatorResult<GroupRecord, void> {
    const { config, clock } = this.#options;
    const records: GroupRecord[] = [];
    for (const group of this.#groups.values()) {
      const retentionMs = config.offsetsRetentionMs;
      const expired = expireOffsets(this.#offsets, group, retentionMs, clock.wallMs());
      records.push(...expired.records);
      if (expired.nothingLeft && group.state === "Empty" && group.pendingJoin.size === 0) {
        records.push({ type: "GroupMetadata", groupId: group.groupId, value: null });
      }
    }
    this.#scheduleExpiry();
    return { records, response: undefined, atomic: false };
  }

  /** Whether the topic that the offset was committed for is there, and no other of its name. */
  #isOfTopic(topic: string, offset: CommittedOffset): boolean {
    const topicId = this.#options.topicId(topic);
    return topicId !== undefined && (offset.topicId === ZERO_UUID || offset.topicId === topicId);
  }

  #scheduleExpiry(): void {
    const { config, timers } = this.#options;
    timers.schedule(EXPIRY_KEY, config.offsetsRetentionCheckIntervalMs, () => this.#expire());
  }

  #missingGroupProblem(request: CommitRequest): ErrorCode {
    if (request.generationId >= 0) {
      return request.knowsGroupIdNotFound ? Errors.GROUP_ID_NOT_FOUND : Errors.ILLEGAL_GENERATION;
    }
    if (this.#groups.size >= GROUPS_PER_SHARD_MAX) return Errors.COORDINATOR_NOT_AVAILABLE;
    // As in Kafka, where an empty group is made first and then asked whether the sender is in it.
    return Errors.NONE;
  }

  #create(groupId: string): ClassicGroup | undefined {
    if (this.#groups.size >= GROUPS_PER_SHARD_MAX) return undefined;
    return this.#materialize(groupId);
  }

  #materialize(groupId: string): ClassicGroup {
    const group = ClassicGroup.empty(groupId, this.#options.clock.wallMs());
    this.#groups.set(groupId, group);
    return group;
  }

  #forgetIfUnused(group: ClassicGroup): void {
    const used = group.stored !== null || group.members.size > 0 || group.pendingJoin.size > 0 ||
      group.state !== "Empty" || this.#offsets.has(group.groupId);
    if (!used && this.#groups.get(group.groupId) === group) this.#groups.delete(group.groupId);
  }
}

function groupFromRecord(record: GroupMetadataRecord, value: GroupMetadataValue): ClassicGroup {
  const group = new ClassicGroup(record.groupId, {
    state: value.members.length === 0 ? "Empty" : "Stable",
    generationId: value.generationId,
    protocolType: value.protocolType === "" ? null : value.protocolType,
    protocolName: value.protocolName,
    leaderId: value.leaderId,
    stateTimestampMs: value.stateTimestampMs === -1 ? null : value.stateTimestampMs,
  });
  group.stored = record;
  for (const member of value.members) {
    group.add(memberFromRecord(member, value.protocolName ?? ""), value.protocolType);
  }
  group.refreshSubscribedTopics();
  return group;
}

function memberFromRecord(member: MemberMetadata, protocolName: string): ClassicMember {
  return {
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs === -1
      ? member.sessionTimeoutMs
      : member.rebalanceTimeoutMs,
    sessionTimeoutMs: member.sessionTimeoutMs,
    protocols: [{ name: protocolName, metadata: member.subscription }],
    assignment: member.assignment,
    awaitingJoin: null,
    awaitingSync: null,
    isNew: false,
  };
}
