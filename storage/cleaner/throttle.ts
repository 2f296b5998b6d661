import { type Clock, sleep } from "../../core/io.ts";

/** Shorter waits are saved up: a timer is no finer than this. */
const WAIT_MS_MIN = 5;

/** Keeps the bytes that all cleaning reads and writes below a rate, which may change. */
export class Throttle {
  /** When the bytes so far would be through at the rate. */
  private paidUntilMs = 0;

  constructor(private readonly clock: Clock, private readonly bytesPerSecond: () => number) {}

  /** Resolves when so many bytes may be followed by more. Rejects when the signal is aborted. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    this.paidUntilMs = Math.max(this.paidUntilMs, nowMs) + bytes / this.bytesPerSecond() * 1000;
    const waitMs = this.paidUntilMs - nowMs;
    if (waitMs >= WAIT_MS_MIN) await sleep(this.clock, waitMs, signal);
  }
}
