/**
 * Looks twice a second how late the event loop is, and takes now and then what the engine noted of its
 * garbage collections.
 */
import { Histogram } from "../../core/histogram.ts";
import type { Clock } from "../../core/io.ts";
import { GarbageCollections } from "../../core/io/garbage-collections.ts";

const LOOK_MS = 500;
/** The engine keeps a note of a kilobyte for each collection until it is taken. */
const LOOKS_PER_TAKING = 20;

/** Of the process, not of one broker in it; it counts from `start` on. */
export class ProcessWatch {
  /** Milliseconds. */
  readonly delays = new Histogram();
  readonly #collections = new GarbageCollections();
  #isRunning = false;

  /** Watches until the signal is aborted. Once is enough: further calls do nothing. */
  start(clock: Clock, stopping: AbortSignal): void {
    if (this.#isRunning || stopping.aborted) return;
    this.#isRunning = true;
    this.#collections.start();
    let looks = 0;
    const arm = () => {
      const dueMs = clock.monotonicMs() + LOOK_MS;
      return clock.setTimer(LOOK_MS, () => {
        this.delays.record(Math.max(0, clock.monotonicMs() - dueMs));
        if (++looks % LOOKS_PER_TAKING === 0) this.#collections.take();
        timer = arm();
      });
    };
    let timer = arm();
    stopping.addEventListener("abort", () => {
      timer.cancel();
      this.#collections.stop();
    }, { once: true });
  }

  /** Up to now. */
  get collections(): GarbageCollections {
    this.#collections.take();
    return this.#collections;
  }
}
