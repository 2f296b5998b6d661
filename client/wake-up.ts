/** When a loop runs next: once for all that asks for it in one turn, and at a time set ahead. */
import type { Clock, Timer } from "../core/io.ts";

/** Runs `body` when somebody wants it, never inside the caller's turn. */
export class WakeUp {
  #scheduled = false;
  #timer: Timer | null = null;
  #timerAtMs = Infinity;
  #closed = false;

  constructor(readonly clock: Clock, readonly body: () => void) {}

  /** Runs it at the end of this turn. */
  soon(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#closed) this.body();
    });
  }

  /** Runs it at `atMs` of the monotonic clock, or at an earlier time that was asked for. */
  at(atMs: number): void {
    if (this.#closed || atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.clock.setTimer(Math.max(0, atMs - this.clock.monotonicMs()), () => {
      this.#timerAtMs = Infinity;
      this.soon();
    });
  }

  /** It never runs again. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}
