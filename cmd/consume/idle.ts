/** What `--idle-timeout` means, for all ways to consume. */
import type { Clock } from "../../core/io.ts";

/** Who waits for what comes next. */
export interface IdleWait<T> {
  readonly clock: Clock;
  /** Null: for ever. */
  readonly idleTimeoutMs: number | null;
  /** Nothing has come for so long; it aborts `stop`. */
  readonly onIdle: () => void;
  readonly stop: AbortSignal;
  next(stop: AbortSignal): Promise<T | null>;
}

/** What comes next; null at its end, and once `stop` is aborted. */
export async function nextUnlessIdle<T>(wait: IdleWait<T>): Promise<T | null> {
  const { clock, idleTimeoutMs, onIdle, stop } = wait;
  const timer = idleTimeoutMs === null ? null : clock.setTimer(idleTimeoutMs, onIdle);
  try {
    return await wait.next(stop);
  } catch (error) {
    if (stop.aborted) return null;
    throw error;
  } finally {
    timer?.cancel();
  }
}
