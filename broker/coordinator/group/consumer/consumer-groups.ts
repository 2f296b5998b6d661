/** The consumer groups of a shard (KIP-848): both protocols of their members, and their records. */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import { accept, type Outcome, refuse } from "../../../outcome.ts";
import type { CoordinatorResult } from "../../shard.ts";
import {
  ClassicGroup,
  type JoinResponse,
  type Reply,
  type SyncResponse,
} from "../classic/classic-group.ts";
import type { ClassicGroups } from "../classic/classic-groups.ts";
import type { JoinRequest } from "../classic/join.ts";
import type {
  LeavingMember,
  LeftMember,
  MemberRequest,
  SyncRequest,
} from "../classic/membership.ts";
import type { GroupContext, GroupKindOperations, TopicsChange } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import { LEAVE_EPOCH, STATIC_LEAVE_EPOCH } from "../modern/modern-group.ts";
import { classicHeartbeat, classicJoin, classicLeave, classicSync } from "./classic-members.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerGroupRecord } from "./consumer-records.ts";
import { type ConsumerGroupDescription, describeConsumerGroup } from "./describe.ts";
import { consumerHeartbeat, type HeartbeatRequest, type HeartbeatResult } from "./heartbeat.ts";
import { consumerLeave, fenceOnTimeout } from "./leave.ts";
import type { ConsumerParts, Step } from "./parts.ts";
import { RegexSubscriptions } from "./regexes.ts";
import { ConsumerSessions } from "./sessions.ts";

/** See the header. */
export class ConsumerGroups implements GroupKindOperations<ConsumerGroupRecord> {
  readonly #context: GroupContext;
  readonly #parts: ConsumerParts;

  constructor(context: GroupContext, classic: ClassicGroups) {
    this.#context = context;
    const find = (groupId: string) => this.find(groupId);
    const sessions = new ConsumerSessions(
      context,
      (groupId, memberId, reason, which) =>
        fenceOnTimeout(this.#parts, groupId, memberId, reason, which),
    );
    const regexes = new RegexSubscriptions(context, find);
    this.#parts = { context, sessions, regexes, find, classic };
  }

  /** The group, if there is one of that id and it is a consumer group. */
  find(groupId: string): ConsumerGroup | undefined {
    const group = this.#context.groups.get(groupId);
    return group instanceof ConsumerGroup ? group : undefined;
  }

  // ---- The log's view of the state.

  replay(record: ConsumerGroupRecord): void {
    const { groupId } = record.key;
    const group = this.#groupOf(record);
    if (group === undefined) return;
    if (record.type === "ConsumerGroupMetadata" && record.value === null) {
      this.#context.groups.delete(groupId);
    } else group.fold(record);
  }

  written(record: ConsumerGroupRecord): void {
    this.replay(record);
    if (record.type === "ConsumerGroupMemberMetadata" && record.value === null) {
      this.#parts.sessions.cancelAll(record.key.groupId, record.key.memberId);
    }
  }

  onLoaded(): void {
    // Topics may have come while the log was read.
    this.#parts.regexes.onTopicsCreated();
    for (const group of this.#context.groups.values()) {
      if (!(group instanceof ConsumerGroup)) continue;
      for (const member of group.members.values()) {
        this.#parts.sessions.touch(group.groupId, member);
        this.#parts.sessions.watchRevocation(group.groupId, member);
      }
    }
  }

  /** Nobody waits here for anything but the log. */
  onUnloaded(): void {}

  /** Topics have come, gone or grown. */
  onTopicsChanged({ names, created }: TopicsChange): void {
    if (created) this.#parts.regexes.onTopicsCreated();
    for (const group of this.#context.groups.values()) {
      if (!(group instanceof ConsumerGroup)) continue;
      if (names.some((name) => group.isSubscribedTo(name))) group.requestMetadataRefresh();
    }
  }

  // ---- The consumer protocol.

  heartbeat(request: HeartbeatRequest): HeartbeatResult {
    const { memberEpoch } = request;
    return memberEpoch === LEAVE_EPOCH || memberEpoch === STATIC_LEAVE_EPOCH
      ? consumerLeave(this.#parts, request)
      : consumerHeartbeat(this.#parts, request);
  }

  describe(groupId: string): Outcome<ConsumerGroupDescription> {
    const group = this.find(groupId);
    if (group === undefined) {
      const why = this.#context.groups.has(groupId)
        ? `Group ${groupId} is not a consumer group.`
        : `Group ${groupId} not found.`;
      return refuse(Errors.GROUP_ID_NOT_FOUND, why);
    }
    const [defaultAssignor] = this.#context.config.consumer.assignors;
    return accept(
      describeConsumerGroup(group, this.#context.topics, defaultAssignor ?? "uniform"),
    );
  }

  // ---- The classic protocol, for members of a group that is a consumer group.

  join(group: ConsumerGroup, request: JoinRequest, reply: Reply<JoinResponse>): Step {
    return classicJoin(this.#parts, group, request, reply);
  }

  sync(group: ConsumerGroup, request: SyncRequest, reply: Reply<SyncResponse>): Step {
    return classicSync(this.#parts, group, request, reply);
  }

  classicHeartbeat(group: ConsumerGroup, request: MemberRequest): ErrorCode {
    return classicHeartbeat(this.#parts, group, request);
  }

  leave(
    group: ConsumerGroup,
    members: readonly LeavingMember[],
  ): CoordinatorResult<GroupRecord, readonly LeftMember[]> {
    return classicLeave(this.#parts, group, members);
  }

  /** The group that a record is of; one that gives something makes it. */
  #groupOf(record: ConsumerGroupRecord): ConsumerGroup | undefined {
    const { groupId } = record.key;
    const known = this.#context.groups.get(groupId);
    if (known instanceof ConsumerGroup) return known;
    if (record.value === null) return undefined;
    // Offsets alone make a classic group that is in no record; it gives way.
    const isPlaceholder = known instanceof ClassicGroup && known.stored === null;
    if (known !== undefined && !isPlaceholder) {
      this.#context.logger.error("a record of a consumer group is of a group of another kind", {
        group: groupId,
        kind: known.kind,
      });
    }
    const group = new ConsumerGroup(groupId);
    this.#context.groups.set(groupId, group);
    return group;
  }
}
