/**
 * A value with the time of its record. In a store it is eight bytes of time, big-endian, before those of
 * the value (Kafka's `ValueAndTimestampSerializer`); in a changelog the time is that of the record.
 */
import { readInt64, writeInt64 } from "../serdes/int64.ts";
import { copyInto, copyOf, LentBytes } from "./small-bytes.ts";

export interface TimestampedValue<V> {
  readonly value: V;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
}

const TIME_BYTES = 8;

export function withTimestamp(value: Uint8Array, timestampMs: number): Uint8Array {
  const bytes = new Uint8Array(TIME_BYTES + value.length);
  writeInt64(bytes, 0, timestampMs);
  copyInto(bytes, TIME_BYTES, value);
  return bytes;
}

const lent = new LentBytes();

/** As `withTimestamp`, in bytes that are only good until it is called again. */
export function lentWithTimestamp(value: Uint8Array, timestampMs: number): Uint8Array {
  const bytes = lent.ofLength(TIME_BYTES + value.length);
  writeInt64(bytes, 0, timestampMs);
  copyInto(bytes, TIME_BYTES, value);
  return bytes;
}

export function timestampOf(bytes: Uint8Array): number {
  return readInt64(bytes, 0);
}

/** The value alone. */
export function withoutTimestamp(bytes: Uint8Array): Uint8Array {
  return copyOf(bytes, TIME_BYTES);
}
