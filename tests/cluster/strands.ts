/** Strands of work that all have to go on: how much of each was acknowledged, and how long they paused. */
export class Strands {
  longestPauseMs = 0;
  readonly #counts: number[];
  readonly #lastNs: (number | null)[];

  constructor(count: number) {
    this.#counts = Array.from({ length: count }, () => 0);
    this.#lastNs = this.#counts.map(() => null);
  }

  get counts(): readonly number[] {
    return this.#counts;
  }

  get total(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  acknowledged(strand: number): void {
    const nowNs = Bun.nanoseconds();
    const pauseNs = nowNs - (this.#lastNs[strand] ?? nowNs);
    this.longestPauseMs = Math.max(this.longestPauseMs, pauseNs / 1e6);
    this.#lastNs[strand] = nowNs;
    this.#counts[strand] = (this.#counts[strand] ?? 0) + 1;
  }

  /** Begins to measure pauses anew. */
  measurePause(): void {
    this.longestPauseMs = 0;
    this.#lastNs.fill(Bun.nanoseconds());
  }
}

/** Clients whose coordinator is silent ask for another one after it. */
export const REQUEST_TIMEOUT_MS = 2000;
const POLL_MS = 20;

/** Waits for a condition; fails with what it was after the time. */
export async function until(
  what: () => string,
  withinMs: number,
  isTrue: () => boolean,
): Promise<void> {
  const limit = performance.now() + withinMs;
  while (!isTrue()) {
    if (performance.now() > limit) throw new Error(`not within ${withinMs} ms: ${what()}`);
    await Bun.sleep(POLL_MS);
  }
}
