/** When each record is due, by the clock alone: what is slow does not put off what comes after. */
import { sleep } from "../../core/io.ts";
import { clientIo } from "../client.ts";

/** A schedule of `perSecond` records a second, or of as many as there can be with 0. */
export class Pace {
  readonly #startMs = clientIo.clock.monotonicMs();

  constructor(readonly perSecond: number) {}

  /** When record number `index` was to be sent, on the monotonic clock. */
  dueMs(index: number): number {
    return this.perSecond === 0
      ? clientIo.clock.monotonicMs()
      : this.#startMs + index * 1000 / this.perSecond;
  }

  /** How many records are due by now. */
  due(): number {
    if (this.perSecond === 0) return Infinity;
    const elapsedMs = clientIo.clock.monotonicMs() - this.#startMs;
    return Math.floor(elapsedMs * this.perSecond / 1000) + 1;
  }

  /** Waits until the record is due. */
  async until(index: number, signal: AbortSignal): Promise<void> {
    const waitMs = this.dueMs(index) - clientIo.clock.monotonicMs();
    if (waitMs > 0) await sleep(clientIo.clock, waitMs, signal);
  }

  elapsedMs(): number {
    return clientIo.clock.monotonicMs() - this.#startMs;
  }
}
