/**
 * How much is asked of one leader at a time. Large answers make reading cheap: what each fetch costs
 * besides its bytes is some milliseconds on both sides. On a slow link they come late or never. So it
 * grows while full answers come quickly, and shrinks when they do not.
 */

const FIRST_BYTES = 4 * 1024 * 1024;
const LEAST_BYTES = 256 * 1024;
/** An answer of several partitions may be so much larger than one of them. */
const PARTITIONS_AT_ONCE = 4;
/** So quick an answer could have been larger, so slow a one should have been smaller. */
const QUICK_MS = 100;
const SLOW_MS = 2000;

/** See the head of this file. */
export class FetchSize {
  #bytes: number;

  /** Bounds for one partition, and for one answer. */
  constructor(private readonly partitionMaxBytes: number, private readonly maxBytes: number) {
    this.#bytes = Math.min(FIRST_BYTES, partitionMaxBytes);
  }

  /** For one partition. */
  get partitionBytes(): number {
    return this.#bytes;
  }

  /** For an answer. */
  get answerBytes(): number {
    return Math.min(this.maxBytes, PARTITIONS_AT_ONCE * this.#bytes);
  }

  /** An answer came; `largestBytes` is what the partition that gave most gave. */
  heard(largestBytes: number, tookMs: number): void {
    // A little less than all: answers end with a batch.
    if (largestBytes < this.#bytes / 2) return;
    if (tookMs <= QUICK_MS) this.#bytes = Math.min(2 * this.#bytes, this.partitionMaxBytes);
    else if (tookMs >= SLOW_MS) this.failed();
  }

  /** None came in time. */
  failed(): void {
    const least = Math.min(LEAST_BYTES, this.partitionMaxBytes);
    this.#bytes = Math.max(least, Math.floor(this.#bytes / 2));
  }
}
