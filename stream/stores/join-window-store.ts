/**
 * Records of one side of a join, by key and time, for a while: several of the same key and time are all
 * kept (Kafka's window store with `retainDuplicates`). In the engine and the changelog a key is its own
 * bytes, eight of time and four of a number that tells duplicates apart (`WindowKeySchema`).
 */
import type { Serde } from "../serdes/serde.ts";
import type { StoreEngine } from "./engine.ts";
import type { AnyStore } from "./key-value-store.ts";
import type { ChangeListener } from "./logged-engine.ts";
import { SegmentedEngine } from "./segmented-engine.ts";

const TIME_BYTES = 8;
const SUFFIX_BYTES = TIME_BYTES + 4;
const SEQUENCE_MAX = 0x7fff_ffff;

/** What it is opened with. */
export interface JoinWindowParts<K, V> {
  readonly engine: StoreEngine;
  /** For serdes that want to know: the changelog. */
  readonly topic: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  readonly retentionMs: number;
  /** Null: changes are not logged. */
  readonly onChange: ChangeListener | null;
}

/** See the head of the file. */
export class JoinWindowStore<K, V> implements AnyStore {
  readonly #engine: SegmentedEngine;
  #sequence = 0;
  /** Up to here there are records from before it was opened, whose numbers may be met again. */
  readonly #openedMs: number;

  constructor(private readonly parts: JoinWindowParts<K, V>) {
    if (!(parts.engine instanceof SegmentedEngine)) throw new Error("it is kept in segments");
    this.#engine = parts.engine;
    this.#openedMs = parts.engine.timeMs;
  }

  /** A null is nothing to be joined with: as in Kafka, only the changelog is told of it. */
  put(key: K, value: V | null, timestampMs: number): void {
    const { keySerde, valueSerde, topic, onChange } = this.parts;
    const keyBytes = this.#nextKey(keySerde.serialize(key, topic), timestampMs);
    const valueBytes = value === null ? null : valueSerde.serialize(value, topic);
    if (valueBytes !== null) this.#engine.put(keyBytes, valueBytes);
    onChange?.(keyBytes, valueBytes, null);
  }

  /** Those of a key from one time to another, both included, the oldest first. */
  *fetch(key: K, fromMs: number, toMs: number): IterableIterator<readonly [number, V]> {
    const { keySerde, valueSerde, topic, retentionMs } = this.parts;
    // What is older than the retention is not found, though its segment may still be there.
    const from = Math.max(fromMs, this.#engine.timeMs - retentionMs + 1);
    if (from > toMs) return;
    const keyBytes = keySerde.serialize(key, topic);
    const range = {
      from: storedKey(keyBytes, from, 0),
      to: storedKey(keyBytes, toMs, SEQUENCE_MAX),
    };
    const { length } = range.from;
    for (const [found, value] of this.#engine.rangeBetween(from, toMs, range)) {
      // A longer key may lie between, whose bytes go on as the time does.
      if (found.length !== length) continue;
      yield [timeOf(found), valueSerde.deserialize(value, topic)];
    }
  }

  flush(): void {}

  close(): void {
    this.#engine.close();
  }

  #nextKey(keyBytes: Uint8Array, timestampMs: number): Uint8Array {
    for (;;) {
      this.#sequence = (this.#sequence + 1) & SEQUENCE_MAX;
      const stored = storedKey(keyBytes, timestampMs, this.#sequence);
      if (timestampMs > this.#openedMs || this.#engine.get(stored) === null) return stored;
    }
  }
}

function storedKey(key: Uint8Array, timestampMs: number, sequence: number): Uint8Array {
  const bytes = new Uint8Array(key.length + SUFFIX_BYTES);
  bytes.set(key);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(key.length, BigInt(timestampMs));
  view.setInt32(key.length + TIME_BYTES, sequence);
  return bytes;
}

function timeOf(stored: Uint8Array): number {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.length);
  return Number(view.getBigInt64(stored.length - SUFFIX_BYTES));
}
