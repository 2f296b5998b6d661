/**
 * How well this process itself is doing (Lifeguard, section IV-A, the Local Health Multiplier): who
 * misses answers that others do get is slow itself, so it probes more slowly and waits longer.
 */

/** The largest score: probes are up to this + 1 times slower. */
export const HEALTH_SCORE_MAX = 7;

/** See the head of this file. */
export class Health {
  #score = 0;

  /** 0 is healthy. */
  get score(): number {
    return this.#score;
  }

  /** What probe times are multiplied by. */
  get multiplier(): number {
    return this.#score + 1;
  }

  /** Worse by `by`, or better if it is negative. */
  change(by: number): void {
    this.#score = Math.max(0, Math.min(HEALTH_SCORE_MAX, this.#score + by));
  }
}
