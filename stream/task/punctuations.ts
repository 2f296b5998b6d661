/**
 * What is called every so often. By stream time the first call is at the first record, the next ones at
 * multiples of the interval; by the wall clock the first is an interval after the beginning
 * (Kafka's `PunctuationSchedule`). Who is late is called once, not for each interval that was missed.
 */
import type { PunctuationType } from "../processor.ts";

interface Schedule {
  readonly type: PunctuationType;
  readonly intervalMs: number;
  readonly callback: (timestampMs: number) => void;
  dueMs: number;
}

/** See the head of the file. */
export class Punctuations {
  #schedules: Schedule[] = [];

  /** `nowMs`: null for stream time, which is due at once. Gives back what ends it. */
  add(
    type: PunctuationType,
    intervalMs: number,
    nowMs: number | null,
    callback: (timestampMs: number) => void,
  ): () => void {
    if (!(intervalMs >= 1)) throw new RangeError(`the interval is 1 ms or more, not ${intervalMs}`);
    const dueMs = nowMs === null ? 0 : nowMs + intervalMs;
    const schedule: Schedule = { type, intervalMs, callback, dueMs };
    this.#schedules.push(schedule);
    return () => {
      this.#schedules = this.#schedules.filter((each) => each !== schedule);
    };
  }

  /** When the next one of the wall clock is due, which is `nowMs` now; null: there is none. */
  nextWallMs(nowMs: number): number | null {
    let next: number | null = null;
    for (const schedule of this.#schedules) {
      if (schedule.type !== "wall-clock-time") continue;
      // A clock that was put back by hours would have it wait as long.
      schedule.dueMs = Math.min(schedule.dueMs, nowMs + schedule.intervalMs);
      next = Math.min(next ?? Infinity, schedule.dueMs);
    }
    return next;
  }

  get isEmpty(): boolean {
    return this.#schedules.length === 0;
  }

  /** Gives `run` all that are due, those that are due first before others. */
  call(
    type: PunctuationType,
    nowMs: number,
    run: (callback: (timestampMs: number) => void) => void,
  ): void {
    if (this.#schedules.length === 0) return;
    const due = this.#schedules.filter((each) => each.type === type && each.dueMs <= nowMs);
    for (const schedule of due.sort((one, other) => one.dueMs - other.dueMs)) {
      if (!this.#schedules.includes(schedule)) continue; // one before it has ended it
      const missed = Math.floor((nowMs - schedule.dueMs) / schedule.intervalMs);
      schedule.dueMs += (missed + 1) * schedule.intervalMs;
      run(schedule.callback);
    }
  }
}
