/** What making key indexes may take: one at a time in a data directory, below a rate. */
import type { Clock } from "../../core/io.ts";
import { Throttle } from "../cleaner/throttle.ts";

/** How key indexes are made. */
export interface KeyIndexLimits {
  /** What is not indexed of the segment that is appended to: it is read for each key. */
  readonly tailBytes: number;
  /** Keys in a run: the memory that it takes to make it is eight times that, for a moment twice. */
  readonly runKeysMax: number;
  readonly bytesPerSecond: number;
}

export const DEFAULT_KEY_INDEX_LIMITS: KeyIndexLimits = {
  tailBytes: 4 * 1024 * 1024,
  runKeysMax: 256 * 1024,
  bytesPerSecond: 512 * 1024 * 1024,
};

/** See the head of this file. */
export class KeyIndexing {
  readonly throttle: Throttle;
  private last: Promise<void> = Promise.resolve();

  constructor(clock: Clock, readonly limits: KeyIndexLimits) {
    this.throttle = new Throttle(clock, () => limits.bytesPerSecond);
  }

  /** Runs it when all earlier ones have ended. */
  async exclusive(work: () => Promise<void>): Promise<void> {
    const run = this.last.then(work);
    this.last = run.catch(() => {});
    await run;
  }
}
