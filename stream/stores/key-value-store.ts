/** Stores of values by key, as processors and queries see them. */
import type { RecordMoment } from "../task/record-context.ts";
import type { Serde } from "../serdes/serde.ts";
import { CachedEngine } from "./cached-engine.ts";
import type { CacheEntry } from "./cache-entries.ts";
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";
import { SegmentedEngine } from "./segmented-engine.ts";
import { type ChangeListener, LoggedEngine } from "./logged-engine.ts";
import {
  type TimestampedValue,
  timestampOf,
  withoutTimestamp,
  withTimestamp,
} from "./timestamped-value.ts";
import type { RecordContext } from "../task/record-context.ts";
import type { CacheBudget } from "./cache-budget.ts";

/** What can be asked of a store of values by key. */
export interface ReadableKeyValueStore<K, V> {
  get(key: K): V | null;
  /** In the order of the bytes of keys, from one to the other included; null is open. */
  range(from: K | null, to: K | null, isReversed?: boolean): IterableIterator<readonly [K, V]>;
  /** In the order of the bytes of keys. */
  all(): IterableIterator<readonly [K, V]>;
  /** Those whose keys begin with these bytes, in the order of the bytes of keys (KIP-614). */
  prefixScan(prefix: Uint8Array): IterableIterator<readonly [K, V]>;
  readonly approximateCount: number;
}

/** Values by key (Kafka's `KeyValueStore`). */
export interface KeyValueStore<K, V> extends ReadableKeyValueStore<K, V> {
  /** Null takes the key away. */
  put(key: K, value: V | null): void;
  /** Gives what was there. */
  putIfAbsent(key: K, value: V): V | null;
  /** Gives what was there. */
  delete(key: K): V | null;
}

/** A change that was put off, with what the store had before if that was wanted. */
export interface PutOffChange<K, V> {
  readonly key: K;
  readonly value: V | null;
  readonly before: V | null;
  readonly moment: RecordMoment;
}

/** What a task does with a store of any kind. */
export interface AnyStore {
  /** Gives changes on that were put off. */
  flush(): void;
  close(): void;
}

/** A store as its task has it. */
export interface OpenStore<K, V> extends KeyValueStore<K, V>, AnyStore {
  /**
   * Has changes told when they are flushed. False: nothing is put off here, so there will be none.
   * `wantsBefore`: whether with what the store had; it costs a look into it.
   */
  onFlush(listener: (change: PutOffChange<K, V>) => void, wantsBefore: () => boolean): boolean;
  /** Entries whose keys, as bytes, are in that range and are accepted. */
  scan(range: BytesRange, accepts: (key: Uint8Array) => boolean): IterableIterator<readonly [K, V]>;
  /** An entry of the engine below. */
  read(entry: BytesEntry): readonly [K, V];
  /** As `get`, with the cache as it was: nothing is evicted, so nothing is given on. */
  peek(key: K): V | null;
}

/** How values are written. */
export interface ValueFormat<V> {
  /** Bytes that nobody else has. */
  write(value: V): Uint8Array;
  read(bytes: Uint8Array): V;
  /** Whether what was read of a value's bytes may be given again: it is as it would be read once more. */
  isKept(value: V): boolean;
}

/** Whether a serde reads what it has written as the same value, one that nobody can change. */
function isFaithful<T>(serde: Serde<T>, value: T): boolean {
  return serde.isFaithful === true && (typeof value !== "string" || value.isWellFormed());
}

/** See the head of the file. */
class SerdeKeyValueStore<K, V> implements OpenStore<K, V> {
  readonly #cache: CachedEngine | null;
  /** Of the key that was asked for last: it is often put next. */
  #lastKey: K | null = null;
  #lastEntry: CacheEntry | null = null;

  constructor(
    private readonly engine: StoreEngine,
    private readonly topic: string,
    private readonly keySerde: Serde<K>,
    private readonly format: ValueFormat<V>,
  ) {
    this.#cache = engine instanceof CachedEngine ? engine : null;
  }

  get approximateCount(): number {
    return this.engine.approximateCount;
  }

  get(key: K): V | null {
    if (this.#cache === null) return this.#read(this.engine.get(this.#keyOf(key)));
    const entry = this.#entryOf(key, this.#cache);
    if (entry.object !== undefined) return entry.object as V;
    const value = this.#read(entry.value);
    if (value !== null && this.format.isKept(value)) entry.object = value;
    return value;
  }

  peek(key: K): V | null {
    const bytes = this.#keyOf(key);
    return this.#read(this.#cache === null ? this.engine.get(bytes) : this.#cache.peek(bytes));
  }

  put(key: K, value: V | null): void {
    const bytes = value === null ? null : this.format.write(value);
    const last = this.#lastEntry;
    if (this.#cache === null || last === null || last.isEvicted || key !== this.#lastKey) {
      return this.engine.put(this.#keyOf(key), bytes);
    }
    const isKept = value !== null && this.format.isKept(value);
    this.#cache.change(last, bytes, isKept ? value : undefined);
  }

  putIfAbsent(key: K, value: V): V | null {
    const before = this.get(key);
    if (before === null) this.put(key, value);
    return before;
  }

  delete(key: K): V | null {
    const before = this.get(key);
    this.put(key, null);
    return before;
  }

  *range(
    from: K | null,
    to: K | null,
    isReversed: boolean = false,
  ): IterableIterator<readonly [K, V]> {
    const range = {
      from: from === null ? null : this.#keyOf(from),
      to: to === null ? null : this.#keyOf(to),
      isReversed,
    };
    yield* this.scan(range, () => true);
  }

  *scan(
    range: BytesRange,
    accepts: (key: Uint8Array) => boolean,
  ): IterableIterator<readonly [K, V]> {
    for (const [key, value] of this.engine.range(range)) {
      if (accepts(key)) yield this.read([key, value]);
    }
  }

  read([key, value]: BytesEntry): readonly [K, V] {
    return [this.keySerde.deserialize(key, this.topic), this.format.read(value)];
  }

  all(): IterableIterator<readonly [K, V]> {
    return this.range(null, null);
  }

  *prefixScan(prefix: Uint8Array): IterableIterator<readonly [K, V]> {
    for (const entry of this.engine.range({ from: prefix, to: null })) {
      if (!prefix.every((byte, at) => entry[0][at] === byte)) return;
      yield this.read(entry);
    }
  }

  onFlush(listener: (change: PutOffChange<K, V>) => void, wantsBefore: () => boolean): boolean {
    if (this.#cache === null) return false;
    this.#cache.onFlush(({ entry, before, moment }) => {
      const { key, value, keyObject, object } = entry;
      listener({
        // Whoever has set it has a serde of such keys.
        key: keyObject === undefined ? this.keySerde.deserialize(key, this.topic) : keyObject as K,
        value: object === undefined ? this.#read(value) : object as V,
        before: this.#read(before),
        moment,
      });
    }, wantsBefore);
    return true;
  }

  flush(): void {
    this.#cache?.flush();
  }

  close(): void {
    this.engine.close();
  }

  #entryOf(key: K, cache: CachedEngine): CacheEntry {
    const entry = cache.entry(this.#keyOf(key));
    const isKept = typeof key !== "object" || (key !== null && "window" in key);
    this.#lastKey = isKept ? key : null;
    this.#lastEntry = isKept ? entry : null;
    if (isFaithful(this.keySerde, key)) entry.keyObject = key;
    return entry;
  }

  #keyOf(key: K): Uint8Array {
    return this.keySerde.serialize(key, this.topic);
  }

  #read(bytes: Uint8Array | null): V | null {
    return bytes === null ? null : this.format.read(bytes);
  }
}

/** A store of values that are written in a format. */
export function storeOfFormat<K, V>(
  { engine, topic, keySerde }: Pick<StoreParts<K, V>, "engine" | "topic" | "keySerde">,
  format: ValueFormat<V>,
): OpenStore<K, V> {
  return new SerdeKeyValueStore(engine, topic, keySerde, format);
}

/** What a store is opened with. */
export interface StoreParts<K, V> {
  readonly engine: StoreEngine;
  /** For serdes that want to know: the changelog. */
  readonly topic: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** Null: changes are not logged. */
  readonly onChange: ChangeListener | null;
  /** Null: changes are not put off. */
  readonly cache: { readonly context: RecordContext; readonly budget: CacheBudget } | null;
}

/** Values as they are. */
export function keyValueStore<K, V>(parts: StoreParts<K, V>): OpenStore<K, V> {
  const { topic, keySerde, valueSerde } = parts;
  const engine = layered(parts, (bytes) => [bytes, null]);
  return new SerdeKeyValueStore(engine, topic, keySerde, {
    write: (value) => valueSerde.serialize(value, topic).slice(),
    read: (bytes) => valueSerde.deserialize(bytes, topic),
    isKept: (value) => isFaithful(valueSerde, value),
  });
}

/** Values with the times of their records (Kafka's `TimestampedKeyValueStore`): tables are such. */
export function timestampedStore<K, V>(parts: StoreParts<K, V>): OpenStore<K, TimestampedValue<V>> {
  const { topic, keySerde, valueSerde } = parts;
  const engine = layered(parts, (bytes) => [withoutTimestamp(bytes), timestampOf(bytes)]);
  return new SerdeKeyValueStore<K, TimestampedValue<V>>(engine, topic, keySerde, {
    write: ({ value, timestampMs }) =>
      withTimestamp(valueSerde.serialize(value, topic), timestampMs),
    read: (bytes) => ({
      value: valueSerde.deserialize(withoutTimestamp(bytes), topic),
      timestampMs: timestampOf(bytes),
    }),
    isKept: ({ value }) => isFaithful(valueSerde, value),
  });
}

/** The cache above the changelog above the engine. */
function layered(
  { engine, onChange, cache }: Pick<StoreParts<unknown, unknown>, "engine" | "onChange" | "cache">,
  loggedPart: ConstructorParameters<typeof LoggedEngine>[1],
): StoreEngine {
  const logged = onChange === null ? engine : new LoggedEngine(engine, loggedPart, onChange);
  if (cache === null) return logged;
  const isSegmented = engine instanceof SegmentedEngine;
  return new CachedEngine(logged, cache.context, cache.budget, isSegmented);
}
