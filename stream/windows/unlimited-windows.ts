/** One window without an end for each key (Kafka's `UnlimitedWindows`). */
import { requireMs, type Window } from "./time-windows.ts";

/** Where windows without an end have theirs: milliseconds since 1970, in the year 287396. */
export const NO_END_MS = Number.MAX_SAFE_INTEGER;

/** See the head of the file. */
export class UnlimitedWindows {
  readonly sizeMs = NO_END_MS;
  /** Nothing is late for what has no end. */
  readonly graceMs = 0;

  constructor(readonly startMs: number) {
    requireMs("startMs", startMs, 0);
  }

  /** None before it begins. */
  windowsOf(timestampMs: number): Window[] {
    const { startMs } = this;
    return timestampMs < startMs ? [] : [{ startMs, endMs: NO_END_MS }];
  }
}

/** From a time on, for good: records of before are left out. Default: all are in it. */
export function unlimited({ startMs = 0 }: { readonly startMs?: number } = {}): UnlimitedWindows {
  return new UnlimitedWindows(startMs);
}
