/**
 * A histogram of durations with about three significant digits in constant memory, as
 * HdrHistogram's: buckets whose width doubles, each with the same number of parts.
 */

const PARTS_BITS = 10;
const PARTS = 1 << PARTS_BITS;
/** Of microseconds: up to 12 days. */
const BUCKETS = 30;

/** See the head of the file. */
export class Histogram {
  readonly #counts = new Float64Array(PARTS * (BUCKETS + 1));
  #count = 0;
  #max = 0;
  #sum = 0;

  get count(): number {
    return this.#count;
  }

  /** Takes in a duration; less than nothing counts as nothing. */
  add(ms: number): void {
    const micros = Math.max(0, Math.round(ms * 1000));
    this.#counts[indexOf(micros)]!++;
    this.#count++;
    this.#sum += micros;
    if (micros > this.#max) this.#max = micros;
  }

  /** What `share` (0 to 1) of all does not exceed, in milliseconds. */
  quantile(share: number): number {
    if (this.#count === 0) return 0;
    let left = Math.max(1, Math.ceil(share * this.#count));
    for (let i = 0; i < this.#counts.length; i++) {
      left -= this.#counts[i]!;
      if (left <= 0) return Math.min(highestOf(i), this.#max) / 1000;
    }
    return this.#max / 1000;
  }

  /** The quantiles that a report shows. */
  summary() {
    return {
      count: this.#count,
      meanMs: this.#count === 0 ? 0 : this.#sum / this.#count / 1000,
      p50Ms: this.quantile(0.5),
      p90Ms: this.quantile(0.9),
      p99Ms: this.quantile(0.99),
      p999Ms: this.quantile(0.999),
      maxMs: this.#max / 1000,
    };
  }
}

function indexOf(micros: number): number {
  if (micros < PARTS) return micros;
  const bucket = Math.min(BUCKETS - 1, Math.floor(Math.log2(micros)) - PARTS_BITS + 1);
  const part = Math.min(PARTS - 1, Math.floor(micros / 2 ** bucket));
  return bucket * PARTS + part;
}

/** The largest value that falls to an index. */
function highestOf(index: number): number {
  if (index < PARTS) return index;
  const bucket = Math.floor(index / PARTS);
  return ((index % PARTS) + 1) * 2 ** bucket - 1;
}
