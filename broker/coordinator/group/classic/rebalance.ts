/**
 * How a classic group goes from one generation to the next: the join phase with its delays and
 * deadlines, the sync phase, and members that stop answering. Follows Kafka's
 * `GroupMetadataManager` (KIP-62 timeouts, KIP-134 initial delay, KIP-394 pending members).
 *
 *     Empty ──join──▶ PreparingRebalance ──all joined or timeout──▶ CompletingRebalance
 *       ▲                  │      ▲ join, leave, expiry in any later state │ leader's sync
 *       └──nobody left─────┘      └────────────────── Stable ◀─────────────┘
 */
import { assert } from "../../../../core/assert.ts";
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import type { Clock } from "../../../../core/io.ts";
import type { Logger } from "../../../../core/logger.ts";
import type { CoordinatorResult, CoordinatorTimers } from "../../shard.ts";
import {
  type ClassicGroup,
  type ClassicMember,
  joinError,
  type JoinResponse,
  NO_BYTES,
  syncError,
} from "./classic-group.ts";
import { type GroupConfig, NEW_MEMBER_JOIN_TIMEOUT_MS } from "../group-config.ts";
import type { GroupRecord } from "../group-records.ts";
import { groupMetadataRecord } from "./classic-records.ts";

/** A step of the state machine: records to write of a state that has been changed already. */
export type Step = CoordinatorResult<GroupRecord, void>;

/** A step that writes nothing. */
export const NO_STEP: Step = { records: [], response: undefined };

/** What the state machine works with. */
export interface GroupServices {
  readonly config: GroupConfig;
  readonly clock: Clock;
  readonly timers: CoordinatorTimers<GroupRecord>;
  readonly logger: Logger;
  /** The group of that id now, which a timer may find gone. */
  readonly find: (groupId: string) => ClassicGroup | undefined;
  /** Drops a group that holds nothing: no record in the log, no member, no offset. */
  readonly forgetIfUnused: (group: ClassicGroup) => void;
}

/** How long after a failure it is tried again to record that a group is empty. */
const EMPTY_RETRY_MS = 5_000;

/** See the header. */
export class Rebalancer {
  constructor(readonly services: GroupServices) {}

  /** Starts a rebalance where the state allows it, else sees whether one can end. */
  prepareOrComplete(group: ClassicGroup, reason: string): Step {
    return group.canRebalance() ? this.prepare(group, reason) : this.completeIfAllJoined(group);
  }

  /** Enters the join phase: whoever waits for an assignment has to join again. */
  prepare(group: ClassicGroup, reason: string): Step {
    const { config, clock, timers, logger } = this.services;
    if (group.state === "CompletingRebalance") {
      this.propagateError(group, Errors.REBALANCE_IN_PROGRESS);
    }
    group.pendingSync.clear();
    timers.cancel(syncKey(group.groupId));
    const initial = group.state === "Empty";
    if (initial) {
      const delayMs = config.initialRebalanceDelayMs;
      const remainingMs = Math.max(group.rebalanceTimeoutMs() - delayMs, 0);
      this.#scheduleInitial(group.groupId, delayMs, delayMs, remainingMs);
    }
    group.transitionTo("PreparingRebalance", clock.wallMs());
    logger.debug("group rebalances", {
      group: group.groupId,
      generation: group.generationId,
      reason,
    });
    if (initial) return NO_STEP;
    return group.hasAllMembersJoined() ? this.complete(group) : this.#scheduleComplete(group);
  }

  /** Ends a join phase that is no initial one as soon as everybody is there. */
  completeIfAllJoined(group: ClassicGroup): Step {
    if (group.state !== "PreparingRebalance" || group.previousState === "Empty") return NO_STEP;
    return group.hasAllMembersJoined() ? this.complete(group) : NO_STEP;
  }

  /** Ends the join phase: those who did not rejoin are out, but static members stay (KIP-345). */
  complete(group: ClassicGroup): Step {
    const { clock, timers, logger } = this.services;
    timers.cancel(joinKey(group.groupId));
    for (const member of [...group.members.values()]) {
      if (member.awaitingJoin !== null || member.groupInstanceId !== null) continue;
      group.remove(member.memberId);
      timers.cancel(heartbeatKey(group.groupId, member.memberId));
    }
    if (!group.electJoinedLeader() && group.members.size > 0) {
      logger.info("group waits: none of its static members has rejoined", {
        group: group.groupId,
      });
      return this.#scheduleComplete(group);
    }
    group.initNextGeneration(clock.wallMs());
    if (group.state === "Empty") return this.#becameEmpty(group);
    this.#answerJoins(group);
    timers.schedule(syncKey(group.groupId), group.rebalanceTimeoutMs(), () => {
      const now = this.services.find(group.groupId);
      return now === group ? this.#expireSync(group) : NO_STEP;
    });
    return NO_STEP;
  }

  /** What JoinGroup answers a member of the present generation. */
  joinResponse(group: ClassicGroup, memberId: string): JoinResponse {
    return {
      error: Errors.NONE,
      memberId,
      generationId: group.generationId,
      protocolType: group.protocolType,
      protocolName: group.protocolName,
      leader: group.leaderId ?? "",
      skipAssignment: false,
      members: group.isLeader(memberId) ? group.joinedMembers() : [],
    };
  }

  /** Restarts a member's session. */
  touch(group: ClassicGroup, member: ClassicMember, timeoutMs = member.sessionTimeoutMs): void {
    this.scheduleExpiry(group, member.memberId, timeoutMs);
  }

  /** Expires a member, or a member id that was given out, after the time. */
  scheduleExpiry(group: ClassicGroup, memberId: string, timeoutMs: number): void {
    this.services.timers.schedule(heartbeatKey(group.groupId, memberId), timeoutMs, () => {
      return this.services.find(group.groupId) === group ? this.#expire(group, memberId) : NO_STEP;
    });
  }

  /** A member that has joined for the first time may not know its id, so it gets more time. */
  touchNew(group: ClassicGroup, member: ClassicMember): void {
    this.touch(group, member, NEW_MEMBER_JOIN_TIMEOUT_MS);
  }

  cancelExpiry(group: ClassicGroup, memberId: string): void {
    this.services.timers.cancel(heartbeatKey(group.groupId, memberId));
  }

  /** No deadline of the group is of use any more. */
  cancelAll(group: ClassicGroup): void {
    this.services.timers.cancel(joinKey(group.groupId));
    this.services.timers.cancel(syncKey(group.groupId));
    for (const memberId of group.members.keys()) this.cancelExpiry(group, memberId);
    for (const memberId of group.pendingJoin) this.cancelExpiry(group, memberId);
  }

  /** Gives everybody who waits the assignment that has been committed; the group is stable. */
  assign(group: ClassicGroup, assignments: ReadonlyMap<string, Uint8Array>): void {
    assert(group.state === "CompletingRebalance", "assignments end a rebalance");
    for (const member of group.members.values()) {
      member.assignment = assignments.get(member.memberId) ?? NO_BYTES;
    }
    for (const member of group.members.values()) {
      const answered = group.completeSync(member, {
        error: Errors.NONE,
        protocolType: group.protocolType,
        protocolName: group.protocolName,
        assignment: member.assignment,
      });
      // A session that ran out while the member waited was let pass, so it starts again here.
      if (answered) this.touch(group, member);
    }
    group.transitionTo("Stable", this.services.clock.wallMs());
  }

  /** Tells everybody who waits for an assignment that there is none. */
  propagateError(group: ClassicGroup, error: ErrorCode): void {
    for (const member of group.members.values()) {
      member.assignment = NO_BYTES;
      if (group.completeSync(member, syncError(error))) this.touch(group, member);
    }
  }

  /** A member is out: whoever waits for its join is told, and the others rebalance. */
  removeMember(group: ClassicGroup, member: ClassicMember, reason: string): Step {
    this.evict(group, member);
    if (group.state === "Stable" || group.state === "CompletingRebalance") {
      return this.prepareOrComplete(group, reason);
    }
    if (group.state === "PreparingRebalance" && group.hasAllMembersJoined()) {
      return this.complete(group);
    }
    return NO_STEP;
  }

  /** Removes a member and nothing more. UNKNOWN_MEMBER_ID makes a live one join afresh. */
  evict(group: ClassicGroup, member: ClassicMember): void {
    this.cancelExpiry(group, member.memberId);
    group.completeJoin(member, joinError(Errors.UNKNOWN_MEMBER_ID, ""));
    group.completeSync(member, syncError(Errors.UNKNOWN_MEMBER_ID));
    group.remove(member.memberId);
  }

  /** A member id that was given out will not be used; the others need not wait for it. */
  removePending(group: ClassicGroup, memberId: string): Step {
    this.cancelExpiry(group, memberId);
    group.remove(memberId);
    if (group.state === "PreparingRebalance" && group.hasAllMembersJoined()) {
      return this.complete(group);
    }
    this.services.forgetIfUnused(group);
    return NO_STEP;
  }

  #scheduleComplete(group: ClassicGroup): Step {
    this.services.timers.schedule(joinKey(group.groupId), group.rebalanceTimeoutMs(), () => {
      const current = this.services.find(group.groupId) === group;
      return current && group.state === "PreparingRebalance" ? this.complete(group) : NO_STEP;
    });
    return NO_STEP;
  }

  /** KIP-134: while members keep joining, the first generation waits, at most a rebalance timeout. */
  #scheduleInitial(groupId: string, waitMs: number, delayMs: number, remainingMs: number): void {
    this.services.timers.schedule(joinKey(groupId), waitMs, () => {
      const group = this.services.find(groupId);
      if (group === undefined || group.state !== "PreparingRebalance") return NO_STEP;
      if (!group.newMemberAdded || remainingMs === 0) return this.complete(group);
      group.newMemberAdded = false;
      const nextMs = Math.min(this.services.config.initialRebalanceDelayMs, remainingMs);
      this.#scheduleInitial(groupId, nextMs, nextMs, Math.max(remainingMs - delayMs, 0));
      return NO_STEP;
    });
  }

  #becameEmpty(group: ClassicGroup): Step {
    const { find, logger, timers } = this.services;
    const { generationId } = group;
    return {
      ...NO_STEP,
      records: [groupMetadataRecord(group, () => NO_BYTES)],
      // Nobody waits for it, and a restart would revive members that expire again; so try later.
      onFailed: (error) => {
        logger.warn("could not record that a group is empty", { group: group.groupId, error });
        timers.schedule(joinKey(group.groupId), EMPTY_RETRY_MS, () => {
          const still = find(group.groupId) === group && group.state === "Empty" &&
            group.generationId === generationId;
          return still ? this.#becameEmpty(group) : NO_STEP;
        });
      },
    };
  }

  #answerJoins(group: ClassicGroup): void {
    for (const member of group.members.values()) {
      group.completeJoin(member, this.joinResponse(group, member.memberId));
      member.isNew = false;
      this.touch(group, member);
      group.pendingSync.add(member.memberId);
    }
  }

  #expire(group: ClassicGroup, memberId: string): Step {
    if (group.pendingJoin.has(memberId)) {
      return this.removePending(group, memberId);
    }
    const member = group.members.get(memberId);
    if (member === undefined) return NO_STEP;
    // Who waits for the others is alive, unless it is new: its client may have given up long ago.
    const waits = member.awaitingJoin !== null || member.awaitingSync !== null;
    if (waits && !member.isNew) return NO_STEP;
    this.services.logger.info("group member has failed", { group: group.groupId, memberId });
    return this.removeMember(group, member, `member ${memberId} sent no heartbeat`);
  }

  #expireSync(group: ClassicGroup): Step {
    if (group.state !== "CompletingRebalance" && group.state !== "Stable") return NO_STEP;
    if (group.pendingSync.size === 0) return NO_STEP;
    for (const memberId of [...group.pendingSync]) {
      group.remove(memberId);
      this.cancelExpiry(group, memberId);
    }
    return this.prepare(group, "members did not send SyncGroup in time");
  }
}

const joinKey = (groupId: string) => `join ${groupId}`;
const syncKey = (groupId: string) => `sync ${groupId}`;
const heartbeatKey = (groupId: string, memberId: string) =>
  `member ${memberId.length} ${memberId} ${groupId}`;

/** Cancels what waits for the rest of a sync phase once all of a generation have synced. */
export function cancelSyncIfAllSynced(rebalancer: Rebalancer, group: ClassicGroup): void {
  if (group.pendingSync.size === 0) rebalancer.services.timers.cancel(syncKey(group.groupId));
}
