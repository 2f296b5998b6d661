/**
 * Windows that slide with the records: there is one for each set of records that are no further apart
 * than a difference in time (Kafka's `SlidingWindows`, KIP-450). Both ends of a window are in it.
 */
import { requireMs } from "./time-windows.ts";

/** See the head of the file. */
export class SlidingWindows {
  constructor(readonly differenceMs: number, readonly graceMs: number) {
    requireMs("differenceMs", differenceMs, 0);
    requireMs("graceMs", graceMs, 0);
  }
}

/** `graceMs`: how long after its end, in stream time, a window takes records that are late. Default: 0. */
export function sliding(
  { differenceMs, graceMs = 0 }: { readonly differenceMs: number; readonly graceMs?: number },
): SlidingWindows {
  return new SlidingWindows(differenceMs, graceMs);
}
