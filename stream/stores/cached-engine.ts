/**
 * Gathers changes of keys until they are flushed, at a commit or where memory runs short: of several
 * changes of a key only the last one goes to the store, its changelog and the nodes behind it
 * (Kafka's `CachingKeyValueStore`, `NamedCache`). A key that came and went meanwhile was never there.
 */
import type { RecordContext, RecordMoment } from "../task/record-context.ts";
import type { CacheBudget } from "./cache-budget.ts";
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";
import { copyOf } from "./small-bytes.ts";
import { byCodeUnits, bytesOf, textOf } from "./key-text.ts";
import { SortedMap } from "./sorted-map.ts";

/** A change that is flushed. `before` is what the store had. */
export interface FlushedChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly before: Uint8Array | null;
  /** What the record was that has made the change. */
  readonly moment: RecordMoment;
}

export type FlushListener = (change: FlushedChange) => void;

/** What an entry takes besides its bytes, about. */
const ENTRY_BYTES = 100;

/** A key that is in the cache. Entries are a list, in the order of their last use. */
export class CacheEntry {
  value: Uint8Array | null = null;
  /** Null: it is as in the store. */
  changed: RecordMoment | null = null;
  /** What the store has; undefined: it was not asked. */
  stored: Uint8Array | null | undefined = undefined;
  /** What the value was read as, where that may be used again; undefined: it has to be read. */
  object: unknown = undefined;
  isEvicted = false;
  older: CacheEntry | null = null;
  newer: CacheEntry | null = null;

  constructor(readonly key: Uint8Array, readonly text: string) {}

  get sizeBytes(): number {
    return this.key.length + (this.value?.length ?? 0) + ENTRY_BYTES;
  }
}

/** See the head of the file. */
export class CachedEngine implements StoreEngine {
  /** By key as text. */
  readonly #entries = new Map<string, CacheEntry>();
  #oldest: CacheEntry | null = null;
  #newest: CacheEntry | null = null;
  /** Those that were changed, what was changed last stands last. */
  readonly #changed = new Set<string>();
  /** The same in order, once somebody has asked for a range. */
  #sorted: SortedMap<string, true> | null = null;
  #bytes = 0;
  #listener: FlushListener | null = null;

  constructor(
    private readonly engine: StoreEngine,
    private readonly context: RecordContext,
    private readonly budget: CacheBudget,
    private readonly isSegmented: boolean,
  ) {
    budget.add(this);
  }

  /** Has somebody hear of changes as they are flushed: the node that makes them, for those behind it. */
  onFlush(listener: FlushListener): void {
    this.#listener = listener;
  }

  /** What it holds, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get approximateCount(): number {
    return this.engine.approximateCount;
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.entry(key).value;
  }

  /** What `get` gives, with the cache as it was: for those who look on, between turns of the task. */
  peek(key: Uint8Array): Uint8Array | null {
    const entry = this.#entries.get(textOf(key));
    return entry === undefined ? this.engine.get(key) : entry.value;
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    this.change(this.#find(key), value?.slice() ?? null, undefined);
  }

  /** The entry of a key, read from the store if it is not here. It may have been evicted when it comes. */
  entry(key: Uint8Array): CacheEntry {
    const text = textOf(key);
    let entry = this.#entries.get(text);
    if (entry === undefined) {
      entry = this.#add(key, text);
      const value = entry.stored = this.engine.get(key);
      this.#setValue(entry, value);
      this.budget.keep();
    } else this.touch(entry);
    return entry;
  }

  /** Gives an entry that is not evicted another value, which is its own from then on. */
  change(entry: CacheEntry, value: Uint8Array | null, object: unknown): void {
    this.touch(entry);
    this.#changed.delete(entry.text);
    this.#changed.add(entry.text);
    this.#sorted?.set(entry.text, true);
    entry.changed = this.context.now;
    entry.object = object;
    this.#setValue(entry, value);
    this.budget.keep();
  }

  /** It was used last. */
  touch(entry: CacheEntry): void {
    if (entry === this.#newest) return;
    this.#unlink(entry);
    this.#link(entry);
  }

  *range(range: BytesRange): IterableIterator<BytesEntry> {
    const from = range.from === null ? "" : textOf(range.from);
    const to = range.to === null ? null : textOf(range.to);
    const own = this.#changedIn(from, to);
    const sign = range.isReversed === true ? -1 : 1;
    if (sign < 0) own.reverse();
    let next = 0;
    for (const entry of this.engine.range(range)) {
      const text = textOf(entry[0]);
      for (; next < own.length && sign * byCodeUnits(own[next]!, text) < 0; next++) {
        yield* this.#entryOf(own[next]!);
      }
      if (own[next] === text) yield* this.#entryOf(own[next++]!);
      else yield entry;
    }
    for (; next < own.length; next++) yield* this.#entryOf(own[next]!);
  }

  /** Gives all changes on, in the order of the last change of each key. */
  flush(): void {
    // Nodes behind may change this store again: those changes are for the next time.
    const keys = [...this.#changed];
    this.#changed.clear();
    this.#sorted?.clear();
    for (const text of keys) {
      const entry = this.#entries.get(text)!;
      const { changed } = entry;
      entry.changed = null;
      this.#flushOne(entry, changed!);
    }
  }

  /** Lets go of what was not used for longest; if that is a change, all changes are flushed before. */
  evict(): void {
    const oldest = this.#oldest;
    if (oldest === null) return;
    if (oldest.changed !== null) this.flush();
    // Nodes behind may have changed it again, or asked for it.
    if (oldest.changed !== null || oldest.isEvicted) return;
    this.#unlink(oldest);
    this.#entries.delete(oldest.text);
    oldest.isEvicted = true;
    this.#grow(-oldest.sizeBytes);
  }

  close(): void {
    this.budget.remove(this);
    this.engine.close();
  }

  #flushOne(entry: CacheEntry, moment: RecordMoment): void {
    const { key, value } = entry;
    const before = this.#listener === null ? null : this.#storedOf(entry);
    if (this.#listener !== null && value === null && before === null) return;
    entry.stored = value;
    const { context } = this;
    const now = context.now;
    context.now = moment;
    try {
      this.engine.put(key, value);
      this.#listener?.({ key, value, before, moment });
    } finally {
      context.now = now;
    }
  }

  #changedIn(from: string, to: string | null): string[] {
    if (this.#sorted === null) {
      this.#sorted = new SortedMap<string, true>([], byCodeUnits);
      for (const key of this.#changed) this.#sorted.set(key, true);
    }
    const keys: string[] = [];
    for (const key of this.#sorted.keys(from)) {
      if (to !== null && key > to) break;
      keys.push(key);
    }
    return keys;
  }

  /** Segments let go of entries by themselves, so those are asked again. */
  #storedOf({ key, stored }: CacheEntry): Uint8Array | null {
    if (stored === undefined || this.isSegmented) return this.engine.get(key);
    return stored;
  }

  *#entryOf(text: string): IterableIterator<BytesEntry> {
    const { key, value = null } = this.#entries.get(text) ?? { key: bytesOf(text) };
    if (value !== null) yield [key, value];
  }

  #find(key: Uint8Array): CacheEntry {
    const text = textOf(key);
    return this.#entries.get(text) ?? this.#add(key, text);
  }

  #add(key: Uint8Array, text: string): CacheEntry {
    const entry = new CacheEntry(copyOf(key), text);
    this.#entries.set(text, entry);
    this.#link(entry);
    this.#grow(entry.sizeBytes);
    return entry;
  }

  #setValue(entry: CacheEntry, value: Uint8Array | null): void {
    this.#grow((value?.length ?? 0) - (entry.value?.length ?? 0));
    entry.value = value;
  }

  #link(entry: CacheEntry): void {
    entry.older = this.#newest;
    entry.newer = null;
    if (this.#newest === null) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #unlink({ older, newer }: CacheEntry): void {
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
  }

  #grow(bytes: number): void {
    this.#bytes += bytes;
    this.budget.changed(bytes);
  }
}
