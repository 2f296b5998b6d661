/** How long changes of a table are held back (Kafka's `Suppressed`, KIP-328). */
import type { Windowed } from "../windows/windowed-key.ts";
import { requireMs } from "../windows/time-windows.ts";

/** How much may be held back: default is no bound. */
export interface BufferBounds {
  readonly maxRecords?: number;
  /** Keys and values as they are written, and about forty bytes each. */
  readonly maxBytes?: number;
}

/** See the head of the file: made by `untilWindowCloses` and `untilTimeLimit`. */
export interface Suppression<in K> extends BufferBounds {
  /** How long in stream time. Null: as long as windows take records that are late. */
  readonly ms: number | null;
  /** From when on. Null: from the time of the record that is the first of its key to be held back. */
  readonly timeOf: ((key: K) => number) | null;
  /** What is done where there would be more: what is oldest is given on early, or the task fails. */
  readonly whenFull: "emit" | "fail";
}

/**
 * Each window is given on once, when it takes no more records; those that have no value are left out. A
 * bound that is reached fails the task, as nothing may be given on early.
 */
export function untilWindowCloses(bounds: BufferBounds = {}): Suppression<Windowed<unknown>> {
  requireBounds(bounds);
  return { ...bounds, ms: null, timeOf: ({ window }) => window.endMs, whenFull: "fail" };
}

/**
 * Of the changes of a key within `ms` of stream time only the last is given on. Where a bound is reached
 * the oldest ones are given on early, unless the task is to fail then.
 */
export function untilTimeLimit(
  { ms, whenFull = "emit", ...bounds }:
    & { readonly ms: number; readonly whenFull?: "emit" | "fail" }
    & BufferBounds,
): Suppression<unknown> {
  requireMs("ms", ms, 0);
  requireBounds(bounds);
  return { ...bounds, ms, timeOf: null, whenFull };
}

function requireBounds(bounds: BufferBounds): void {
  for (const [name, value] of Object.entries(bounds)) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) continue;
    throw new RangeError(`${name} is a whole number from 0 on, not ${value}`);
  }
}
