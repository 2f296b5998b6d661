/**
 * What bytes mean, in both directions. Null stays null: a tombstone is no value of any type. The
 * formats are those of Kafka's own serializers (big-endian numbers, UTF-8 text).
 */

/** Where bytes come from or go to. */
export interface SerdeContext {
  readonly topic: string;
  readonly part: "key" | "value";
}

/** Bytes from values and back. Either may throw: what cannot be said or read. */
export interface Serde<T> {
  serialize(value: T, context: SerdeContext): Uint8Array;
  deserialize(bytes: Uint8Array, context: SerdeContext): T;
}

/**
 * The bytes of a record are not what its serde wants, or a value is none that it can say; `cause` says
 * why.
 */
export class SerdeError extends Error {
  override readonly name = "SerdeError";
  readonly code = "SERDE";
  readonly retriable = false;
  constructor(
    readonly topic: string,
    /** −1 for a record that was to be sent, as is the offset. */
    readonly partition: number,
    readonly offset: bigint,
    readonly part: "key" | "value",
    cause: unknown,
  ) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const which = partition < 0
      ? `a record for ${topic}`
      : `${topic}-${partition} at offset ${offset}`;
    super(`the ${part} of ${which}: ${why}`, { cause });
  }
}

/** What the bytes of keys and values mean; without one they stay bytes. */
export interface SerdeOptions<K, V> {
  readonly key?: Serde<K>;
  readonly value?: Serde<V>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function exactly(bytes: Uint8Array, size: number): DataView {
  if (bytes.length !== size) throw new RangeError(`${bytes.length} bytes, not ${size}`);
  return new DataView(bytes.buffer, bytes.byteOffset, size);
}

function numeric<T>(
  size: number,
  set: (view: DataView, value: T) => void,
  get: (view: DataView) => T,
): Serde<T> {
  return {
    serialize(value) {
      const bytes = new Uint8Array(size);
      set(new DataView(bytes.buffer), value);
      return bytes;
    },
    deserialize: (bytes) => get(exactly(bytes, size)),
  };
}

function whole(value: number, bits: number): number {
  const bound = 2 ** (bits - 1);
  if (Number.isInteger(value) && value >= -bound && value < bound) return value;
  throw new RangeError(`${value} is no integer of ${bits} bits`);
}

/** Bytes as they are. */
export const bytesSerde: Serde<Uint8Array> = {
  serialize: (value) => value,
  deserialize: (bytes) => bytes,
};

/** UTF-8; bytes that are none are an error. */
export const stringSerde: Serde<string> = {
  serialize: (value) => encoder.encode(value),
  deserialize: (bytes) => decoder.decode(bytes),
};

/** int16, as Java's `ShortSerializer`. */
export const int16Serde: Serde<number> = numeric(
  2,
  (view, value) => view.setInt16(0, whole(value, 16)),
  (view) => view.getInt16(0),
);

/** int32, as Java's `IntegerSerializer`. */
export const int32Serde: Serde<number> = numeric(
  4,
  (view, value) => view.setInt32(0, whole(value, 32)),
  (view) => view.getInt32(0),
);

/** int64, as Java's `LongSerializer`. */
export const int64Serde: Serde<bigint> = numeric(
  8,
  (view, value) => {
    if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${value} exceeds 64 bits`);
    view.setBigInt64(0, value);
  },
  (view) => view.getBigInt64(0),
);

/** float64, as Java's `DoubleSerializer`. */
export const float64Serde: Serde<number> = numeric(
  8,
  (view, value) => view.setFloat64(0, value),
  (view) => view.getFloat64(0),
);

/**
 * JSON. `parse` turns what was parsed into a `T` or throws; without it the type is `unknown`, as
 * nobody has looked at it. JSON's own null is a value, not a tombstone.
 */
export function jsonSerde(): Serde<unknown>;
export function jsonSerde<T>(parse: (value: unknown) => T): Serde<T>;
export function jsonSerde<T>(parse?: (value: unknown) => T): Serde<T | unknown> {
  return {
    serialize(value) {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError(`${typeof value} has no JSON`);
      return encoder.encode(text);
    },
    deserialize(bytes) {
      const value: unknown = JSON.parse(decoder.decode(bytes));
      return parse === undefined ? value : parse(value);
    },
  };
}
