/**
 * A group of the classic protocol: its members, their protocols and its place in the rebalance.
 * State only; what happens when is in `rebalance.ts`, `join.ts` and `membership.ts`. Follows
 * Kafka's `ClassicGroup` and `ClassicGroupMember` (KIP-62, KIP-345, KIP-394).
 */
import { assert } from "../../../../core/assert.ts";
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import { subscribedTopicsOf } from "./subscribed-topics.ts";
import type { CommitFence, Group } from "../group.ts";
import type { CommittedOffset } from "../offsets/offset-records.ts";
import type { GroupMetadataRecord } from "./classic-records.ts";

/** Kafka's names, as DescribeGroups and ListGroups show them. A group that is gone is `Dead`. */
export type ClassicGroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable";

/** A protocol (assignor) that a member supports, with its subscription in the protocol's bytes. */
export interface MemberProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

/** What JoinGroup answers. */
export interface JoinResponse {
  readonly error: ErrorCode;
  readonly memberId: string;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly members: readonly JoinedMember[];
}

/** A member as the leader sees it. */
export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Uint8Array;
}

/** What SyncGroup answers. */
export interface SyncResponse {
  readonly error: ErrorCode;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Uint8Array;
}

/** Answers a waiting request; called at most once. */
export type Reply<T> = (response: T) => void;

/** No bytes: the assignment of a member that got none. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** A refused JoinGroup. */
export function joinError(error: ErrorCode, memberId: string): JoinResponse {
  return {
    error,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: "",
    skipAssignment: false,
    members: [],
  };
}

/** A refused SyncGroup. */
export function syncError(error: ErrorCode): SyncResponse {
  return { error, protocolType: null, protocolName: null, assignment: NO_BYTES };
}

/** One member of a classic group. Timeouts are in milliseconds. */
export interface ClassicMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  rebalanceTimeoutMs: number;
  sessionTimeoutMs: number;
  protocols: readonly MemberProtocol[];
  assignment: Uint8Array;
  /** The JoinGroup that waits for the generation to complete. */
  awaitingJoin: Reply<JoinResponse> | null;
  /** The SyncGroup that waits for the leader's assignment. */
  awaitingSync: Reply<SyncResponse> | null;
  /** Joined for the first time and not answered yet, so it may not know its member id. */
  isNew: boolean;
}

/** The subscription for one protocol; the member must support it. */
export function metadataOf(member: ClassicMember, protocolName: string): Uint8Array {
  const protocol = member.protocols.find((each) => each.name === protocolName);
  assert(protocol !== undefined, `member supports the protocol ${protocolName}`);
  return protocol.metadata;
}

/** Whether both lists hold the same protocols in the same order with the same bytes. */
export function sameProtocols(
  a: readonly MemberProtocol[],
  b: readonly MemberProtocol[],
): boolean {
  if (a.length !== b.length) return false;
  return a.every((protocol, index) => {
    const other = b[index]!;
    return protocol.name === other.name && Buffer.compare(protocol.metadata, other.metadata) === 0;
  });
}

/** From which states each state may be entered (Kafka's `ClassicGroupState`). */
const VALID_PREVIOUS: Readonly<Record<ClassicGroupState, readonly ClassicGroupState[]>> = {
  Empty: ["PreparingRebalance"],
  PreparingRebalance: ["Stable", "CompletingRebalance", "Empty"],
  CompletingRebalance: ["PreparingRebalance"],
  Stable: ["CompletingRebalance"],
};

/** What a group starts with, when it is new or comes from a record. */
export interface ClassicGroupInit {
  readonly state: ClassicGroupState;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leaderId: string | null;
  /** Wall time of the last change of state; null if an old record does not tell. */
  readonly stateTimestampMs: number | null;
}

/** See the header. Every method keeps the counts and indexes in step with the members. */
export class ClassicGroup implements Group {
  readonly kind = "classic";
  state: ClassicGroupState;
  previousState: ClassicGroupState | null = null;
  generationId: number;
  protocolType: string | null;
  protocolName: string | null;
  leaderId: string | null;
  stateTimestampMs: number | null;
  /** A member joined during the initial rebalance delay, which is therefore extended. */
  newMemberAdded = false;
  /** Topics of all subscriptions; null if they are not known (no consumer group, or unreadable). */
  subscribedTopics: ReadonlySet<string> | null = null;
  /** Its last record in the log, which only a tombstone makes go; null if there is none. */
  stored: GroupMetadataRecord | null = null;
  /** By member id, in the order of joining. */
  readonly members = new Map<string, ClassicMember>();
  /** Members that have been told their id and have not joined with it yet (KIP-394). */
  readonly pendingJoin = new Set<string>();
  /** Members of this generation that have not sent SyncGroup yet. */
  readonly pendingSync = new Set<string>();
  readonly #staticMembers = new Map<string, string>();
  readonly #protocolCounts = new Map<string, number>();
  #awaitingJoinCount = 0;

  constructor(readonly groupId: string, init: ClassicGroupInit) {
    this.state = init.state;
    this.generationId = init.generationId;
    this.protocolType = init.protocolType;
    this.protocolName = init.protocolName;
    this.leaderId = init.leaderId;
    this.stateTimestampMs = init.stateTimestampMs;
  }

  /** A group that nobody has joined yet. */
  static empty(groupId: string, wallMs: number): ClassicGroup {
    return new ClassicGroup(groupId, {
      state: "Empty",
      generationId: 0,
      protocolType: null,
      protocolName: null,
      leaderId: null,
      stateTimestampMs: wallMs,
    });
  }

  get awaitingJoinCount(): number {
    return this.#awaitingJoinCount;
  }

  isLeader(memberId: string): boolean {
    return this.leaderId === memberId;
  }

  /** Whether it is (or was last) a group of consumers, whose subscriptions can be read. */
  get usesConsumerProtocol(): boolean {
    return this.protocolType === "consumer";
  }

  hasAllMembersJoined(): boolean {
    return this.members.size === this.#awaitingJoinCount && this.pendingJoin.size === 0;
  }

  /** The longest that any member wants to be waited for. */
  rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const member of this.members.values()) {
      longest = Math.max(longest, member.rebalanceTimeoutMs);
    }
    return longest;
  }

  staticMemberId(groupInstanceId: string): string | undefined {
    return this.#staticMembers.get(groupInstanceId);
  }

  canRebalance(): boolean {
    return VALID_PREVIOUS.PreparingRebalance.includes(this.state);
  }

  transitionTo(state: ClassicGroupState, wallMs: number): void {
    assert(
      VALID_PREVIOUS[state].includes(this.state),
      `a group may not go from ${this.state} to ${state}`,
    );
    this.previousState = this.state;
    this.state = state;
    this.stateTimestampMs = wallMs;
  }

  add(member: ClassicMember, protocolType: string): void {
    assert(!this.members.has(member.memberId), "a member is added once");
    if (member.groupInstanceId !== null) {
      assert(!this.#staticMembers.has(member.groupInstanceId), "an instance id has one member");
      this.#staticMembers.set(member.groupInstanceId, member.memberId);
    }
    if (this.members.size === 0) this.protocolType = protocolType;
    assert(this.protocolType === protocolType, "all members have one protocol type");
    this.leaderId ??= member.memberId;
    this.members.set(member.memberId, member);
    this.#countProtocols(member, 1);
    if (member.awaitingJoin !== null) this.#awaitingJoinCount++;
    this.pendingJoin.delete(member.memberId);
  }

  /** Forgets a member, pending or not. One that leads is followed by the oldest of the others. */
  remove(memberId: string): void {
    const member = this.members.get(memberId);
    if (member !== undefined) {
      this.members.delete(memberId);
      this.#countProtocols(member, -1);
      if (member.awaitingJoin !== null) this.#awaitingJoinCount--;
      if (member.groupInstanceId !== null) this.#staticMembers.delete(member.groupInstanceId);
    }
    if (this.isLeader(memberId)) {
      const [next] = this.members.keys();
      this.leaderId = next ?? null;
    }
    this.pendingJoin.delete(memberId);
    this.pendingSync.delete(memberId);
  }

  /** Takes what a JoinGroup of a known member says. */
  update(
    member: ClassicMember,
    request: {
      readonly protocols: readonly MemberProtocol[];
      readonly rebalanceTimeoutMs: number;
      readonly sessionTimeoutMs: number;
    },
    reply: Reply<JoinResponse> | null,
  ): void {
    this.#countProtocols(member, -1);
    member.protocols = request.protocols;
    this.#countProtocols(member, 1);
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    if (reply !== null && member.awaitingJoin === null) this.#awaitingJoinCount++;
    if (reply === null && member.awaitingJoin !== null) this.#awaitingJoinCount--;
    member.awaitingJoin = reply;
  }

  completeJoin(member: ClassicMember, response: JoinResponse): boolean {
    const reply = member.awaitingJoin;
    if (reply === null) return false;
    member.awaitingJoin = null;
    this.#awaitingJoinCount--;
    reply(response);
    return true;
  }

  completeSync(member: ClassicMember, response: SyncResponse): boolean {
    const reply = member.awaitingSync;
    if (reply === null) return false;
    member.awaitingSync = null;
    reply(response);
    return true;
  }

  /**
   * Gives a static member's place to a new member id (KIP-345). Whoever still waits under the old
   * id is fenced. The member keeps its assignment and, if it leads, its leadership.
   */
  replaceStatic(groupInstanceId: string, oldId: string, newId: string): ClassicMember {
    const old = this.members.get(oldId);
    assert(old !== undefined, "a static member that is replaced is there");
    this.completeJoin(old, joinError(Errors.FENCED_INSTANCE_ID, oldId));
    this.completeSync(old, syncError(Errors.FENCED_INSTANCE_ID));
    this.members.delete(oldId);
    this.pendingSync.delete(oldId);
    const member: ClassicMember = { ...old, memberId: newId, awaitingJoin: null, isNew: false };
    this.members.set(newId, member);
    if (this.isLeader(oldId)) this.leaderId = newId;
    this.#staticMembers.set(groupInstanceId, newId);
    return member;
  }

  /** A leader that did not rejoin is followed by the first that did; false if nobody did. */
  electJoinedLeader(): boolean {
    if (this.leaderId === null) return false;
    const leader = this.members.get(this.leaderId);
    assert(leader !== undefined, "the leader is a member");
    if (leader.awaitingJoin !== null) return true;
    for (const member of this.members.values()) {
      if (member.awaitingJoin !== null) {
        this.leaderId = member.memberId;
        return true;
      }
    }
    return false;
  }

  /** Ends the join phase: next generation, protocol by votes, `Empty` if nobody is left. */
  initNextGeneration(wallMs: number): void {
    this.generationId = (this.generationId + 1) & 0x7fffffff;
    this.protocolName = this.members.size > 0 ? this.selectProtocol() : null;
    this.refreshSubscribedTopics();
    this.transitionTo(this.members.size > 0 ? "CompletingRebalance" : "Empty", wallMs);
    this.pendingSync.clear();
  }

  /** The protocol that all support and most prefer; the first vote breaks a tie. */
  selectProtocol(): string {
    assert(this.members.size > 0, "a protocol is chosen by members");
    const votes = new Map<string, number>();
    for (const member of this.members.values()) {
      const choice = member.protocols.find((each) => this.#supportedByAll(each.name));
      assert(choice !== undefined, "members have a protocol in common");
      votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1);
    }
    let best: [string, number] = ["", 0];
    for (const entry of votes) if (entry[1] > best[1]) best = entry;
    return best[0];
  }

  /** Whether a member with these protocols fits to those that are there. */
  supportsProtocols(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.state === "Empty") return protocolType !== "" && protocols.length > 0;
    return this.protocolType === protocolType &&
      protocols.some((each) => this.#supportedByAll(each.name));
  }

  /** UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID, or NONE if that member may speak. */
  validateMember(memberId: string, groupInstanceId: string | null): ErrorCode {
    if (groupInstanceId !== null) {
      const current = this.#staticMembers.get(groupInstanceId);
      if (current === undefined) return Errors.UNKNOWN_MEMBER_ID;
      if (current !== memberId) return Errors.FENCED_INSTANCE_ID;
    }
    return this.members.has(memberId) ? Errors.NONE : Errors.UNKNOWN_MEMBER_ID;
  }

  /** Whether members may read the topic; where subscriptions are unreadable, any topic. */
  isSubscribedTo(topic: string): boolean {
    return this.subscribedTopics?.has(topic) ?? this.usesConsumerProtocol;
  }

  get canExpire(): boolean {
    return this.state === "Empty" && this.pendingJoin.size === 0;
  }

  /** Whether the sender may commit for the group (`ClassicGroup.validateOffsetCommit`). */
  commitProblem(fence: CommitFence): ErrorCode {
    const { memberId, groupInstanceId, generationId } = fence;
    if (generationId < 0 && this.state === "Empty") return Errors.NONE;
    if (generationId >= 0 || memberId !== "" || groupInstanceId !== null) {
      const error = this.validateMember(memberId, groupInstanceId);
      if (error !== Errors.NONE) return error;
      if (generationId !== this.generationId) return Errors.ILLEGAL_GENERATION;
    } else if (!fence.isTransactional && this.state !== "Empty") {
      // A transactional producer of before KIP-447 does not say for which member it commits.
      return Errors.UNKNOWN_MEMBER_ID;
    }
    // Its member has heard of the new generation, but not yet what it may read.
    return this.state === "CompletingRebalance" ? Errors.REBALANCE_IN_PROGRESS : Errors.NONE;
  }

  commitPartitionProblem(): ErrorCode {
    return Errors.NONE;
  }

  /** The classic protocol lets anybody look. */
  fetchProblem(): ErrorCode {
    return Errors.NONE;
  }

  offsetDeleteProblem(): ErrorCode {
    const deletable = this.state === "Empty" || this.usesConsumerProtocol;
    return deletable ? Errors.NONE : Errors.NON_EMPTY_GROUP;
  }

  deleteProblem(): ErrorCode {
    return this.state === "Empty" ? Errors.NONE : Errors.NON_EMPTY_GROUP;
  }

  /**
   * Since the group is empty; for topics that no member of a stable group reads, and for consumers
   * without a group, since the commit.
   */
  retentionStart(): ((offset: CommittedOffset) => number) | null {
    const sinceCommit = (offset: CommittedOffset) => offset.commitTimestampMs;
    if (this.protocolType === null) return sinceCommit;
    if (this.state === "Empty") {
      const emptySinceMs = this.stateTimestampMs;
      return emptySinceMs === null ? sinceCommit : () => emptySinceMs;
    }
    const known = this.state === "Stable" && this.usesConsumerProtocol &&
      this.subscribedTopics !== null;
    return known ? sinceCommit : null;
  }

  stateRecords(): GroupMetadataRecord[] {
    return this.stored === null ? [] : [this.stored];
  }

  tombstones(): GroupMetadataRecord[] {
    return [{ type: "GroupMetadata", groupId: this.groupId, value: null }];
  }

  refreshSubscribedTopics(): void {
    this.subscribedTopics = null;
    if (!this.usesConsumerProtocol) return;
    const topics = new Set<string>();
    const protocolName = this.protocolName;
    if (this.members.size > 0) {
      if (protocolName === null) return;
      for (const member of this.members.values()) {
        const subscribed = subscribedTopicsOf(metadataOf(member, protocolName));
        if (subscribed === null) return;
        for (const topic of subscribed) topics.add(topic);
      }
    }
    this.subscribedTopics = topics;
  }

  /** All members with their subscriptions, for the leader. */
  joinedMembers(): JoinedMember[] {
    const protocolName = this.protocolName;
    assert(protocolName !== null, "a generation with members has a protocol");
    return [...this.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      metadata: metadataOf(member, protocolName),
    }));
  }

  #supportedByAll(protocolName: string): boolean {
    return (this.#protocolCounts.get(protocolName) ?? 0) === this.members.size;
  }

  #countProtocols(member: ClassicMember, by: 1 | -1): void {
    for (const name of new Set(member.protocols.map((each) => each.name))) {
      const count = (this.#protocolCounts.get(name) ?? 0) + by;
      if (count === 0) this.#protocolCounts.delete(name);
      else this.#protocolCounts.set(name, count);
    }
  }
}
