/** How much all caches of a member may hold together (`statestore.cache.max.bytes`). */

/** A cache that can be made smaller. */
interface Evictable {
  readonly bytes: number;
  /** Lets go of something. */
  evict(): void;
}

/** See the head of the file. */
export class CacheBudget {
  readonly #caches = new Set<Evictable>();
  #isKeeping = false;

  /** `bytesMax` 0: nothing is gathered, each change is given on at once. */
  constructor(readonly bytesMax: number) {}

  add(cache: Evictable): void {
    this.#caches.add(cache);
  }

  remove(cache: Evictable): void {
    this.#caches.delete(cache);
  }

  /** Evicts from the largest cache until there is room. What nodes do meanwhile is made up for here. */
  keep(): void {
    if (this.#isKeeping) return;
    this.#isKeeping = true;
    try {
      for (let held = this.#held(); held > this.bytesMax;) {
        this.#largest()?.evict();
        const left = this.#held();
        if (left >= held && this.#largest()?.bytes === 0) return;
        held = left;
      }
    } finally {
      this.#isKeeping = false;
    }
  }

  #held(): number {
    let bytes = 0;
    for (const cache of this.#caches) bytes += cache.bytes;
    return bytes;
  }

  #largest(): Evictable | null {
    let largest: Evictable | null = null;
    for (const cache of this.#caches) {
      if (largest === null || cache.bytes > largest.bytes) largest = cache;
    }
    return largest;
  }
}
