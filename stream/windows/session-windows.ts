/** Sessions: records of a key that are near to each other in time (Kafka's `SessionWindows`). */
import { requireMs } from "./time-windows.ts";

/** See the head of the file. */
export class SessionWindows {
  constructor(readonly gapMs: number, readonly graceMs: number) {
    requireMs("gapMs", gapMs, 1);
    requireMs("graceMs", graceMs, 0);
  }
}

/**
 * A session ends when nothing came for `gapMs`; a record between two sessions joins them. `graceMs`: how
 * long after that, in stream time, records that are late are taken. Default: not at all.
 */
export function sessions(
  { gapMs, graceMs = 0 }: { readonly gapMs: number; readonly graceMs?: number },
): SessionWindows {
  return new SessionWindows(gapMs, graceMs);
}
