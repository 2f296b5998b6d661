/** Windows of a fixed length, one after the other or overlapping (Kafka's `TimeWindows`). */

/** A stretch of time: from `startMs` on, before `endMs`; milliseconds since 1970. */
export interface Window {
  readonly startMs: number;
  readonly endMs: number;
}

/** How long windows are, and how late records may come. */
export interface TimeWindowsOptions {
  readonly sizeMs: number;
  /** How long after its end, in stream time, a window takes records that are late. Default: not at all. */
  readonly graceMs?: number;
}

/** See the head of the file. */
export class TimeWindows {
  constructor(
    readonly sizeMs: number,
    readonly advanceMs: number,
    readonly graceMs: number,
  ) {
    requireMs("sizeMs", sizeMs, 1);
    requireMs("advanceMs", advanceMs, 1);
    requireMs("graceMs", graceMs, 0);
    if (advanceMs <= sizeMs) return;
    throw new RangeError(`advanceMs is ${advanceMs}, so windows of ${sizeMs} ms would leave gaps`);
  }

  /** The windows that a moment is in, the earliest first. */
  windowsOf(timestampMs: number): Window[] {
    const { sizeMs, advanceMs } = this;
    const windows: Window[] = [];
    const first = Math.floor(Math.max(0, timestampMs - sizeMs + advanceMs) / advanceMs) * advanceMs;
    for (let startMs = first; startMs <= timestampMs; startMs += advanceMs) {
      windows.push({ startMs, endMs: startMs + sizeMs });
    }
    return windows;
  }
}

/** A time that is not a whole number of milliseconds, or below `min`, is refused. */
export function requireMs(name: string, value: number, min: number): void {
  if (Number.isSafeInteger(value) && value >= min) return;
  throw new RangeError(`${name} is a whole number of milliseconds from ${min} on, not ${value}`);
}

/** Each moment is in one window. */
export function tumbling({ sizeMs, graceMs = 0 }: TimeWindowsOptions): TimeWindows {
  return new TimeWindows(sizeMs, sizeMs, graceMs);
}

/** A window begins every `advanceMs`: a moment is in several. */
export function hopping(
  { sizeMs, advanceMs, graceMs = 0 }: TimeWindowsOptions & { readonly advanceMs: number },
): TimeWindows {
  return new TimeWindows(sizeMs, advanceMs, graceMs);
}
