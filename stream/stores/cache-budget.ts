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
  /** What all of them hold. */
  #bytes = 0;
  #isKeeping = false;

  /** `bytesMax` 0: nothing is gathered, each change is given on at once. */
  constructor(readonly bytesMax: number) {}

  add(cache: Evictable): void {
    this.#caches.add(cache);
  }

  remove(cache: Evictable): void {
    if (this.#caches.delete(cache)) this.#bytes -= cache.bytes;
  }

  /** A cache holds so many bytes more, or fewer. */
  changed(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Evicts from the largest cache until there is room. What nodes do meanwhile is made up for here. */
  keep(): void {
    if (this.#isKeeping || this.#bytes <= this.bytesMax) return;
    this.#isKeeping = true;
    try {
      while (this.#bytes > this.bytesMax) this.#largest()?.evict();
    } finally {
      this.#isKeeping = false;
    }
  }

  #largest(): Evictable | null {
    let largest: Evictable | null = null;
    for (const cache of this.#caches) {
      if (largest === null || cache.bytes > largest.bytes) largest = cache;
    }
    return largest;
  }
}
