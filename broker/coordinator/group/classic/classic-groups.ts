/** The classic groups of a shard: the classic protocol, and their part of the log. */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import type { CoordinatorResult } from "../../shard.ts";
import type { GroupContext, GroupKindOperations } from "../group.ts";
import { GROUPS_PER_SHARD_MAX } from "../group-config.ts";
import type { GroupRecord } from "../group-records.ts";
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
import {
  type GroupMetadataRecord,
  groupMetadataRecord,
  type GroupMetadataValue,
  type MemberMetadata,
} from "./classic-records.ts";
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
import { NO_STEP, Rebalancer, type Step } from "./rebalance.ts";

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
export class ClassicGroups implements GroupKindOperations<GroupMetadataRecord> {
  readonly #context: GroupContext;
  readonly #rebalancer: Rebalancer;
  readonly #join: JoinOperation;
  /** What was a group of another kind and is about to be a classic one. */
  #adopted: { readonly record: GroupMetadataRecord; readonly group: ClassicGroup } | null = null;

  constructor(context: GroupContext) {
    this.#context = context;
    const find = (groupId: string) => this.find(groupId);
    this.#rebalancer = new Rebalancer({
      config: context.config,
      clock: context.clock,
      timers: context.timers,
      logger: context.logger,
      find,
      forgetIfUnused: (group) => this.#forgetIfUnused(group),
    });
    const groups = { find, create: (groupId: string) => this.#create(groupId) };
    this.#join = new JoinOperation(this.#rebalancer, groups, context.random);
  }

  /** The group, if there is one of that id and it is a classic one. */
  find(groupId: string): ClassicGroup | undefined {
    const group = this.#context.groups.get(groupId);
    return group instanceof ClassicGroup ? group : undefined;
  }

  /** An empty group that is in no record, as commits without a group make it. */
  materialize(groupId: string): ClassicGroup {
    const group = ClassicGroup.empty(groupId, this.#context.clock.wallMs());
    this.#context.groups.set(groupId, group);
    return group;
  }

  /** A member has shown that it is alive. */
  touch(group: ClassicGroup, memberId: string): void {
    const member = group.members.get(memberId);
    if (member !== undefined) this.#rebalancer.touch(group, member);
  }

  // ---- The log's view of the state.

  replay(record: GroupMetadataRecord): void {
    const { groupId, value } = record;
    if (value === null) this.#remove(groupId);
    else this.#context.groups.set(groupId, groupFromRecord(record, value));
  }

  written(record: GroupMetadataRecord): void {
    // The group itself is ahead of its record: it has members that wait, and sessions.
    const group = this.find(record.groupId);
    if (record.value === null) {
      // Only a group that becomes one of another kind has members then.
      if (group !== undefined) this.#answerAll(group, Errors.REBALANCE_IN_PROGRESS);
      this.#remove(record.groupId);
    } else if (this.#adopted?.record === record) this.#take(this.#adopted.group, record);
    else if (group !== undefined) group.stored = record;
  }

  /**
   * The record that makes a group of another kind this one. The group is taken up with its members
   * once the record is written, and rebalances then if there is a reason.
   */
  adopt(group: ClassicGroup, assignments: ReadonlyMap<string, Uint8Array>, reason: string | null) {
    const record = groupMetadataRecord(
      group,
      (member) => assignments.get(member.memberId) ?? NO_BYTES,
    );
    for (const member of group.members.values()) {
      member.assignment = assignments.get(member.memberId) ?? NO_BYTES;
    }
    this.#adopted = { record, group };
    if (reason !== null) {
      this.#context.timers.schedule(`adopt ${group.groupId}`, 0, () => {
        const now = this.find(group.groupId);
        return now === group && now.canRebalance()
          ? this.#rebalancer.prepare(now, reason)
          : NO_STEP;
      });
    }
    return record;
  }

  #take(group: ClassicGroup, record: GroupMetadataRecord): void {
    this.#adopted = null;
    group.stored = record;
    group.refreshSubscribedTopics();
    this.#context.groups.set(group.groupId, group);
    for (const member of group.members.values()) this.#rebalancer.touch(group, member);
  }

  onLoaded(): void {
    for (const group of this.#all()) {
      for (const member of group.members.values()) this.#rebalancer.touch(group, member);
      if (group.members.size > this.#context.config.maxSize && group.canRebalance()) {
        this.#rebalancer.prepare(group, "the group is larger than group.max.size now");
      }
    }
  }

  onUnloaded(error: ErrorCode): void {
    for (const group of this.#all()) this.#answerAll(group, error);
  }

  // ---- The protocol.

  /** `reply` is called at once or later, exactly once, whatever the outcome of the step. */
  join(request: JoinRequest, reply: Reply<JoinResponse>): Step {
    return this.#join.join(request, reply);
  }

  sync(request: SyncRequest, reply: Reply<SyncResponse>): Step {
    return syncGroup(this.#rebalancer, this.find(request.groupId), request, reply);
  }

  heartbeat(request: MemberRequest): ErrorCode {
    return heartbeat(this.#rebalancer, this.find(request.groupId), request);
  }

  leave(
    groupId: string,
    members: readonly LeavingMember[],
  ): CoordinatorResult<GroupRecord, readonly LeftMember[]> {
    const { step, left } = leaveGroup(this.#rebalancer, this.find(groupId), members);
    return { ...step, response: left };
  }

  /**
   * The connection of a JoinGroup or SyncGroup is gone, and with it whoever would hear the answer.
   * A member of an earlier generation keeps its part in the rebalance, as in Kafka, so that a
   * reconnect costs nobody anything. A new one is out: it has nothing to lose, and as a ghost it
   * would get partitions that nobody reads until its session ends.
   */
  abandon(groupId: string, reply: Reply<never>): Step {
    const group = this.find(groupId);
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

  describe(groupId: string): GroupDescription | undefined {
    const group = this.find(groupId);
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

  // ---- Inside.

  #answerAll(group: ClassicGroup, error: ErrorCode): void {
    for (const member of group.members.values()) {
      group.completeJoin(member, joinError(error, member.memberId));
      group.completeSync(member, syncError(error));
    }
  }

  *#all(): Iterable<ClassicGroup> {
    for (const group of this.#context.groups.values()) {
      if (group instanceof ClassicGroup) yield group;
    }
  }

  #remove(groupId: string): void {
    const group = this.find(groupId);
    if (group === undefined) return;
    this.#rebalancer.cancelAll(group);
    this.#context.groups.delete(groupId);
  }

  #create(groupId: string): ClassicGroup | undefined {
    if (this.#context.groups.size >= GROUPS_PER_SHARD_MAX) return undefined;
    return this.materialize(groupId);
  }

  #forgetIfUnused(group: ClassicGroup): void {
    const { groups, hasOffsets } = this.#context;
    const used = group.stored !== null || group.members.size > 0 || group.pendingJoin.size > 0 ||
      group.state !== "Empty" || hasOffsets(group.groupId);
    if (!used && groups.get(group.groupId) === group) groups.delete(group.groupId);
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
