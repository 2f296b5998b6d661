/**
 * Records of a stream that wait for the table that they are joined with (KIP-923), by time, as Kafka's
 * `RocksDBTimeOrderedKeyValueBuffer` keeps and logs them. A key is a zero, the record's time in eight
 * bytes, its key, and four of a number that tells equal ones apart; a value is
 *
 *     the record's time (8), offset (8), topic (length 4), partition (4),
 *     number of headers (4), of each its key and value (length 4 each; −1: null),
 *     −1 (4) twice, the record's value (length 4), zero (8)
 */
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { Serde } from "../serdes/serde.ts";
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
const encoder = new TextEncoder();
const decoder = new TextDecoder();

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
    return Buffer.concat([
      int64(BigInt(timestampMs)),
      int64(origin?.offset ?? -1n),
      ...sized(encoder.encode(origin?.topic ?? "")),
      int32(origin?.partition ?? -1),
      int32(headers.length),
      ...headers.flatMap(([key, bytes]) => [...sized(encoder.encode(key)), ...sized(bytes)]),
      ...[int32(-1), int32(-1), ...sized(valueSerde.serialize(value, topic)), int64(0n)],
    ]);
  }

  #read(at: Uint8Array, bytes: Uint8Array): StreamRecord {
    const { keySerde, valueSerde, topic } = this.spec;
    const reader = new Reader(bytes);
    reader.skip(16);
    reader.sized();
    reader.skip(4);
    const headers: RecordHeader[] = [];
    for (let left = reader.int32(); left > 0; left--) {
      headers.push([decoder.decode(reader.sized() ?? new Uint8Array()), reader.sized()]);
    }
    reader.skip(8);
    const value = reader.sized();
    return {
      key: keySerde.deserialize(at.subarray(KEY_AT, at.length - SEQUENCE_BYTES), topic),
      value: value === null ? null : valueSerde.deserialize(value, topic),
      timestampMs: timeOf(at),
      headers,
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

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

function int64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value);
  return bytes;
}

function sized(bytes: Uint8Array | null): Uint8Array[] {
  return bytes === null ? [int32(-1)] : [int32(bytes.length), bytes];
}

class Reader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  skip(length: number): void {
    this.#at += length;
  }

  int32(): number {
    const { buffer, byteOffset, length } = this.bytes;
    this.#at += 4;
    return new DataView(buffer, byteOffset, length).getInt32(this.#at - 4);
  }

  sized(): Uint8Array | null {
    const length = this.int32();
    if (length < 0) return null;
    this.#at += length;
    return this.bytes.slice(this.#at - length, this.#at);
  }
}
