/** A store of values as they were over time, as processors and queries see it (KIP-889, KIP-914). */
import type { Serde } from "../serdes/serde.ts";
import type { BytesRange, StoreEngine } from "./engine.ts";
import type { AnyStore } from "./key-value-store.ts";
import type { ChangeListener } from "./logged-engine.ts";
import type { TimestampedValue } from "./timestamped-value.ts";
import { timestampOf, withoutTimestamp } from "./timestamped-value.ts";
import { type PutOutcome, VersionedEngine } from "./versioned-engine.ts";

/** A value, from when on, and until when; null: it still is (Kafka's `VersionedRecord`). */
export interface Version<V> extends TimestampedValue<V> {
  readonly validToMs: number | null;
}

/** What it is opened with. */
export interface VersionedParts<K, V> {
  readonly engine: StoreEngine;
  /** For serdes that want to know: the changelog. */
  readonly topic: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** Null: changes are not logged. */
  readonly onChange: ChangeListener | null;
}

/** See the head of the file. Changes are never put off. */
export class VersionedStore<K, V> implements AnyStore {
  readonly #engine: VersionedEngine;

  constructor(private readonly parts: VersionedParts<K, V>) {
    this.#engine = versioned(parts.engine);
  }

  /** The latest. */
  get(key: K): TimestampedValue<V> | null {
    const bytes = this.#engine.get(this.#keyOf(key));
    return bytes === null ? null : this.#read(bytes);
  }

  /** The latest of keys that, as bytes, are in that range and are accepted. */
  *scan(
    range: BytesRange,
    accepts: (key: Uint8Array) => boolean,
  ): IterableIterator<readonly [K, TimestampedValue<V>]> {
    const { keySerde, topic } = this.parts;
    for (const [key, bytes] of this.#engine.range(range)) {
      if (accepts(key)) yield [keySerde.deserialize(key, topic), this.#read(bytes)];
    }
  }

  /** What was at a time; null also where that is longer ago than the history is kept. */
  getAsOf(key: K, timestampMs: number): Version<V> | null {
    const version = this.#engine.versionAt(this.#keyOf(key), timestampMs);
    if (version === null) return null;
    const { valueSerde, topic } = this.parts;
    const value = valueSerde.deserialize(version.value, topic);
    return { value, timestampMs: version.fromMs, validToMs: version.toMs };
  }

  /** Null: from then on there is no value. */
  put(key: K, value: V | null, timestampMs: number): PutOutcome {
    const { valueSerde, topic, onChange } = this.parts;
    const keyBytes = this.#keyOf(key);
    const bytes = value === null ? null : valueSerde.serialize(value, topic);
    const outcome = this.#engine.putVersion(keyBytes, bytes, timestampMs);
    onChange?.(keyBytes, bytes, timestampMs);
    return outcome;
  }

  /** Gives what was at that time. */
  delete(key: K, timestampMs: number): Version<V> | null {
    const before = this.getAsOf(key, timestampMs);
    return this.put(key, null, timestampMs) === "expired" ? null : before;
  }

  flush(): void {}

  close(): void {
    this.#engine.close();
  }

  #read(bytes: Uint8Array): TimestampedValue<V> {
    const { valueSerde, topic } = this.parts;
    const value = valueSerde.deserialize(withoutTimestamp(bytes), topic);
    return { value, timestampMs: timestampOf(bytes) };
  }

  #keyOf(key: K): Uint8Array {
    return this.parts.keySerde.serialize(key, this.parts.topic);
  }
}

/** Engines of such stores are made by `engineOf`. */
export function versioned(engine: StoreEngine): VersionedEngine {
  if (engine instanceof VersionedEngine) return engine;
  throw new Error("a versioned store is over a versioned engine");
}
