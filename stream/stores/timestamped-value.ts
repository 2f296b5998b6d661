/**
 * A value with the time of its record. In a store it is eight bytes of time, big-endian, before those of
 * the value (Kafka's `ValueAndTimestampSerializer`); in a changelog the time is that of the record.
 */

export interface TimestampedValue<V> {
  readonly value: V;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
}

const TIME_BYTES = 8;

export function withTimestamp(value: Uint8Array, timestampMs: number): Uint8Array {
  const bytes = new Uint8Array(TIME_BYTES + value.length);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(timestampMs));
  bytes.set(value, TIME_BYTES);
  return bytes;
}

export function timestampOf(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0));
}

/** The value alone, a view. */
export function withoutTimestamp(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(TIME_BYTES);
}
