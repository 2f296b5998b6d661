/** Stores of values by key, as processors and queries see them. */
import type { Serde } from "../serdes/serde.ts";
import type { BytesEntry, StoreEngine } from "./engine.ts";
import {
  type TimestampedValue,
  timestampOf,
  withoutTimestamp,
  withTimestamp,
} from "./timestamped-value.ts";

/** What can be asked of a store of values by key. */
export interface ReadableKeyValueStore<K, V> {
  get(key: K): V | null;
  /** In the order of the bytes of keys, from one to the other included; null is open. */
  range(from: K | null, to: K | null): IterableIterator<readonly [K, V]>;
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

/** Hears every change of a store: it is for the changelog. `value` is without a timestamp. */
export type ChangeListener = (
  key: Uint8Array,
  value: Uint8Array | null,
  timestampMs: number | null,
) => void;

/** How values are kept: as they are, or with times. */
interface ValueFormat<V> {
  write(value: V): Uint8Array;
  read(bytes: Uint8Array): V;
  /** For the changelog: the bytes without the time, and the time; null: that of the record at hand. */
  logged(bytes: Uint8Array): readonly [value: Uint8Array, timestampMs: number | null];
}

/** See the head of the file. */
class SerdeKeyValueStore<K, V> implements KeyValueStore<K, V> {
  constructor(
    private readonly engine: StoreEngine,
    private readonly topic: string,
    private readonly keySerde: Serde<K>,
    private readonly format: ValueFormat<V>,
    private readonly onChange: ChangeListener | null,
  ) {}

  get approximateCount(): number {
    return this.engine.approximateCount;
  }

  get(key: K): V | null {
    return this.#read(this.engine.get(this.#keyOf(key)));
  }

  put(key: K, value: V | null): void {
    const keyBytes = this.#keyOf(key);
    const bytes = value === null ? null : this.format.write(value);
    this.engine.put(keyBytes, bytes);
    if (this.onChange === null) return;
    const [logged, timestampMs] = bytes === null ? [null, null] : this.format.logged(bytes);
    this.onChange(keyBytes, logged, timestampMs);
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

  *range(from: K | null, to: K | null): IterableIterator<readonly [K, V]> {
    const range = {
      from: from === null ? null : this.#keyOf(from),
      to: to === null ? null : this.#keyOf(to),
    };
    for (const entry of this.engine.range(range)) yield this.#entry(entry);
  }

  #entry([key, value]: BytesEntry): readonly [K, V] {
    return [this.keySerde.deserialize(key, this.topic), this.format.read(value)];
  }

  #keyOf(key: K): Uint8Array {
    return this.keySerde.serialize(key, this.topic);
  }

  #read(bytes: Uint8Array | null): V | null {
    return bytes === null ? null : this.format.read(bytes);
  }
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
}

/** Values as they are. */
export function keyValueStore<K, V>(parts: StoreParts<K, V>): KeyValueStore<K, V> {
  const { engine, topic, keySerde, valueSerde, onChange } = parts;
  return new SerdeKeyValueStore(engine, topic, keySerde, {
    write: (value) => valueSerde.serialize(value, topic),
    read: (bytes) => valueSerde.deserialize(bytes, topic),
    logged: (bytes) => [bytes, null],
  }, onChange);
}

/** Values with the times of their records (Kafka's `TimestampedKeyValueStore`): tables are such. */
export function timestampedStore<K, V>(
  parts: StoreParts<K, V>,
): KeyValueStore<K, TimestampedValue<V>> {
  const { engine, topic, keySerde, valueSerde, onChange } = parts;
  return new SerdeKeyValueStore<K, TimestampedValue<V>>(engine, topic, keySerde, {
    write: ({ value, timestampMs }) =>
      withTimestamp(valueSerde.serialize(value, topic), timestampMs),
    read: (bytes) => ({
      value: valueSerde.deserialize(withoutTimestamp(bytes), topic),
      timestampMs: timestampOf(bytes),
    }),
    logged: (bytes) => [withoutTimestamp(bytes), timestampOf(bytes)],
  }, onChange);
}
