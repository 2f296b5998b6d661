/** Time for tests of connectors: the machine's, or a virtual one that never waits. */
import { sleep } from "../../core/io.ts";
import { systemClock } from "../../core/io/system-clock.ts";
import type { TaskClock } from "../connector.ts";

/** The machine's time. */
export const realClock: TaskClock = {
  wallMs: () => systemClock.wallMs(),
  monotonicMs: () => systemClock.monotonicMs(),
  sleep: (ms, signal) => sleep(systemClock, ms, signal).catch(() => {}),
};

interface Sleeper {
  readonly wakeMs: number;
  wake(): void;
}

/**
 * Time that jumps to the end of the shortest sleep as soon as all else that was ready has run: a
 * connector that polls every minute is tested in milliseconds.
 */
export class VirtualClock implements TaskClock {
  #nowMs: number;
  #sleepers: Sleeper[] = [];
  #isDue = false;

  /**
   * `startMs`: the first moment, in milliseconds since 1970. `jumpMsMax`: who sleeps longer is not jumped
   * to, only `advance` ends it: so deadlines of real calls, made long, stay away while pauses pass.
   */
  constructor(startMs: number = Date.UTC(2026, 0, 1), readonly jumpMsMax: number = Infinity) {
    this.#nowMs = startMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        wakeMs: this.#nowMs + ms,
        wake: () => {
          signal.removeEventListener("abort", sleeper.wake);
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          resolve();
        },
      };
      signal.addEventListener("abort", sleeper.wake, { once: true });
      this.#sleepers.push(sleeper);
      this.#jumpSoon();
    });
  }

  /** Moves time by so much at once; who sleeps wakes up where that is due. */
  advance(ms: number): void {
    this.#nowMs += ms;
    for (const sleeper of this.#sleepers) if (sleeper.wakeMs <= this.#nowMs) sleeper.wake();
  }

  #jumpSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    systemClock.setTimer(0, () => {
      this.#isDue = false;
      const next = this.#sleepers.toSorted((a, b) => a.wakeMs - b.wakeMs)[0];
      if (next === undefined || next.wakeMs - this.#nowMs > this.jumpMsMax) return;
      this.#nowMs = Math.max(this.#nowMs, next.wakeMs);
      next.wake();
      if (this.#sleepers.length > 0) this.#jumpSoon();
    });
  }
}
