/**
 * Gathers changes of keys until they are flushed, at a commit or where memory runs short: of several
 * changes of a key only the last one goes to the store, its changelog and the nodes behind it
 * (Kafka's `CachingKeyValueStore`, `NamedCache`). A key that came and went meanwhile was never there.
 */
import { heldMoment, type RecordContext, type RecordMoment } from "../task/record-context.ts";
import type { CacheBudget } from "./cache-budget.ts";
import { CacheEntries, type CacheEntry } from "./cache-entries.ts";
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";
import { byCodeUnits, bytesOf, textOf } from "./key-text.ts";
import { SortedMap } from "./sorted-map.ts";

/** A change that is flushed. */
export interface FlushedChange {
  /** With the value that it has now. */
  readonly entry: CacheEntry;
  /** What the store had, if somebody wants that. */
  readonly before: Uint8Array | null;
  /** What the record was that has made the change. */
  readonly moment: RecordMoment;
}

export type FlushListener = (change: FlushedChange) => void;

/** Fewer changes are not moved together. */
const CHANGES_MIN = 256;

/** See the head of the file. */
export class CachedEngine implements StoreEngine {
  readonly #entries = new CacheEntries();
  /** Those that were changed, what was changed last stands last; null: it stands further behind. */
  #changed: (CacheEntry | null)[] = [];
  #changedCount = 0;
  /** Their keys as text in order, where somebody has asked for a range since the flush before the last. */
  #sorted: SortedMap<string, true> | null = null;
  #isSortedAsked = false;
  #bytes = 0;
  #listener: FlushListener | null = null;
  #wantsBefore: () => boolean = () => false;

  constructor(
    private readonly engine: StoreEngine,
    readonly context: RecordContext,
    private readonly budget: CacheBudget,
    private readonly isSegmented: boolean,
  ) {
    budget.add(this);
  }

  /**
   * Has somebody hear of changes as they are flushed: the node that makes them, for those behind it.
   * `wantsBefore`: whether what the store had before is to be looked up.
   */
  onFlush(listener: FlushListener, wantsBefore: () => boolean): void {
    this.#listener = listener;
    this.#wantsBefore = wantsBefore;
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
    const entry = this.#entries.find(key);
    return entry === null ? this.engine.get(key) : entry.value;
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    const entry = this.#entries.find(key) ?? this.#add(key);
    this.change(entry, value?.slice() ?? null, undefined);
  }

  /** The entry of a key, read from the store if it is not here. It may have been evicted when it comes. */
  entry(key: Uint8Array): CacheEntry {
    const known = this.#entries.find(key);
    if (known !== null) {
      this.#entries.touch(known);
      return known;
    }
    const entry = this.#add(key);
    const value = entry.stored = this.engine.get(key);
    this.#setValue(entry, value);
    this.budget.keep(this.context);
    return entry;
  }

  /** Gives an entry that is not evicted another value, which is its own from then on. */
  change(entry: CacheEntry, value: Uint8Array | null, object: unknown): void {
    this.#entries.touch(entry);
    this.#unlist(entry);
    entry.changedAt = this.#changed.push(entry) - 1;
    this.#changedCount++;
    this.#sorted?.set(textOf(entry.key), true);
    entry.changed = heldMoment(this.context.now);
    entry.object = object;
    this.#setValue(entry, value);
    this.budget.keep(this.context);
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
    // Nodes behind may change this store again: other keys are for the next time.
    const entries = this.#changed;
    this.#changed = [];
    this.#changedCount = 0;
    if (this.#isSortedAsked) this.#sorted?.clear();
    else this.#sorted = null;
    this.#isSortedAsked = false;
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index]!;
      // What nodes behind have made room for was flushed then.
      if (entry === null || entry.changed === null) continue;
      if (this.#unlist(entry)) this.#sorted?.delete(textOf(entry.key));
      const { changed } = entry;
      entry.changed = null;
      this.#flushOne(entry, changed);
    }
  }

  /** Lets go of what was not used for longest; if that is a change, all changes are flushed before. */
  evict(): void {
    const { oldest } = this.#entries;
    if (oldest === null) return;
    if (oldest.changed !== null) this.flush();
    // Nodes behind may have changed it again, or asked for it.
    if (oldest.changed === null && !oldest.isEvicted) this.#evict(oldest);
  }

  /** Lets go of what was not used for longest; false: that is a change, or there is nothing. */
  evictUnchanged(): boolean {
    const { oldest } = this.#entries;
    if (oldest === null || oldest.changed !== null) return false;
    this.#evict(oldest);
    return true;
  }

  #evict(entry: CacheEntry): void {
    this.#entries.remove(entry);
    entry.isEvicted = true;
    this.#grow(-entry.sizeBytes);
  }

  close(): void {
    this.budget.remove(this);
    this.engine.close();
  }

  /** It is no more among those that were changed; false: it was not. */
  #unlist(entry: CacheEntry): boolean {
    if (this.#changed[entry.changedAt] !== entry) return false;
    this.#changed[entry.changedAt] = null;
    this.#changedCount--;
    if (this.#changed.length > CHANGES_MIN && this.#changed.length > 2 * this.#changedCount) {
      this.#changed = this.#changed.filter((each) => each !== null);
      for (let at = 0; at < this.#changed.length; at++) this.#changed[at]!.changedAt = at;
    }
    return true;
  }

  #flushOne(entry: CacheEntry, moment: RecordMoment): void {
    const { key, value } = entry;
    let before: Uint8Array | null = null;
    if (this.#listener !== null && (value === null || this.#wantsBefore())) {
      before = this.#storedOf(entry);
      if (value === null && before === null) return;
    }
    entry.stored = value;
    const { context } = this;
    const now = context.now;
    context.now = moment;
    try {
      this.engine.put(key, value);
      this.#listener?.({ entry, before, moment });
    } finally {
      context.now = now;
    }
  }

  #changedIn(from: string, to: string | null): string[] {
    this.#isSortedAsked = true;
    if (this.#sorted === null) {
      this.#sorted = new SortedMap<string, true>([], byCodeUnits);
      for (const entry of this.#changed) {
        if (entry !== null) this.#sorted.set(textOf(entry.key), true);
      }
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

  /** Of a key that was changed when the range began; it may have been flushed and evicted since. */
  *#entryOf(text: string): IterableIterator<BytesEntry> {
    const key = bytesOf(text);
    const value = this.peek(key);
    if (value !== null) yield [key, value];
  }

  #add(key: Uint8Array): CacheEntry {
    const entry = this.#entries.add(key);
    this.#grow(entry.sizeBytes);
    return entry;
  }

  #setValue(entry: CacheEntry, value: Uint8Array | null): void {
    this.#grow((value?.length ?? 0) - (entry.value?.length ?? 0));
    entry.value = value;
  }

  #grow(bytes: number): void {
    this.#bytes += bytes;
    this.budget.changed(bytes);
  }
}
