/** The share groups of a shard (KIP-932): membership, and what the share coordinator knows of them. */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import { accept, type Outcome, refuse } from "../../../outcome.ts";
import type { CoordinatorResult } from "../../shard.ts";
import {
  type GroupContext,
  type GroupKindOperations,
  type TopicsChange,
  type TopicView,
} from "../group.ts";
import { GROUPS_PER_SHARD_MAX } from "../group-config.ts";
import type { GroupRecord } from "../group-records.ts";
import { JOIN_EPOCH, LEAVE_EPOCH } from "../modern/modern-group.ts";
import type { PartitionsById } from "./known-partitions.ts";
import { epochRecord, knownRecord, memberTombstones, ShareGroup } from "./share-group.ts";
import type { ShareGroupRecord } from "./share-group-records.ts";
import {
  type HeartbeatParts,
  type Initialization,
  memberEpochProblem,
  refused,
  shareHeartbeat,
  type ShareHeartbeatRequest,
  type ShareHeartbeatResult,
} from "./share-heartbeat.ts";

type Step<T = void> = CoordinatorResult<GroupRecord, T>;

const NO_STEP: Step = { records: [], response: undefined };

const sessionKey = (groupId: string, memberId: string) =>
  `share session ${memberId.length} ${memberId} ${groupId}`;

/** See the header. */
export class ShareGroups implements GroupKindOperations<ShareGroupRecord> {
  readonly #context: GroupContext;
  readonly #parts: HeartbeatParts;

  constructor(context: GroupContext) {
    this.#context = context;
    this.#parts = {
      context,
      attempts: new Map(),
      touch: (groupId, memberId) => this.#touch(groupId, memberId),
    };
  }

  /** The group, if there is one of that id and it is a share group. */
  find(groupId: string): ShareGroup | undefined {
    const group = this.#context.groups.get(groupId);
    return group instanceof ShareGroup ? group : undefined;
  }

  // ---- The log's view of the state.

  replay(record: ShareGroupRecord): void {
    const { groupId } = record.key;
    const known = this.#context.groups.get(groupId);
    if (record.value === null && !(known instanceof ShareGroup)) return;
    if (record.type === "ShareGroupMetadata" && record.value === null) {
      this.#context.groups.delete(groupId);
      return;
    }
    const group = known instanceof ShareGroup ? known : new ShareGroup(groupId);
    this.#context.groups.set(groupId, group);
    group.fold(record);
  }

  written(record: ShareGroupRecord): void {
    this.replay(record);
    if (record.type === "ShareGroupMemberMetadata" && record.value === null) {
      this.#context.timers.cancel(sessionKey(record.key.groupId, record.key.memberId));
    }
  }

  onLoaded(): void {
    for (const group of this.#all()) {
      for (const memberId of group.members.keys()) this.#touch(group.groupId, memberId);
    }
    this.#context.timers.schedule(
      "forget deleted topics of share groups",
      0,
      () => this.#forgetDeleted(),
    );
  }

  onUnloaded(): void {
    this.#parts.attempts.clear();
  }

  /** Topics have come, gone or grown. */
  onTopicsChanged({ names, deleted }: TopicsChange): void {
    for (const group of this.#all()) {
      if (names.some((name) => group.isSubscribedTo(name))) group.requestMetadataRefresh();
    }
    if (!deleted) return;
    this.#context.timers.schedule(
      "forget deleted topics of share groups",
      0,
      () => this.#forgetDeleted(),
    );
  }

  // ---- Members.

  heartbeat(request: ShareHeartbeatRequest): ShareHeartbeatResult {
    const { groupId, memberId, memberEpoch } = request;
    const other = this.#context.groups.get(groupId);
    const known = this.find(groupId);
    if (known === undefined) {
      if (other !== undefined) return refused(Errors.GROUP_ID_NOT_FOUND, notShare(groupId));
      if (memberEpoch !== JOIN_EPOCH) {
        return refused(Errors.GROUP_ID_NOT_FOUND, notFound(groupId));
      }
      if (this.#context.groups.size >= GROUPS_PER_SHARD_MAX) {
        return refused(Errors.GROUP_MAX_SIZE_REACHED, "There are too many groups.");
      }
    }
    const group = known ?? new ShareGroup(groupId);
    const member = group.members.get(memberId);
    if (memberEpoch === LEAVE_EPOCH) return this.#leave(group, memberId);
    const { maxSize } = this.#context.config.share;
    if (member === undefined && memberEpoch === JOIN_EPOCH && group.members.size >= maxSize) {
      const message = `The share group has reached its maximum capacity of ${maxSize} members.`;
      return refused(Errors.GROUP_MAX_SIZE_REACHED, message);
    }
    const problem = memberEpochProblem(member, memberEpoch);
    if (problem !== Errors.NONE) return refused(problem, memberProblem(groupId, problem));
    return shareHeartbeat(this.#parts, group, request);
  }

  /** A share group, or why there is none. */
  describe(groupId: string): Outcome<ShareGroup> {
    const group = this.find(groupId);
    if (group !== undefined) return accept(group);
    const isOther = this.#context.groups.has(groupId);
    return refuse(Errors.GROUP_ID_NOT_FOUND, isOther ? notShare(groupId) : notFound(groupId));
  }

  #leave(group: ShareGroup, memberId: string): ShareHeartbeatResult {
    if (!group.members.has(memberId)) {
      const error = Errors.UNKNOWN_MEMBER_ID;
      return refused(error, memberProblem(group.groupId, error));
    }
    const outcome = accept({ memberId, memberEpoch: LEAVE_EPOCH, assignment: null });
    return {
      records: this.#removal(group, memberId),
      response: { outcome, initialization: null },
    };
  }

  #removal(group: ShareGroup, memberId: string): ShareGroupRecord[] {
    const { groupId } = group;
    const rest = [...group.members.values()].filter((each) => each.memberId !== memberId);
    const hash = group.hashOf(group.subscribedTopicsOf(rest), this.#context.topics);
    return [
      ...memberTombstones(groupId, memberId),
      epochRecord(groupId, group.groupEpoch + 1, hash),
    ];
  }

  #touch(groupId: string, memberId: string): void {
    const { config, logger, timers } = this.#context;
    timers.schedule(sessionKey(groupId, memberId), config.share.sessionTimeoutMs(groupId), () => {
      const group = this.find(groupId);
      if (group?.members.has(memberId) !== true) return NO_STEP;
      logger.info("a member of a share group is gone", {
        group: groupId,
        member: memberId,
        why: "its session has expired",
      });
      return { records: this.#removal(group, memberId), response: undefined };
    });
  }

  // ---- What the share coordinator knows.

  /** The initialization that a heartbeat or new offsets asked for has ended; `done`: well for these. */
  endInitialization({ groupId, partitions }: Initialization, done: PartitionsById): Step {
    const group = this.find(groupId);
    if (group === undefined) return NO_STEP;
    for (const topicId of partitions.keys()) this.#parts.attempts.delete(`${groupId}:${topicId}`);
    const known = group.known.end(done, true).end(partitions, false);
    return { records: [knownRecord(groupId, known)], response: undefined };
  }

  /** Offsets are to be set: the group is empty or not there, and begins a new epoch. */
  beginAlter(groupId: string, partitions: PartitionsById): Step<Outcome<Initialization>> {
    const other = this.#context.groups.get(groupId);
    const known = this.find(groupId);
    if (known === undefined && other !== undefined) {
      return no(refuse(Errors.GROUP_ID_NOT_FOUND, notShare(groupId)));
    }
    const group = known ?? new ShareGroup(groupId);
    if (group.members.size > 0) return no(refuse(Errors.NON_EMPTY_GROUP, NOT_EMPTY));
    const { clock, config, topics } = this.#context;
    // A member that joins meanwhile must not have them begin where the configuration says.
    const untilMs = clock.monotonicMs() + config.share.initializeRetryIntervalMs;
    for (const topicId of partitions.keys()) {
      this.#parts.attempts.set(`${groupId}:${topicId}`, untilMs);
    }
    const hash = group.hashOf(group.subscribedTopics, topics);
    const stateEpoch = group.groupEpoch + 1;
    const next = group.known.begin(partitions, (topicId) => topics.byId(topicId)?.name ?? "");
    return {
      records: [epochRecord(groupId, stateEpoch, hash), knownRecord(groupId, next)],
      response: accept({ groupId, stateEpoch, partitions }),
    };
  }

  /**
   * What the share coordinator knows of these topics is to be deleted, or of all; the group has to be
   * empty. `endDelete` follows when that is done.
   */
  beginDelete(
    groupId: string,
    topics: readonly TopicView[] | null,
  ): Step<Outcome<PartitionsById>> {
    const described = this.describe(groupId);
    if (!described.ok) return no(described);
    const group = described.value;
    if (group.members.size > 0) return no(refuse(Errors.NON_EMPTY_GROUP, NOT_EMPTY));
    const all = topics ??
      [...group.known.topicIds()].flatMap((id) => this.#context.topics.byId(id) ?? []);
    const partitions = new Map<string, ReadonlySet<number>>();
    for (const topic of all) {
      const known = group.known.partitionsOf(topic);
      if (known.size > 0) partitions.set(topic.id, known);
    }
    const ids = topics === null ? undefined : new Set(partitions.keys());
    const records = partitions.size === 0
      ? []
      : [knownRecord(groupId, group.known.beginDeleting(ids))];
    return { records, response: accept(partitions) };
  }

  /** These topics are deleted at the share coordinator. */
  endDelete(groupId: string, topicIds: ReadonlySet<string>): Step {
    const group = this.find(groupId);
    if (group === undefined || topicIds.size === 0) return NO_STEP;
    return { records: [knownRecord(groupId, group.known.forget(topicIds))], response: undefined };
  }

  /** The partitions of topics that exist whose offsets can be told. */
  initialized(groupId: string): readonly { topic: TopicView; partitions: readonly number[] }[] {
    const group = this.find(groupId);
    if (group === undefined) return [];
    return [...group.known.initialized].flatMap(([topicId, { partitions }]) => {
      const topic = this.#context.topics.byId(topicId);
      return topic === undefined
        ? []
        : [{ topic, partitions: [...partitions].toSorted((a, b) => a - b) }];
    });
  }

  /** Topics are gone, and with them what was known of them. */
  #forgetDeleted(): Step {
    const records: GroupRecord[] = [];
    for (const { groupId, known } of this.#all()) {
      const gone = new Set(
        [...known.topicIds()].filter((id) => this.#context.topics.byId(id) === undefined),
      );
      if (gone.size > 0) records.push(knownRecord(groupId, known.forget(gone)));
    }
    return { records, response: undefined, atomic: false };
  }

  *#all(): Generator<ShareGroup> {
    for (const group of this.#context.groups.values()) if (group instanceof ShareGroup) yield group;
  }
}

const NOT_EMPTY = "The group is not empty.";

const notFound = (groupId: string) => `Group ${groupId} not found.`;
const notShare = (groupId: string) => `Group ${groupId} is not a share group.`;

function memberProblem(groupId: string, error: ErrorCode): string {
  return error === Errors.UNKNOWN_MEMBER_ID
    ? `The member is not a member of group ${groupId}.`
    : "The member epoch is not the one that the coordinator knows; the member has to rejoin.";
}

function no<T>(response: T): Step<T> {
  return { records: [], response };
}
