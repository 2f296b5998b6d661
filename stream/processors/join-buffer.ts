/**
 * Records of a stream that wait for the table that they are joined with (KIP-923), by time, as Kafka's
 * `RocksDBTimeOrderedKeyValueBuffer` keeps and logs them. A key is a zero, the record's time in eight
 * bytes, its key, and four of a number that tells equal ones apart; a value is that of a change that is
 * held back (`buffered-change.ts`), from nothing to the record's value, since zero.
 */
import type { ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { Serde } from "../serdes/serde.ts";
import { readBufferedChange, writeBufferedChange } from "../stores/buffered-change.ts";
import type { OpenStore } from "../stores/key-value-store.ts";

/** What it is, and how its records are written. */
export interface JoinBufferSpec {
  readonly store: string;
  /** How long a record waits, in stream time. */
  readonly graceMs: number;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  /** For serdes that want to know. */
  readonly topic: string;
}

const TIME_AT = 1;
const KEY_AT = 9;
const SEQUENCE_BYTES = 4;
const SEQUENCE_MAX = 0x7fff_ffff;

/** See the head of the file. */
export class JoinBuffer {
  readonly #store: OpenStore<Uint8Array, Uint8Array>;
  /** The highest that was put. */
  #timeMs = -1;
  /** None that waits is older. */
  #minMs = 0;
  #sequence = 0;
  /** Up to here there are records from before it was opened, whose numbers may be met again. */
  readonly #openedMs: number;

  constructor(private readonly spec: JoinBufferSpec, private readonly context: ProcessorContext) {
    // The topology has opened it as one of bytes.
    this.#store = context.store(spec.store) as OpenStore<Uint8Array, Uint8Array>;
    for (const [at] of this.#store.range(null, null)) this.#timeMs = timeOf(at);
    this.#openedMs = this.#timeMs;
  }

  /** False: it is so late that it need not wait. */
  put(record: StreamRecord): boolean {
    const { timestampMs } = record;
    if (timestampMs < this.#timeMs - this.spec.graceMs) return false;
    this.#timeMs = Math.max(this.#timeMs, timestampMs);
    this.#minMs = Math.min(this.#minMs, timestampMs);
    const { keySerde, topic } = this.spec;
    const at = this.#nextKey(keySerde.serialize(record.key, topic), timestampMs);
    this.#store.put(at, this.#write(record));
    return true;
  }

  /** Takes out those that have waited long enough, the oldest first. */
  take(give: (record: StreamRecord) => void): void {
    const dueMs = this.#timeMs - this.spec.graceMs;
    if (this.#minMs > dueMs) return;
    const due = [...this.#store.range(null, keyOf(dueMs + 1, new Uint8Array(), -1))];
    this.#minMs = dueMs + 1;
    for (const [at, bytes] of due) {
      give(this.#read(at, bytes));
      this.#store.put(at, null);
    }
  }

  #nextKey(key: Uint8Array, timestampMs: number): Uint8Array {
    for (;;) {
      this.#sequence = (this.#sequence + 1) & SEQUENCE_MAX;
      const at = keyOf(timestampMs, key, this.#sequence);
      if (timestampMs > this.#openedMs || this.#store.get(at) === null) return at;
    }
  }

  #write({ value, timestampMs, headers }: StreamRecord): Uint8Array {
    const { valueSerde, topic } = this.spec;
    const { origin } = this.context;
    return writeBufferedChange({
      ...{ prior: null, oldValue: null, newValue: valueSerde.serialize(value, topic), timeMs: 0 },
      moment: { timestampMs, headers, origin },
    });
  }

  #read(at: Uint8Array, bytes: Uint8Array): StreamRecord {
    const { keySerde, valueSerde, topic } = this.spec;
    const { newValue, moment } = readBufferedChange(bytes);
    return {
      key: keySerde.deserialize(at.subarray(KEY_AT, at.length - SEQUENCE_BYTES), topic),
      value: newValue === null ? null : valueSerde.deserialize(newValue, topic),
      timestampMs: timeOf(at),
      headers: moment.headers,
    };
  }
}

/** `sequence` −1: none. */
function keyOf(timestampMs: number, key: Uint8Array, sequence: number): Uint8Array {
  const bytes = new Uint8Array(KEY_AT + key.length + (sequence < 0 ? 0 : SEQUENCE_BYTES));
  const view = new DataView(bytes.buffer);
  view.setBigInt64(TIME_AT, BigInt(timestampMs));
  bytes.set(key, KEY_AT);
  if (sequence >= 0) view.setInt32(KEY_AT + key.length, sequence);
  return bytes;
}

function timeOf(at: Uint8Array): number {
  return Number(new DataView(at.buffer, at.byteOffset, at.length).getBigInt64(TIME_AT));
}
