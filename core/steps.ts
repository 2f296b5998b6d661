/**
 * Long work without I/O, cut into steps so that it does not hold the event loop: a generator that
 * yields wherever it may be interrupted and returns its result. Whoever needs it whole runs it
 * `atOnce`; whoever serves others beside it runs it `inTurns`.
 */
import type { Clock } from "./io.ts";

/** See the head of this file. A step should take well under a millisecond. */
export type Steps<T> = Generator<void, T, void>;

/** How long work goes on before the event loop gets a turn: a good part of the 10 ms it may be held. */
const TURN_MS = 3;

/** Runs all steps without a pause. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Runs the steps, with a turn of the event loop whenever they have taken 3 ms. */
export async function inTurns<T>(clock: Clock, steps: Steps<T>): Promise<T> {
  let since = clock.monotonicMs();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (clock.monotonicMs() - since < TURN_MS) continue;
    await new Promise<void>((resolve) => void clock.setTimer(0, resolve));
    since = clock.monotonicMs();
  }
}
