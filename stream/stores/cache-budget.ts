/** How much all caches of a member may hold together (`statestore.cache.max.bytes`). */
import type { RecordContext } from "../task/record-context.ts";

/** A cache that can be made smaller. */
interface Evictable {
  readonly bytes: number;
  /** Of its task. */
  readonly context: RecordContext;
  /** Lets go of something, which may have nodes of its task process changes. */
  evict(): void;
  /** Lets go of something if nobody has to hear of it. */
  evictUnchanged(): boolean;
}

/** See the head of the file. */
export class CacheBudget {
  readonly #caches = new Set<Evictable>();
  /** What all of them hold. */
  #bytes = 0;
  #isKeeping = false;

  /** `bytesMax` 0: nothing is gathered, each change is given on at once. */
  constructor(readonly bytesMax: number) {}

  get bytes(): number {
    return this.#bytes;
  }

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

  /**
   * Evicts from the largest cache until there is room, for a task that is at work: what others have changed
   * stays, for what fails behind that is theirs. What nodes do meanwhile is made up for here.
   */
  keep(context: RecordContext): void {
    if (this.#isKeeping || this.#bytes <= this.bytesMax) return;
    this.#isKeeping = true;
    try {
      while (this.#bytes > this.bytesMax) {
        const largest = this.#largest(null);
        if (largest?.context !== context && largest?.evictUnchanged() === true) continue;
        const own = this.#largest(context);
        if (own === null || own.bytes === 0) return;
        own.evict();
      }
    } finally {
      this.#isKeeping = false;
    }
  }

  /** Of a task; null: of all. */
  #largest(context: RecordContext | null): Evictable | null {
    let largest: Evictable | null = null;
    for (const cache of this.#caches) {
      if (context !== null && cache.context !== context) continue;
      if (largest === null || cache.bytes > largest.bytes) largest = cache;
    }
    return largest;
  }
}
