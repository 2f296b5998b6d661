/** What a consumer sees of its membership in a group, whichever protocol it speaks. */
import { deferred } from "../../core/deferred.ts";
import type { Clock } from "../../core/io.ts";
import type { CommittingMember } from "../commit-offsets.ts";
import type { Cluster } from "../cluster.ts";
import { isRetriableError, TimeoutError } from "../errors.ts";
import type { TopicPartition } from "../group-protocol.ts";
import type { OperationOptions } from "../options.ts";
import type { PartitionPosition } from "./options.ts";

/** What a member does with its partitions. Events come one after the other. */
export interface MembershipEvents {
  /**
   * These partitions are this member's now, beside those that it has. Called also with none. To find
   * where they go on may take long: `isStillMine` is asked just before they are taken up, and if it
   * says no they are not, and this resolves to false; so it does soon after the session has ended.
   */
  assigned(
    partitions: readonly TopicPartition[],
    isStillMine: () => boolean,
    session: AbortSignal,
  ): Promise<boolean>;
  /** These go to others: the last chance to commit. If the session ends meanwhile, they are lost. */
  revoked(partitions: readonly TopicPartition[], session: AbortSignal): Promise<void>;
  /** Others may have these by now. */
  lost(partitions: readonly TopicPartition[]): Promise<void>;
  /** Trouble that lasts; the member goes on trying unless it is `fatal`. */
  failed(error: Error, fatal: boolean): void;
}

/** What a member wants to read: topics by name, or all whose whole name matches. */
export type TopicSelection =
  | { readonly topics: readonly string[] }
  | { readonly pattern: string };

/** One member of a group, from `start` to `stop`. */
export interface Membership {
  start(): void;
  /** Leaves the group; a static member stays in it until its session ends. */
  stop(): Promise<void>;
  /** Commits as this member. Throws `KafkaError`, also when the group has gone on without it. */
  commit(offsets: readonly PartitionPosition[], options?: OperationOptions): Promise<void>;
  /** How the group knows this member, e.g. for `Producer.sendOffsets`. */
  readonly member: CommittingMember;
}

/** What a timer takes. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

/**
 * Counts failures in a row: how long to pause, and whether they have lasted so long that they are told of;
 * as long as an operation may take, if nothing else is said.
 */
export class Patience {
  #failures = 0;
  #sinceMs = 0;
  #told = false;

  readonly #tellAfterMs: number;
  /** Silence is told of as well, before anything fails. */
  readonly #isEager: boolean;

  constructor(readonly cluster: Cluster, tellAfterMs?: number) {
    this.#tellAfterMs = tellAfterMs ?? cluster.options.apiTimeoutMs;
    this.#isEager = tellAfterMs !== undefined;
  }

  /** How long one attempt may take, for trouble to be told of in time. */
  get attemptMs(): number {
    return Math.min(this.#tellAfterMs, this.cluster.options.apiTimeoutMs);
  }

  /** The answer. Where a time to tell is set, silence for that long is told of while it is waited for. */
  async hearing<T>(answer: Promise<T>, tell: (error: Error) => void): Promise<T> {
    if (!this.#isEager) return await answer;
    const timer = this.cluster.io.clock.setTimer(this.#tellAfterMs, () => {
      if (this.#told) return;
      this.#told = true;
      tell(new TimeoutError("heartbeats are not answered"));
    });
    try {
      return await answer;
    } finally {
      timer.cancel();
    }
  }

  /** All is well again. True: it was said that it is not. */
  reset(): boolean {
    const wasTold = this.#told;
    this.#failures = 0;
    this.#told = false;
    return wasTold;
  }

  /** Whether trouble has lasted too long; says so once. */
  get isExhausted(): boolean {
    if (this.#failures === 0 || this.#told) return false;
    const lastedMs = this.cluster.io.clock.monotonicMs() - this.#sinceMs;
    return this.#told = lastedMs >= this.#tellAfterMs;
  }

  /** One more failure; the pause before the next attempt. */
  failed(): number {
    if (this.#failures++ === 0) this.#sinceMs = this.cluster.io.clock.monotonicMs();
    return this.cluster.backoffMs(this.#failures - 1);
  }
}

/** Whether a member that runs into this tries again, for as long as it is wanted. */
export function isPassing(error: unknown): boolean {
  return isRetriableError(error) || error instanceof TimeoutError;
}

/** Rejects with `late()` after `leftMs`, or if the signal is aborted; the result is dropped then. */
export async function withDeadline<T>(
  clock: Clock,
  work: Promise<T>,
  leftMs: number,
  signal: AbortSignal,
  late: () => Error,
): Promise<T> {
  const { promise, reject } = deferred<never>();
  const giveUp = () => reject(late());
  const timer = clock.setTimer(Math.min(Math.max(0, leftMs), LONGEST_TIMER_MS), giveUp);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", giveUp);
    // Nobody listens to what comes later.
    work.catch(() => {});
  }
}
