/** So many records a second, and no more: a bucket that fills steadily up to what a second brings. */
import { sleep } from "../../core/io.ts";
import type { Clock } from "../../core/io.ts";

/** See the head of the file. */
export class Pace {
  #debtUntilMs = 0;

  /** `perSecond` 0: no limit. */
  constructor(readonly clock: Clock, readonly perSecond: number) {}

  /** Counts records that went; resolves when more may go. Rejects if the signal aborts. */
  async went(records: number, signal: AbortSignal): Promise<void> {
    if (this.perSecond === 0) return;
    const nowMs = this.clock.monotonicMs();
    const fromMs = Math.max(this.#debtUntilMs, nowMs - 1000);
    this.#debtUntilMs = fromMs + (records * 1000) / this.perSecond;
    if (this.#debtUntilMs > nowMs) await sleep(this.clock, this.#debtUntilMs - nowMs, signal);
  }
}
