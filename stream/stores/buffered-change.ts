/**
 * A change that is held back, as it stands in changelogs (Kafka's `BufferValue` and
 * `ProcessorRecordContext`, version 3; numbers are big-endian, a length of −1 is null):
 *
 *     time of the record (8), its offset (8), its topic (length 4), its partition (4),
 *     number of headers (4), of each the key (length 4) and the value (length 4),
 *     prior value (length 4), old value (length 4; −2: it is the prior one), new value (length 4),
 *     the time from which on it is held back (8)
 */
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { RecordOrigin } from "../record.ts";
import { NO_END_MS } from "../windows/unlimited-windows.ts";
import type { RecordMoment } from "../task/record-context.ts";

/** See the head of the file. */
export interface BufferedChange {
  /** What those behind were given last, as far as is known. */
  readonly prior: Uint8Array | null;
  readonly oldValue: Uint8Array | null;
  readonly newValue: Uint8Array | null;
  /** What the record was that has made the change. */
  readonly moment: RecordMoment;
  /** From when on it is held back. */
  readonly timeMs: number;
}

const NULL = -1;
/** Where windows end for Kafka that have no end. */
const INT64_MAX = 0x7fff_ffff_ffff_ffffn;
const AS_PRIOR = -2;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function isSame(one: Uint8Array | null, other: Uint8Array | null): boolean {
  if (one === null || other === null) return one === other;
  return Buffer.compare(one, other) === 0;
}

/** Of where the record was read, only the place is written. */
export interface WritableChange extends Omit<BufferedChange, "moment"> {
  readonly moment: Omit<RecordMoment, "origin"> & { readonly origin: RecordOrigin | null };
}

export function writeBufferedChange(change: WritableChange): Uint8Array {
  const { moment, prior, oldValue, newValue } = change;
  const parts: Uint8Array[] = [
    int64(moment.timestampMs),
    int64(moment.origin?.offset ?? -1n),
    ...sized(encoder.encode(moment.origin?.topic ?? "")),
    int32(moment.origin?.partition ?? -1),
    int32(moment.headers.length),
    ...moment.headers.flatMap(([key, value]) => [...sized(encoder.encode(key)), ...sized(value)]),
    ...sized(prior),
  ];
  if (oldValue !== null && isSame(prior, oldValue)) parts.push(int32(AS_PRIOR));
  else parts.push(...sized(oldValue));
  parts.push(...sized(newValue), int64(change.timeMs === NO_END_MS ? INT64_MAX : change.timeMs));
  return Buffer.concat(parts);
}

/** Throws what is wrong. */
export function readBufferedChange(bytes: Uint8Array): BufferedChange {
  const reader = new Reader(bytes);
  const timestampMs = Number(reader.int64());
  const offset = reader.int64();
  const topic = decoder.decode(reader.sized() ?? new Uint8Array(0));
  const partition = reader.int32();
  const headers: RecordHeader[] = [];
  for (let left = reader.int32(); left > 0; left--) {
    headers.push([decoder.decode(reader.sized() ?? new Uint8Array(0)), reader.sized()]);
  }
  const prior = reader.sized();
  const oldLength = reader.int32();
  const oldValue = oldLength === AS_PRIOR ? prior : reader.take(oldLength);
  const newValue = reader.sized();
  const nothing = { timestampMs, key: null, value: null, headers };
  const origin = topic === "" ? null : { topic, partition, offset, ...nothing };
  const moment = { timestampMs, headers, origin };
  const timeMs = Math.min(Number(reader.int64()), NO_END_MS);
  return { prior, oldValue, newValue, moment, timeMs };
}

class Reader {
  readonly #view: DataView;
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  int32(): number {
    this.#at += 4;
    return this.#view.getInt32(this.#at - 4);
  }

  int64(): bigint {
    this.#at += 8;
    return this.#view.getBigInt64(this.#at - 8);
  }

  sized(): Uint8Array | null {
    return this.take(this.int32());
  }

  take(length: number): Uint8Array | null {
    if (length === NULL) return null;
    if (length < 0 || this.#at + length > this.bytes.length) {
      throw new RangeError(`a change that was held back has no ${length} bytes at ${this.#at}`);
    }
    this.#at += length;
    return this.bytes.slice(this.#at - length, this.#at);
  }
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

function int64(value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value));
  return bytes;
}

function sized(bytes: Uint8Array | null): Uint8Array[] {
  return bytes === null ? [int32(NULL)] : [int32(bytes.length), bytes];
}
