/** How far apart in time two records may be that belong together (Kafka's `JoinWindows`). */

/** Milliseconds. Without `beforeMs` or `afterMs` it is `differenceMs` on that side. */
export interface JoinWindowsOptions {
  readonly differenceMs?: number;
  /** The other record may be so much older; negative: it is at least so much newer. */
  readonly beforeMs?: number;
  /** The other record may be so much newer; negative: it is at least so much older. */
  readonly afterMs?: number;
  /** How long after its end, in stream time, a window takes records that are late. Default: not at all. */
  readonly graceMs?: number;
}

/** See the head of the file. `left.join(…)`: before and after are seen from the left record. */
export class JoinWindows {
  constructor(
    readonly beforeMs: number,
    readonly afterMs: number,
    readonly graceMs: number,
  ) {
    for (const ms of [beforeMs, afterMs, graceMs]) {
      if (Number.isSafeInteger(ms)) continue;
      throw new RangeError(`times of a join are whole milliseconds, not ${ms}`);
    }
    if (graceMs < 0) throw new RangeError(`graceMs is 0 or more, not ${graceMs}`);
    if (beforeMs + afterMs >= 0) return;
    throw new RangeError(`the window ends ${-beforeMs - afterMs} ms before it begins`);
  }

  get sizeMs(): number {
    return this.beforeMs + this.afterMs;
  }

  /** How long a record is kept for those of the other side, in stream time. */
  get retentionMs(): number {
    return this.sizeMs + this.graceMs;
  }
}

/** `within({ differenceMs: 5_000 })`, `within({ beforeMs: 0, afterMs: 60_000, graceMs: 1_000 })`. */
export function within(
  { differenceMs = 0, beforeMs, afterMs, graceMs = 0 }: JoinWindowsOptions,
): JoinWindows {
  return new JoinWindows(beforeMs ?? differenceMs, afterMs ?? differenceMs, graceMs);
}
