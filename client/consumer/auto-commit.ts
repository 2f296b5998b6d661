/** Commits now and then what a consumer has worked off. */
import { asError } from "../../core/as-error.ts";
import { Errors } from "../../core/errors.ts";
import type { Clock, Timer } from "../../core/io.ts";
import { isRetriableError, KafkaError } from "../errors.ts";

/** The group has gone on: its other members read what is not committed. */
const REBALANCED: ReadonlySet<number> = new Set([
  Errors.ILLEGAL_GENERATION,
  Errors.UNKNOWN_MEMBER_ID,
  Errors.REBALANCE_IN_PROGRESS,
  Errors.FENCED_INSTANCE_ID,
  Errors.STALE_MEMBER_EPOCH,
  Errors.FENCED_MEMBER_EPOCH,
]);

/** Whether a commit came too late, so that records are delivered again. */
export function isTooLate(error: unknown): boolean {
  return error instanceof KafkaError && REBALANCED.has(error.code);
}

/** Calls `commit` every `intervalMs`, never twice at a time. */
export class AutoCommit {
  #timer: Timer | null = null;
  #stopped = false;

  constructor(
    readonly clock: Clock,
    readonly intervalMs: number,
    readonly commit: () => Promise<void>,
    readonly failed: (error: Error) => void,
  ) {
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = this.clock.setTimer(this.intervalMs, () => {
      this.commit().catch((error: unknown) => {
        // The next time brings it, or the group has gone on and others read again.
        if (isTooLate(error) || isRetriableError(error) || this.#stopped) return;
        this.failed(asError(error));
      }).finally(() => this.#schedule());
    });
  }
}
