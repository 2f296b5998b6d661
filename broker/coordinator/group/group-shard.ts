/**
 * All groups of one partition of `__consumer_offsets`, of every kind, and their committed offsets
 * (Kafka's `GroupCoordinatorShard`). State and decisions only; the runtime does what they say.
 *
 * One map holds the groups by id; each kind has its operations (`classic`, …), which share the map.
 */
import { type ErrorCode, Errors } from "../../../core/errors.ts";
import type { CoordinatorResult, CoordinatorShard } from "../shard.ts";
import {
  ClassicGroup,
  joinError,
  type JoinResponse,
  type Reply,
  type SyncResponse,
} from "./classic/classic-group.ts";
import { ClassicGroups } from "./classic/classic-groups.ts";
import type { JoinRequest } from "./classic/join.ts";
import type {
  LeavingMember,
  LeftMember,
  MemberRequest,
  SyncRequest,
} from "./classic/membership.ts";
import { ConsumerGroup } from "./consumer/consumer-group.ts";
import { ConsumerGroups } from "./consumer/consumer-groups.ts";
import type { Group, GroupContext, GroupKind, TopicsChange } from "./group.ts";
import type { GroupRecord } from "./group-records.ts";
import { GroupOffsets } from "./offsets/group-offsets.ts";
import { isShareGroupRecord } from "./share/share-group-records.ts";
import { ShareGroups } from "./share/share-groups.ts";
import { OffsetStore } from "./offsets/offset-store.ts";
import { StreamsGroups } from "./streams/streams-groups.ts";
import { isStreamsRecord } from "./streams/streams-records.ts";

const EXPIRY_KEY = "expire offsets";

/** The kinds of groups that a member of the classic protocol may join when they are empty. */
const CONVERTIBLE_WHEN_EMPTY: ReadonlySet<GroupKind> = new Set<GroupKind>(["consumer", "streams"]);

/** What a shard is made of. */
export type GroupShardOptions = Omit<GroupContext, "groups" | "hasOffsets">;

/** A group as ListGroups shows it. */
export interface GroupListing {
  readonly groupId: string;
  readonly protocolType: string;
  readonly state: string;
  readonly type: GroupKind;
}

/** See the header. */
export class GroupShard implements CoordinatorShard<GroupRecord> {
  readonly classic: ClassicGroups;
  readonly consumer: ConsumerGroups;
  readonly share: ShareGroups;
  readonly streams: StreamsGroups;
  readonly offsets: GroupOffsets;
  readonly #context: GroupContext;
  #conversions = 0;

  constructor(options: GroupShardOptions) {
    const store = new OffsetStore();
    this.#context = {
      ...options,
      groups: new Map<string, Group>(),
      hasOffsets: (groupId) => store.has(groupId),
    };
    this.classic = new ClassicGroups(this.#context);
    this.consumer = new ConsumerGroups(this.#context, this.classic);
    this.share = new ShareGroups(this.#context);
    this.streams = new StreamsGroups(this.#context);
    this.offsets = new GroupOffsets(
      this.#context,
      store,
      (groupId) => this.classic.materialize(groupId),
      (group, memberId) => {
        if (group instanceof ClassicGroup) this.classic.touch(group, memberId);
      },
    );
  }

  // ---- The log's view of the state.

  replay(record: GroupRecord, offset: number): void {
    switch (record.type) {
      case "OffsetCommit":
        return this.offsets.fold(record, offset);
      case "GroupMetadata":
        return this.classic.replay(record);
      default:
        if (isShareGroupRecord(record)) this.share.replay(record);
        else if (isStreamsRecord(record)) this.streams.replay(record);
        else this.consumer.replay(record);
        return this.#keepOffsets(record.key.groupId);
    }
  }

  written(record: GroupRecord, offset: number): void {
    switch (record.type) {
      case "OffsetCommit":
        return this.offsets.fold(record, offset);
      case "GroupMetadata":
        return this.classic.written(record);
      default:
        if (isShareGroupRecord(record)) this.share.written(record);
        else if (isStreamsRecord(record)) this.streams.written(record);
        else this.consumer.written(record);
        return this.#keepOffsets(record.key.groupId);
    }
  }

  /** Offsets are all that is ever written in a transaction. */
  pend(record: GroupRecord, offset: number, producerId: number): void {
    if (record.type === "OffsetCommit") this.offsets.pend(record, offset, producerId);
  }

  endTransaction(producerId: number, isCommitted: boolean): void {
    this.offsets.endTransaction(producerId, isCommitted);
  }

  stateKeys(): string[] {
    return [...this.#context.groups.keys()];
  }

  stateOf(groupId: string): GroupRecord[] {
    const group = this.#context.groups.get(groupId);
    return [...(group?.stateRecords() ?? []), ...this.offsets.stateRecords(groupId)];
  }

  onLoaded(): void {
    this.classic.onLoaded();
    this.consumer.onLoaded();
    this.share.onLoaded();
    this.streams.onLoaded();
    const { timers } = this.#context;
    timers.schedule("drop offsets of deleted topics", 0, () => this.offsets.dropDeleted());
    this.#scheduleExpiry();
  }

  onUnloaded(error: ErrorCode): void {
    this.classic.onUnloaded(error);
    this.share.onUnloaded();
    this.#context.groups.clear();
  }

  /** The groups that read the topics look at their metadata at the next heartbeat. */
  onTopicsChanged(change: TopicsChange): void {
    this.consumer.onTopicsChanged(change);
    this.share.onTopicsChanged(change);
    this.streams.onTopicsChanged(change);
  }

  // ---- The classic protocol, which members of a consumer group may speak too.

  /** `reply` is called at once or later, exactly once, if the step is written. */
  join(request: JoinRequest, reply: Reply<JoinResponse>): CoordinatorResult<GroupRecord, void> {
    const { groupId } = request;
    const group = this.find(groupId);
    if (group === undefined || group instanceof ClassicGroup) {
      return this.classic.join(request, reply);
    }
    if (group instanceof ConsumerGroup && group.members.size > 0) {
      return this.consumer.join(group, request, reply);
    }
    if (!CONVERTIBLE_WHEN_EMPTY.has(group.kind) || group.state !== "Empty") {
      reply(joinError(Errors.INCONSISTENT_GROUP_PROTOCOL, ""));
      return { records: [], response: undefined };
    }
    // Without members a group has no kind; it is a classic one once this is written.
    return {
      records: group.tombstones(),
      response: undefined,
      onCommitted: () => {
        const key = `join ${this.#conversions++} ${groupId}`;
        this.#context.timers.schedule(key, 0, () => this.join(request, reply));
      },
    };
  }

  /** As `join`. */
  sync(request: SyncRequest, reply: Reply<SyncResponse>): CoordinatorResult<GroupRecord, void> {
    const group = this.consumer.find(request.groupId);
    return group === undefined
      ? this.classic.sync(request, reply)
      : this.consumer.sync(group, request, reply);
  }

  heartbeat(request: MemberRequest): ErrorCode {
    const group = this.consumer.find(request.groupId);
    return group === undefined
      ? this.classic.heartbeat(request)
      : this.consumer.classicHeartbeat(group, request);
  }

  leave(
    groupId: string,
    members: readonly LeavingMember[],
  ): CoordinatorResult<GroupRecord, readonly LeftMember[]> {
    const group = this.consumer.find(groupId);
    return group === undefined
      ? this.classic.leave(groupId, members)
      : this.consumer.leave(group, members);
  }

  // ---- Groups of every kind.

  /** A group, undefined if there is none of that id. */
  find(groupId: string): Group | undefined {
    return this.#context.groups.get(groupId);
  }

  list(): GroupListing[] {
    return [...this.#context.groups.values()].map((group) => ({
      groupId: group.groupId,
      protocolType: group.protocolType ?? "",
      state: group.state,
      type: group.kind,
    }));
  }

  /** Shows every group. */
  visit(look: (group: Group, offsets: GroupOffsets) => void): void {
    for (const group of this.#context.groups.values()) look(group, this.offsets);
  }

  /** Removes the groups that are empty, with their offsets. */
  deleteGroups(
    groupIds: readonly string[],
  ): CoordinatorResult<GroupRecord, ReadonlyMap<string, ErrorCode>> {
    const records: GroupRecord[] = [];
    const errors = new Map<string, ErrorCode>();
    for (const groupId of new Set(groupIds)) {
      const group = this.find(groupId);
      const error = group === undefined ? Errors.GROUP_ID_NOT_FOUND : group.deleteProblem();
      errors.set(groupId, error);
      if (group === undefined || error !== Errors.NONE) continue;
      records.push(...this.offsets.tombstones(groupId), ...group.tombstones());
    }
    return { records, response: errors, atomic: false };
  }

  /** Offsets always have a group; a classic one without a protocol where there is no other. */
  #keepOffsets(groupId: string): void {
    if (this.find(groupId) === undefined && this.#context.hasOffsets(groupId)) {
      this.classic.materialize(groupId);
    }
  }

  #scheduleExpiry(): void {
    const { config, groups, timers } = this.#context;
    timers.schedule(
      EXPIRY_KEY,
      config.offsetsRetentionCheckIntervalMs,
      () => this.#expire([...groups.keys()]),
      "housekeeping",
    );
  }

  /** One step over these groups; the next one follows when what it wrote is committed. */
  #expire(groupIds: readonly string[]): CoordinatorResult<GroupRecord, void> {
    // Where a step fails, the next pass takes up its work.
    this.#scheduleExpiry();
    const { records, rest } = this.offsets.expire(groupIds);
    const goOn = () =>
      this.#context.timers.schedule(EXPIRY_KEY, 0, () => this.#expire(rest), "housekeeping");
    return {
      records,
      response: undefined,
      atomic: false,
      ...(rest.length > 0 && { onCommitted: goOn }),
    };
  }
}
