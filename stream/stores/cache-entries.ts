/** The entries of a cache: by the bytes of their keys, and in the order of their last use. */
import type { RecordMoment } from "../task/record-context.ts";
import { compareKeys, hashOf } from "./log-structured/bytes-order.ts";
import { copyOf } from "./small-bytes.ts";

/** What an entry takes besides its bytes, about. */
const ENTRY_BYTES = 100;
const FIRST_SLOTS = 64;

/** A key that is in the cache. */
export class CacheEntry {
  value: Uint8Array | null = null;
  /** Null: it is as in the store. */
  changed: RecordMoment | null = null;
  /** Where the cache has it among what was changed, if it is there. */
  changedAt = 0;
  /** What the store has; undefined: it was not asked. */
  stored: Uint8Array | null | undefined = undefined;
  /** What the value was read as, where that may be used again; undefined: it has to be read. */
  object: unknown = undefined;
  /** The same of the key. */
  keyObject: unknown = undefined;
  isEvicted = false;
  older: CacheEntry | null = null;
  newer: CacheEntry | null = null;
  /** Another one in the same slot. */
  next: CacheEntry | null = null;

  constructor(readonly key: Uint8Array, readonly hash: number) {}

  get sizeBytes(): number {
    return this.key.length + (this.value?.length ?? 0) + ENTRY_BYTES;
  }
}

/** See the head of the file. No text is made of a key, and nothing is allocated to find one. */
export class CacheEntries {
  /** What was not used for longest; null: there is nothing. */
  oldest: CacheEntry | null = null;
  #newest: CacheEntry | null = null;
  #slots = new Array<CacheEntry | null>(FIRST_SLOTS).fill(null);
  #count = 0;

  find(key: Uint8Array): CacheEntry | null {
    const hash = hashOf(key, 0, key.length);
    let entry = this.#slots[hash & (this.#slots.length - 1)] ?? null;
    while (entry !== null && (entry.hash !== hash || compareKeys(entry.key, key) !== 0)) {
      entry = entry.next;
    }
    return entry;
  }

  /** One that is not there yet; the key is copied. It was used last. */
  add(key: Uint8Array): CacheEntry {
    const entry = new CacheEntry(copyOf(key), hashOf(key, 0, key.length));
    if (++this.#count > this.#slots.length) this.#grow();
    this.#put(entry);
    this.#link(entry);
    return entry;
  }

  /** It was used last. */
  touch(entry: CacheEntry): void {
    if (entry === this.#newest) return;
    this.#unlink(entry);
    this.#link(entry);
  }

  remove(entry: CacheEntry): void {
    this.#unlink(entry);
    this.#count--;
    const slot = entry.hash & (this.#slots.length - 1);
    let before = this.#slots[slot]!;
    if (before === entry) {
      this.#slots[slot] = entry.next;
      return;
    }
    while (before.next !== entry) before = before.next!;
    before.next = entry.next;
  }

  #put(entry: CacheEntry): void {
    const slot = entry.hash & (this.#slots.length - 1);
    entry.next = this.#slots[slot]!;
    this.#slots[slot] = entry;
  }

  #grow(): void {
    this.#slots = new Array<CacheEntry | null>(this.#slots.length * 2).fill(null);
    for (let entry = this.oldest; entry !== null; entry = entry.newer) this.#put(entry);
  }

  #link(entry: CacheEntry): void {
    entry.older = this.#newest;
    entry.newer = null;
    if (this.#newest === null) this.oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #unlink({ older, newer }: CacheEntry): void {
    if (older === null) this.oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
  }
}
