/**
 * The deadlines of a streams group and its members.
 *
 * - session: no heartbeat for the session timeout, so the member is fenced.
 * - rebalance: tasks that are to be given up are not, for the member's rebalance timeout.
 * - initial rebalance: a group that gets its first member waits for more before it assigns tasks.
 */
import type { CoordinatorResult } from "../../shard.ts";
import type { GroupContext } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import { MemberStates, type StreamsMember } from "./streams-member.ts";

type Step = CoordinatorResult<GroupRecord, void>;

/** Removes a member, if it is there and `which` holds for it. */
export type Fence = (
  groupId: string,
  memberId: string,
  reason: string,
  which: (member: StreamsMember) => boolean,
) => Step;

const keyOf = (what: "session" | "rebalance", groupId: string, memberId: string) =>
  `streams ${what} ${memberId.length} ${memberId} ${groupId}`;
const initialKey = (groupId: string) => `streams initial rebalance ${groupId}`;

/** See the header. */
export class StreamsSessions {
  readonly #delayed = new Set<string>();

  constructor(readonly context: GroupContext, readonly fence: Fence) {}

  /** Starts or restarts the session of a member. */
  touch(groupId: string, memberId: string): void {
    const timeoutMs = this.context.config.streams.sessionTimeoutMs(groupId);
    this.context.timers.schedule(
      keyOf("session", groupId, memberId),
      timeoutMs,
      () => this.fence(groupId, memberId, "its session has expired", () => true),
    );
  }

  /** A member has the rebalance timeout to give up tasks, in one epoch. */
  watchRevocation(groupId: string, member: StreamsMember): void {
    const { memberId, memberEpoch, rebalanceTimeoutMs } = member;
    const key = keyOf("rebalance", groupId, memberId);
    if (member.state !== MemberStates.UNREVOKED_TASKS) return this.context.timers.cancel(key);
    const reason = `it has not given up tasks within ${rebalanceTimeoutMs} ms`;
    const isSame = (now: StreamsMember) => now.memberEpoch === memberEpoch;
    this.context.timers.schedule(
      key,
      rebalanceTimeoutMs,
      () => this.fence(groupId, memberId, reason, isSame),
    );
  }

  /** The group waits for more members from now on, unless it does already. */
  delayRebalance(groupId: string, delayMs: number, assign: () => Step): void {
    if (delayMs <= 0 || this.#delayed.has(groupId)) return;
    this.#delayed.add(groupId);
    this.context.timers.schedule(initialKey(groupId), delayMs, () => {
      this.#delayed.delete(groupId);
      return assign();
    });
  }

  /** Whether the group waits for more members. */
  isDelayed(groupId: string): boolean {
    return this.#delayed.has(groupId);
  }

  /** The member is gone. */
  cancel(groupId: string, memberId: string): void {
    for (const what of ["session", "rebalance"] as const) {
      this.context.timers.cancel(keyOf(what, groupId, memberId));
    }
  }

  /** The group is gone. */
  cancelGroup(groupId: string): void {
    this.#delayed.delete(groupId);
    this.context.timers.cancel(initialKey(groupId));
  }
}
