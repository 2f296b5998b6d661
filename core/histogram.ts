/**
 * A histogram with fixed bounds: recording is a short search and two additions, and allocates
 * nothing. Read by whoever shows metrics.
 */
import { assert } from "./assert.ts";

/** Upper bounds in milliseconds for times from the page cache to a slow disk or a long poll. */
export const TIME_BOUNDS_MS: readonly number[] = [
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1_000,
  2_500,
  5_000,
  10_000,
  30_000,
];

/** See the head of the file. */
export class Histogram {
  /** How many values were at most the bound of the same index and above the one before; the last: more than all. */
  readonly counts: Float64Array;
  sum = 0;

  /** `bounds` are upper bounds, inclusive and ascending. */
  constructor(readonly bounds: readonly number[] = TIME_BOUNDS_MS) {
    assert(bounds.length > 0, "a histogram has bounds");
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** How many values were recorded. */
  get count(): number {
    let count = 0;
    for (const bucket of this.counts) count += bucket;
    return count;
  }

  record(value: number): void {
    const { bounds } = this;
    let index = 0;
    while (index < bounds.length && value > bounds[index]!) index++;
    this.counts[index]!++;
    this.sum += value;
  }

  /** Adds what another one with the same bounds has recorded. */
  add(other: Histogram): void {
    for (let index = 0; index < this.counts.length; index++) {
      this.counts[index]! += other.counts[index]!;
    }
    this.sum += other.sum;
  }
}
