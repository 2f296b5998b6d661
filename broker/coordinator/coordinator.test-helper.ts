/** What the coordinators' tests stand on: a clock that is moved by hand, and a log in memory. */
import type { Clock, Random, Timer } from "../../core/io.ts";
import type { LogFields, Logger } from "../../core/logger.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import {
  forEachBatch,
  lastOffset,
  recordsCount,
  setBaseOffset,
} from "../../core/records/batch-header.ts";
import type { CoordinatorAppend, CoordinatorLog, CoordinatorRead } from "./coordinator-log.ts";

/** Timers fire in order when the time is moved. */
export class ManualClock implements Clock {
  #nowMs = 1_700_000_000_000;
  #timers: { atMs: number; callback: () => void }[] = [];

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return { cancel: () => this.#timers = this.#timers.filter((each) => each !== timer) };
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  /** Moves the time on; what is due runs at its own time, with all that follows from it. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settle();
    for (;;) {
      const due = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined || due.atMs > untilMs) break;
      this.#timers = this.#timers.filter((each) => each !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.callback();
      await settle();
    }
    this.#nowMs = untilMs;
  }
}

/** Lets everything run that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** A partition's log in memory. `autoCommit` off, `commit` moves the high watermark. */
export class MemoryLog implements CoordinatorLog {
  readonly leaderEpoch = 0;
  logStartOffset = 0;
  logEndOffset = 0;
  highWatermark = 0;
  autoCommit = true;
  hasUnstable = false;
  /** The error of the next appends. */
  failWith: ErrorCode = Errors.NONE;
  batches: Uint8Array[] = [];
  readonly #listeners = new Set<() => void>();

  append(batch: Uint8Array): CoordinatorAppend {
    if (this.failWith !== Errors.NONE) {
      return { ok: false, error: this.failWith, message: "told to fail" };
    }
    const copy = batch.slice();
    const baseOffset = this.logEndOffset;
    setBaseOffset(copy, 0, baseOffset);
    this.batches.push(copy);
    this.logEndOffset += recordsCount(copy, 0);
    if (this.autoCommit) this.commit();
    return { ok: true, baseOffset, lastOffset: this.logEndOffset - 1 };
  }

  commit(): void {
    this.highWatermark = this.logEndOffset;
    for (const listener of [...this.#listeners]) listener();
  }

  onAdvance(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  deleteRecordsBefore(offset: number): ErrorCode {
    if (offset > this.highWatermark) return Errors.OFFSET_OUT_OF_RANGE;
    this.logStartOffset = offset;
    this.batches = this.batches.filter((each) => lastOffset(each, 0) >= offset);
    return Errors.NONE;
  }

  read(offset: number): Promise<CoordinatorRead> {
    const batch = this.batches.find((each) => lastOffset(each, 0) >= offset);
    const records = batch ?? new Uint8Array(0);
    let nextOffset = offset;
    forEachBatch(records, (position) => nextOffset = lastOffset(records, position) + 1);
    return Promise.resolve({ ok: true, records, nextOffset });
  }
}

/** The same chance in every run. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor(this.#state / 2 ** 32 * bound);
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }
}

/** A logger that keeps warnings and errors. */
export class ListLogger implements Logger {
  readonly lines: string[] = [];
  debug(): void {}
  info(): void {}
  warn(message: string, fields?: LogFields): void {
    this.lines.push(`warn ${message} ${JSON.stringify(fields ?? {})}`);
  }
  error(message: string, fields?: LogFields): void {
    this.lines.push(`error ${message} ${JSON.stringify(fields ?? {})}`);
  }
  with(): Logger {
    return this;
  }
}
