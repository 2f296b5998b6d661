/** What `--idle-timeout` means, for all ways to consume. */
import type { Clock } from "../../core/io.ts";

/** How often it looks whether reading has begun. */
const BEGIN_CHECK_MS = 50;

/** Who waits for what comes next. */
export interface IdleWait<T> {
  readonly clock: Clock;
  /** Null: for ever. */
  readonly idleTimeoutMs: number | null;
  /** Nothing has come for so long; it aborts `stop`. */
  readonly onIdle: () => void;
  readonly stop: AbortSignal;
  /** False as long as silence says nothing: who waits has not begun to read. */
  isReading(): boolean;
  next(stop: AbortSignal): Promise<T | null>;
}

/** What comes next; null at its end, and once `stop` is aborted. */
export async function nextUnlessIdle<T>(wait: IdleWait<T>): Promise<T | null> {
  const { clock, idleTimeoutMs, onIdle, stop } = wait;
  let cancel = () => {};
  const watch = (timeoutMs: number) => {
    const counts = wait.isReading();
    // To connect and to join a group takes time as well; what cannot be reached fails by itself.
    const timer = clock.setTimer(
      counts ? timeoutMs : Math.min(timeoutMs, BEGIN_CHECK_MS),
      () => counts ? onIdle() : watch(timeoutMs),
    );
    cancel = () => timer.cancel();
  };
  if (idleTimeoutMs !== null) watch(idleTimeoutMs);
  try {
    return await wait.next(stop);
  } catch (error) {
    if (stop.aborted) return null;
    throw error;
  } finally {
    cancel();
  }
}
