/**
 * Looks twice a second how late the event loop is. Bun tells nothing of garbage collections; their
 * pauses are in this.
 */
import { Histogram } from "../../core/histogram.ts";
import type { Clock, Timer } from "../../core/io.ts";

const LOOK_MS = 500;

/** See the head of the file; `stop` it. */
export class EventLoopWatch {
  /** Milliseconds. */
  readonly delays = new Histogram();
  #timer: Timer;

  constructor(private readonly clock: Clock) {
    this.#timer = this.#arm();
  }

  stop(): void {
    this.#timer.cancel();
  }

  #arm(): Timer {
    const dueMs = this.clock.monotonicMs() + LOOK_MS;
    return this.clock.setTimer(LOOK_MS, () => {
      this.delays.record(Math.max(0, this.clock.monotonicMs() - dueMs));
      this.#timer = this.#arm();
    });
  }
}
