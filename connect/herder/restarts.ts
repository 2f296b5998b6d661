/** Who is begun again: failed connectors and tasks by themselves, and what somebody asks for (KIP-745). */
import type { Clock, Timer } from "../../core/io.ts";
import type { Work } from "../group/work.ts";
import type { State } from "../worker/status.ts";
import type { RestartRequest } from "./config-records.ts";

/** When what has failed is begun again. */
export interface RestartPolicy {
  /** So many times in a row; 0: never. */
  readonly maxAttempts: number;
  /** Before the first time; it doubles each time. */
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  /** What has run for so long was not begun in vain: counting begins anew. */
  readonly wellAfterMs: number;
}

export const DEFAULT_RESTARTS: RestartPolicy = {
  maxAttempts: 10,
  backoffMs: 1000,
  backoffMaxMs: 60_000,
  wellAfterMs: 600_000,
};

interface Failing {
  attempts: number;
  /** When it was begun again last (monotonic). */
  begunMs: number;
  timer: Timer | null;
}

/** Begins again what has failed here, after pauses that grow, and up to a cap. */
export class AutoRestarts {
  readonly #failing = new Map<Work, Failing>();

  constructor(
    private readonly clock: Clock,
    private readonly policy: RestartPolicy,
    private readonly restart: (work: Work, attempt: number) => void,
  ) {}

  /** It has failed: milliseconds until it is begun again; null: it is left as it is. */
  failed(work: Work): number | null {
    const nowMs = this.clock.monotonicMs();
    const known = this.#failing.get(work);
    const failing = known ?? { attempts: 0, begunMs: nowMs, timer: null };
    if (failing.timer !== null) return null;
    if (nowMs - failing.begunMs >= this.policy.wellAfterMs) failing.attempts = 0;
    this.#failing.set(work, failing);
    if (failing.attempts >= this.policy.maxAttempts) return null;
    const { backoffMs, backoffMaxMs } = this.policy;
    const delayMs = Math.min(backoffMaxMs, backoffMs * 2 ** failing.attempts);
    failing.attempts++;
    failing.timer = this.clock.setTimer(delayMs, () => {
      failing.timer = null;
      failing.begunMs = this.clock.monotonicMs();
      this.restart(work, failing.attempts);
    });
    return delayMs;
  }

  /** Somebody has begun it again, or it is not here any more. */
  forget(work: Work): void {
    this.#failing.get(work)?.timer?.cancel();
    this.#failing.delete(work);
  }

  close(): void {
    for (const { timer } of this.#failing.values()) timer?.cancel();
    this.#failing.clear();
  }
}

/** Whether a restart concerns something in this state. */
export function concerns({ onlyFailed }: RestartRequest, state: State): boolean {
  return !onlyFailed || state === "FAILED";
}
