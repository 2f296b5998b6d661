/**
 * The deadlines of a consumer group's members. Whoever misses one is fenced: its partitions are
 * free, and it has to join afresh.
 *
 * - session: no heartbeat for the session timeout.
 * - rebalance: partitions that are to be given up are not, for the member's rebalance timeout.
 * - join and sync: a member that speaks the classic protocol was told to rejoin and does not, or
 *   has joined and does not ask for its assignment.
 */
import type { CoordinatorResult } from "../../shard.ts";
import type { GroupContext } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import { type ConsumerMember, MemberStates } from "./consumer-member.ts";

type Step = CoordinatorResult<GroupRecord, void>;
type Deadline = "session" | "rebalance" | "join" | "sync";

const keyOf = (what: Deadline, groupId: string, memberId: string) =>
  `consumer ${what} ${memberId.length} ${memberId} ${groupId}`;

/** Removes a member, if it is there and `which` holds for it. */
export type Fence = (
  groupId: string,
  memberId: string,
  reason: string,
  which: (member: ConsumerMember) => boolean,
) => Step;

/** See the header. */
export class ConsumerSessions {
  readonly #joins = new Set<string>();

  constructor(readonly context: GroupContext, readonly fence: Fence) {}

  /** Starts or restarts the session of a member; by its own timeout if it is a classic one. */
  touch(groupId: string, member: ConsumerMember): void {
    const timeoutMs = member.classic?.sessionTimeoutMs ??
      this.context.config.consumer.sessionTimeoutMs(groupId);
    this.#schedule("session", groupId, member.memberId, timeoutMs, "its session has expired");
  }

  /** A member has the rebalance timeout to give up partitions, in one epoch. */
  watchRevocation(groupId: string, member: ConsumerMember): void {
    const { memberId, memberEpoch, rebalanceTimeoutMs } = member;
    if (member.classic !== null) return;
    if (member.state !== MemberStates.UNREVOKED_PARTITIONS) {
      this.context.timers.cancel(keyOf("rebalance", groupId, memberId));
      return;
    }
    const reason = `it has not given up partitions within ${rebalanceTimeoutMs} ms`;
    this.#schedule(
      "rebalance",
      groupId,
      memberId,
      rebalanceTimeoutMs,
      reason,
      (now) => now.memberEpoch === memberEpoch,
    );
  }

  /** A classic member has been told to rejoin; the first time counts. */
  expectJoin(groupId: string, member: ConsumerMember): void {
    const key = keyOf("join", groupId, member.memberId);
    if (this.#joins.has(key)) return;
    this.#joins.add(key);
    const reason = "it has not rejoined within its rebalance timeout";
    this.#schedule("join", groupId, member.memberId, member.rebalanceTimeoutMs, reason);
  }

  joined(groupId: string, memberId: string): void {
    const key = keyOf("join", groupId, memberId);
    this.#joins.delete(key);
    this.context.timers.cancel(key);
  }

  /** A classic member has joined and has the rebalance timeout to ask for its assignment. */
  expectSync(groupId: string, member: ConsumerMember): void {
    const reason = "it has not asked for its assignment within its rebalance timeout";
    this.#schedule("sync", groupId, member.memberId, member.rebalanceTimeoutMs, reason);
  }

  synced(groupId: string, memberId: string): void {
    this.context.timers.cancel(keyOf("sync", groupId, memberId));
  }

  /** The member is gone. */
  cancelAll(groupId: string, memberId: string): void {
    for (const what of ["session", "rebalance", "sync"] as const) {
      this.context.timers.cancel(keyOf(what, groupId, memberId));
    }
    this.joined(groupId, memberId);
  }

  #schedule(
    what: Deadline,
    groupId: string,
    memberId: string,
    timeoutMs: number,
    reason: string,
    which: (member: ConsumerMember) => boolean = () => true,
  ): void {
    const key = keyOf(what, groupId, memberId);
    this.context.timers.schedule(key, timeoutMs, () => {
      this.#joins.delete(key);
      return this.fence(groupId, memberId, reason, which);
    });
  }
}
