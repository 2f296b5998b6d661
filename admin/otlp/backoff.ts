/** When to try again what a collector did not take: twice as long after each time. */

const MS_MIN = 1_000;
const MS_MAX = 30_000;

/** See the head of the file. */
export class Backoff {
  #failingMs = 0;

  /** `intervalMs`: how long to wait where nothing is wrong. */
  constructor(private readonly intervalMs: number) {}

  /** How long to wait now. */
  get waitMs(): number {
    return this.#failingMs || this.intervalMs;
  }

  note(isGood: boolean): void {
    this.#failingMs = isGood ? 0 : Math.min(MS_MAX, Math.max(MS_MIN, 2 * this.#failingMs));
  }
}
