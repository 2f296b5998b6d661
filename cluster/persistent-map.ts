import { atOnce, type Steps } from "../core/steps.ts";

/** 2^10 buckets: some ten entries in each for ten thousand topics. */
const BUCKETS = 1024;

/** How many changes are a step. */
const CHANGES_PER_STEP = 200;

type Bucket<V> = ReadonlyMap<string, V>;

const NO_BUCKETS: readonly (Bucket<never> | undefined)[] = Array.from({ length: BUCKETS });

/** FNV-1a over the UTF-16 units, folded to a bucket. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (BUCKETS - 1);
}

/**
 * A map that never changes: `with` gives a new one that shares all but the touched buckets, so an
 * old version stays valid for whoever holds it, and a change costs some kilobytes whatever the size.
 */
export class PersistentMap<V> implements Iterable<readonly [string, V]> {
  readonly #buckets: readonly (Bucket<V> | undefined)[];

  private constructor(buckets: readonly (Bucket<V> | undefined)[], readonly size: number) {
    this.#buckets = buckets;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(NO_BUCKETS, 0);
  }

  get(key: string): V | undefined {
    return this.#buckets[bucketOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#buckets[bucketOf(key)]?.has(key) ?? false;
  }

  /** The map after these changes in order; `undefined` removes a key. */
  with(changes: Iterable<readonly [string, V | undefined]>): PersistentMap<V> {
    return atOnce(this.withSteps(changes));
  }

  /** As `with`, in steps. */
  *withSteps(changes: Iterable<readonly [string, V | undefined]>): Steps<PersistentMap<V>> {
    let done = 0;
    const copies = new Map<number, Map<string, V>>();
    let size = this.size;
    for (const [key, value] of changes) {
      const index = bucketOf(key);
      const bucket = copies.get(index) ?? new Map(this.#buckets[index]);
      copies.set(index, bucket);
      size -= bucket.size;
      if (value === undefined) bucket.delete(key);
      else bucket.set(key, value);
      size += bucket.size;
      if (++done % CHANGES_PER_STEP === 0) yield;
    }
    if (copies.size === 0) return this;
    const buckets = this.#buckets.slice();
    for (const [index, bucket] of copies) buckets[index] = bucket;
    return new PersistentMap(buckets, size);
  }

  *[Symbol.iterator](): Iterator<readonly [string, V]> {
    for (const bucket of this.#buckets) {
      if (bucket !== undefined) yield* bucket;
    }
  }

  *values(): Generator<V> {
    for (const [, value] of this) yield value;
  }

  *keys(): Generator<string> {
    for (const [key] of this) yield key;
  }
}
