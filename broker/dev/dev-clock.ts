/**
 * The time of a broker for development, which can be moved forward.
 *
 * It has two faces. `clock` is the time of I/O: its wall time moves with the others, so that records
 * and states are stamped with it, but its monotonic time and its timers are real, so that no request
 * or connection runs out of time. `housekeeping` and `sessions` are what the broker keeps its state
 * by: producers', transactions' and offsets' age by the one, members' sessions by the other.
 *
 * A move goes from due timer to due timer and lets each do its work at its own time. What is done
 * again and again, such as the look for what has expired, is done more rarely during a long move:
 * at least `STEPS` times, and once more at its end.
 */
import type { Clock, Timer } from "../../core/io.ts";

/** How often a repeated timer fires in the course of a move, at the least. */
const STEPS = 64;
/** Timers that are due within so long fire together, in their order; at most this part of a move. */
const TOGETHER_MS = 1_000;
const TOGETHER_PART = 1 / 1_000;

/** What the broker is asked during a move. */
export interface DevClockHooks {
  /** Resolves when what the timers have begun is done. */
  readonly settled: () => Promise<void>;
  /** The time has come to where it was to go: what has no timer of its own is done now. */
  readonly arrived: () => Promise<void>;
}

/** See the head of this file. */
export class DevClock {
  readonly clock: Clock;
  readonly #base: Clock;
  readonly #housekeeping: MovableClock;
  readonly #sessions: MovableClock;
  /** How far wall time is ahead of the real one. */
  #offsetMs = 0;
  /** Moves go one after the other. */
  #moving: Promise<void> = Promise.resolve();

  constructor(base: Clock) {
    const wallMs = () => Math.floor(base.wallMs() + this.#offsetMs);
    this.#base = base;
    this.clock = {
      wallMs,
      monotonicMs: () => base.monotonicMs(),
      setTimer: (delayMs, callback) => base.setTimer(delayMs, callback),
    };
    this.#housekeeping = new MovableClock(base, wallMs);
    this.#sessions = new MovableClock(base, wallMs);
  }

  /** For what expires by age. */
  get housekeeping(): Clock {
    return this.#housekeeping;
  }

  /** For what expires because a client has not been heard of. */
  get sessions(): Clock {
    return this.#sessions;
  }

  /** How far the broker's time is ahead of the real one, in milliseconds. */
  get aheadMs(): number {
    return this.#offsetMs;
  }

  /** Moves the time forward; with `sessions` also that of sessions. Resolves when all is done. */
  advance(byMs: number, hooks: DevClockHooks, sessions = false): Promise<void> {
    const moved = this.#moving.then(() => this.#advance(byMs, hooks, sessions));
    this.#moving = moved.catch(() => {});
    return moved;
  }

  async #advance(byMs: number, hooks: DevClockHooks, sessions: boolean): Promise<void> {
    const housekeeping = this.#housekeeping;
    const clocks = sessions ? [housekeeping, this.#sessions] : [housekeeping];
    const targetMs = this.#offsetMs + byMs;
    const move = (ms: number) => {
      this.#offsetMs += ms;
      for (const clock of clocks) clock.move(ms);
    };
    const togetherMs = Math.min(TOGETHER_MS, byMs * TOGETHER_PART);
    housekeeping.shortestMs = byMs / STEPS;
    try {
      for (;;) {
        const inMs = Math.min(...clocks.map((clock) => clock.nextInMs));
        if (this.#offsetMs + inMs > targetMs) break;
        const leftMs = targetMs - this.#offsetMs;
        move(Math.min(leftMs, Math.max(0, inMs) + togetherMs));
        fireDue(clocks);
        await this.#settled(hooks);
      }
      move(targetMs - this.#offsetMs);
      this.#offsetMs = targetMs;
      // What is set from here on is for the time after the move.
      housekeeping.shortestMs = 0;
      for (const { fire } of housekeeping.timers()) fire();
      await this.#settled(hooks);
      await hooks.arrived();
    } finally {
      housekeeping.shortestMs = 0;
      for (const clock of clocks) clock.rearm();
    }
  }

  /** What the timers have begun goes on in turns of the event loop. */
  async #settled(hooks: DevClockHooks): Promise<void> {
    await new Promise<void>((resolve) => this.#base.setTimer(0, resolve));
    await hooks.settled();
  }
}

/** Fires the timers that are due, the earliest first. */
function fireDue(clocks: readonly MovableClock[]): void {
  const due = clocks.flatMap((clock) => clock.timers()).filter(({ inMs }) => inMs <= 0);
  for (const { fire } of due.sort((a, b) => a.inMs - b.inMs)) fire();
}

interface Entry {
  readonly dueMs: number;
  readonly callback: () => void;
  timer: Timer;
}

/** A clock whose monotonic time can be moved forward, with its timers. */
class MovableClock implements Clock {
  /** No timer that is set has a shorter delay, but for those without any. */
  shortestMs = 0;
  readonly #base: Clock;
  readonly #entries = new Set<Entry>();
  #aheadMs = 0;

  constructor(base: Clock, readonly wallMs: () => number) {
    this.#base = base;
  }

  monotonicMs(): number {
    return this.#base.monotonicMs() + this.#aheadMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const inMs = delayMs <= 0 ? 0 : Math.max(delayMs, this.shortestMs);
    const dueMs = this.monotonicMs() + inMs;
    const fire = () => this.#fire(entry);
    const entry: Entry = { dueMs, callback, timer: this.#base.setTimer(inMs, fire) };
    this.#entries.add(entry);
    return {
      cancel: () => {
        entry.timer.cancel();
        this.#entries.delete(entry);
      },
    };
  }

  /** How long until the first timer is due; negative if it is, infinite if there is none. */
  get nextInMs(): number {
    let firstMs = Infinity;
    for (const { dueMs } of this.#entries) firstMs = Math.min(firstMs, dueMs);
    return firstMs - this.monotonicMs();
  }

  move(byMs: number): void {
    this.#aheadMs += byMs;
  }

  /** The timers that are set: how long until each is due, and what fires it. */
  timers(): { readonly inMs: number; fire(): void }[] {
    const nowMs = this.monotonicMs();
    return Array.from(this.#entries, (entry) => ({
      inMs: entry.dueMs - nowMs,
      fire: () => this.#fire(entry),
    }));
  }

  /** Sets the timers that are left by the time that it is now. */
  rearm(): void {
    for (const entry of this.#entries) {
      entry.timer.cancel();
      const inMs = Math.max(0, entry.dueMs - this.monotonicMs());
      entry.timer = this.#base.setTimer(inMs, () => this.#fire(entry));
    }
  }

  #fire(entry: Entry): void {
    // Another that has just fired may have cancelled it.
    if (!this.#entries.delete(entry)) return;
    entry.timer.cancel();
    entry.callback();
  }
}
