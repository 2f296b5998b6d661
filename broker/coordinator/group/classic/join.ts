/**
 * JoinGroup of the classic protocol, as Kafka's `GroupMetadataManager.classicGroupJoin` does it:
 * KIP-394 (a new member is told its id first), KIP-345 (static members keep their place), KIP-389
 * (group.max.size), KIP-814 (a static leader that returns need not assign again).
 */
import { Errors } from "../../../../core/errors.ts";
import type { Random } from "../../../../core/io.ts";
import {
  ClassicGroup,
  type ClassicMember,
  joinError,
  type JoinResponse,
  type MemberProtocol,
  NO_BYTES,
  type Reply,
  sameProtocols,
} from "./classic-group.ts";
import { PENDING_MEMBERS_MAX } from "../group-config.ts";
import { groupMetadataRecord } from "./classic-records.ts";
import { NO_STEP, type Rebalancer, type Step } from "./rebalance.ts";
import { uuid } from "../uuid.ts";

/** A JoinGroup, apart from versions. Bytes are the group's own: nothing else may change them. */
export interface JoinRequest {
  readonly groupId: string;
  /** Empty for a member that has no id yet. */
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly protocolType: string;
  readonly protocols: readonly MemberProtocol[];
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly reason: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** From version 4 on a new dynamic member is told its id and has to join with it. */
  readonly requiresKnownMemberId: boolean;
  /** From version 9 on a leader can be told to leave the assignment as it is. */
  readonly supportsSkippingAssignment: boolean;
}

/** Where JoinGroup finds the groups. */
export interface JoinGroups {
  find(groupId: string): ClassicGroup | undefined;
  /** Undefined if there are as many groups as there may be. */
  create(groupId: string): ClassicGroup | undefined;
}

/** See the header. */
export class JoinOperation {
  readonly #rebalancer: Rebalancer;
  readonly #groups: JoinGroups;
  readonly #random: Random;

  constructor(rebalancer: Rebalancer, groups: JoinGroups, random: Random) {
    this.#rebalancer = rebalancer;
    this.#groups = groups;
    this.#random = random;
  }

  /** Joins a member; `reply` is called at once or when the generation is complete. */
  join(request: JoinRequest, reply: Reply<JoinResponse>): Step {
    const { groupId, memberId } = request;
    const isNew = memberId === "";
    const found = this.#groups.find(groupId);
    if (found === undefined && !isNew) {
      return refuse(reply, joinError(Errors.UNKNOWN_MEMBER_ID, memberId));
    }
    const group = found ?? this.#groups.create(groupId);
    if (group === undefined || !this.#accepts(group, memberId)) {
      if (group !== undefined) group.remove(memberId);
      return refuse(reply, joinError(Errors.GROUP_MAX_SIZE_REACHED, ""));
    }
    if (!group.supportsProtocols(request.protocolType, request.protocols)) {
      this.#rebalancer.services.forgetIfUnused(group);
      return refuse(reply, joinError(Errors.INCONSISTENT_GROUP_PROTOCOL, memberId));
    }
    return isNew ? this.#joinNew(group, request, reply) : this.#joinKnown(group, request, reply);
  }

  /** Members up to group.max.size; in the join phase those who have joined count. */
  #accepts(group: ClassicGroup, memberId: string): boolean {
    const { maxSize } = this.#rebalancer.services.config;
    const member = group.members.get(memberId);
    switch (group.state) {
      case "Empty":
        return true;
      case "PreparingRebalance":
        return (member !== undefined && member.awaitingJoin !== null) ||
          group.awaitingJoinCount < maxSize;
      case "CompletingRebalance":
      case "Stable":
        return member !== undefined || group.members.size < maxSize;
    }
  }

  #joinNew(group: ClassicGroup, request: JoinRequest, reply: Reply<JoinResponse>): Step {
    const { groupInstanceId } = request;
    const memberId = `${groupInstanceId ?? request.clientId}-${uuid(this.#random)}`;
    if (groupInstanceId !== null) {
      const existing = group.staticMemberId(groupInstanceId);
      return existing === undefined
        ? this.#add(group, memberId, request, reply)
        : this.#replaceStatic(group, existing, memberId, request, reply);
    }
    if (!request.requiresKnownMemberId) return this.#add(group, memberId, request, reply);
    if (group.pendingJoin.size >= PENDING_MEMBERS_MAX) {
      return refuse(reply, joinError(Errors.GROUP_MAX_SIZE_REACHED, ""));
    }
    group.pendingJoin.add(memberId);
    this.#rebalancer.scheduleExpiry(group, memberId, request.sessionTimeoutMs);
    return refuse(reply, joinError(Errors.MEMBER_ID_REQUIRED, memberId));
  }

  #joinKnown(group: ClassicGroup, request: JoinRequest, reply: Reply<JoinResponse>): Step {
    const { memberId, groupInstanceId } = request;
    if (group.pendingJoin.has(memberId)) {
      // A static member gets its place at once and never has a pending id.
      return groupInstanceId === null
        ? this.#add(group, memberId, request, reply)
        : refuse(reply, joinError(Errors.UNKNOWN_MEMBER_ID, memberId));
    }
    const error = group.validateMember(memberId, groupInstanceId);
    const member = group.members.get(memberId);
    if (error !== Errors.NONE || member === undefined) {
      return refuse(reply, joinError(error, memberId));
    }
    switch (group.state) {
      case "PreparingRebalance":
        return this.#update(group, member, request, reply);
      case "CompletingRebalance":
        // The same again: its answer was lost. Anything else starts a new rebalance.
        return sameProtocols(member.protocols, request.protocols)
          ? refuse(reply, this.#rebalancer.joinResponse(group, memberId))
          : this.#update(group, member, request, reply);
      case "Stable":
        // The leader joins again when it has seen topics change, which no metadata shows.
        return !group.isLeader(memberId) && sameProtocols(member.protocols, request.protocols)
          ? refuse(reply, this.#rebalancer.joinResponse(group, memberId))
          : this.#update(group, member, request, reply);
      case "Empty":
        return refuse(reply, joinError(Errors.UNKNOWN_MEMBER_ID, memberId));
    }
  }

  #add(
    group: ClassicGroup,
    memberId: string,
    request: JoinRequest,
    reply: Reply<JoinResponse>,
  ): Step {
    const member: ClassicMember = {
      memberId,
      groupInstanceId: request.groupInstanceId,
      clientId: request.clientId,
      clientHost: request.clientHost,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      sessionTimeoutMs: request.sessionTimeoutMs,
      protocols: request.protocols,
      assignment: NO_BYTES,
      awaitingJoin: reply,
      awaitingSync: null,
      isNew: true,
    };
    if (group.state === "PreparingRebalance" && group.previousState === "Empty") {
      group.newMemberAdded = true;
    }
    group.add(member, request.protocolType);
    this.#rebalancer.touchNew(group, member);
    const reason = `member ${memberId} joins; ${request.reason ?? "no reason given"}`;
    return this.#rebalancer.prepareOrComplete(group, reason);
  }

  #update(
    group: ClassicGroup,
    member: ClassicMember,
    request: JoinRequest,
    reply: Reply<JoinResponse>,
  ): Step {
    // A retry over a new connection: the old request will not be read by anybody.
    group.completeJoin(member, joinError(Errors.REBALANCE_IN_PROGRESS, member.memberId));
    group.update(member, request, reply);
    const reason = `member ${member.memberId} rejoins; ${request.reason ?? "no reason given"}`;
    return this.#rebalancer.prepareOrComplete(group, reason);
  }

  /** A static member returns under a new id: in a stable group it takes up its assignment again. */
  #replaceStatic(
    group: ClassicGroup,
    oldId: string,
    newId: string,
    request: JoinRequest,
    reply: Reply<JoinResponse>,
  ): Step {
    const rebalancer = this.#rebalancer;
    const instanceId = request.groupInstanceId ?? "";
    const oldLeader = group.leaderId;
    const member = group.replaceStatic(instanceId, oldId, newId);
    const before = {
      protocols: member.protocols,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      sessionTimeoutMs: member.sessionTimeoutMs,
    };
    rebalancer.cancelExpiry(group, oldId);
    group.update(member, request, reply);
    rebalancer.touch(group, member);
    if (group.state === "PreparingRebalance") return rebalancer.completeIfAllJoined(group);
    if (group.state !== "Stable" || group.selectProtocol() !== group.protocolName) {
      // The leader may have been told of the old id, so that its assignment would miss the new one.
      return rebalancer.prepareOrComplete(group, `static member ${instanceId} has returned`);
    }
    return {
      ...NO_STEP,
      records: [groupMetadataRecord(group, (each) => each.assignment)],
      // If a rebalance has begun meanwhile, the member waits for its end like the others.
      onCommitted: () => {
        if (group.state !== "Stable") return;
        group.completeJoin(member, this.#returned(group, newId, oldLeader, request));
      },
      onFailed: (error) => {
        if (group.state !== "Stable" || group.members.get(newId) !== member) return;
        group.completeJoin(member, joinError(error, ""));
        group.update(member, before, null);
        rebalancer.cancelExpiry(group, newId);
        const old = group.replaceStatic(instanceId, newId, oldId);
        rebalancer.touch(group, old);
      },
    };
  }

  #returned(
    group: ClassicGroup,
    memberId: string,
    oldLeader: string | null,
    request: JoinRequest,
  ): JoinResponse {
    const response = this.#rebalancer.joinResponse(group, memberId);
    if (request.supportsSkippingAssignment) {
      return { ...response, skipAssignment: group.isLeader(memberId) };
    }
    // An older leader must not take itself for one, or it would assign in a stable group.
    return { ...response, leader: oldLeader ?? "", members: [] };
  }
}

/** Answers at once, whether with an error or not. */
function refuse(reply: Reply<JoinResponse>, response: JoinResponse): Step {
  reply(response);
  return NO_STEP;
}
