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
  for (;;) {
    const done = oneTurn(clock, steps);
    if (done !== null) return done.value;
    await nextTurn(clock);
  }
}

/** As `inTurns`; null if all steps were done in the first turn, which is now. */
export function inFirstOrMoreTurns(clock: Clock, steps: Steps<void>): Promise<void> | null {
  if (oneTurn(clock, steps) !== null) return null;
  return nextTurn(clock).then(() => inTurns(clock, steps));
}

/** Resolves in a later turn of the event loop. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(0, resolve));
}

/** Runs steps for the time of a turn; null if there are more. */
function oneTurn<T>(clock: Clock, steps: Steps<T>): { readonly value: T } | null {
  const sinceMs = clock.monotonicMs();
  do {
    const step = steps.next();
    if (step.done) return step;
  } while (clock.monotonicMs() - sinceMs < TURN_MS);
  return null;
}
