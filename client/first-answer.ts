/** Asks one after the other until somebody answers, and does not wait for those who keep silent. */
import { deferred } from "../core/deferred.ts";
import type { Clock } from "../core/io.ts";
import { TimeoutError } from "./errors.ts";

/** How long one is waited for alone, and what comes of its failures. */
export interface Patience<C> {
  /** After it the next one is asked, too. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether the next one may do better. */
  readonly goesOn: (error: unknown) => boolean;
  /** Somebody has kept silent for that time. */
  readonly late: (candidate: C) => void;
}

/**
 * The first answer. `ask` is told by its signal that it is wanted no more. Throws the last failure
 * when all have failed, and at once one that `goesOn` says no to.
 */
export async function firstAnswer<C, R>(
  clock: Clock,
  candidates: readonly C[],
  ask: (candidate: C, signal: AbortSignal) => Promise<R>,
  { patienceMs, signal, goesOn, late }: Patience<C>,
): Promise<R> {
  const { promise, resolve, reject } = deferred<R>();
  const ended = new AbortController();
  const gone = signal === undefined ? ended.signal : AbortSignal.any([ended.signal, signal]);
  let stopWaiting = () => {};
  let next = 0;
  let underWay = 0;
  const askNext = () => {
    stopWaiting();
    const candidate = candidates[next++];
    if (candidate === undefined) return;
    underWay++;
    if (next < candidates.length) {
      const timer = clock.setTimer(patienceMs, () => {
        late(candidate);
        askNext();
      });
      stopWaiting = () => timer.cancel();
    }
    ask(candidate, gone).then(resolve, (error: unknown) => {
      underWay--;
      const isLast = underWay === 0 && next >= candidates.length;
      if (isLast || gone.aborted || !goesOn(error)) reject(error);
      else if (next < candidates.length) askNext();
    });
  };
  if (candidates.length === 0) throw new TimeoutError("no broker address is known");
  askNext();
  try {
    return await promise;
  } finally {
    stopWaiting();
    next = candidates.length;
    ended.abort();
  }
}
