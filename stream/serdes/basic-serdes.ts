/** Serdes of plain types, in the formats of Kafka's own (`org.apache.kafka.common.serialization`). */
import { readInt64, writeInt64 } from "./int64.ts";
import type { Serde } from "./serde.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
/** As that, and what begins with a byte order mark keeps it: it would be another key without. */
const exactDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Types end where data begins, and a value of another type would be written as something that is read as
 * yet another one, or not at all: by then nobody knows where it came from.
 */
function wrongType(wanted: string, value: unknown): Error {
  const given = value === null ? "null" : typeof value === "object" ? "an object" : typeof value;
  return new TypeError(`${wanted} is to be written, but it is ${given}`);
}

const STRING: Serde<string> = {
  name: "string",
  serialize(value) {
    if (typeof value !== "string") throw wrongType("a text", value);
    return encoder.encode(value);
  },
  deserialize: (bytes) => exactDecoder.decode(bytes),
  isFaithful: true,
};

/** UTF-8. Bytes that are not are refused, where Kafka puts U+FFFD. */
export function string(): Serde<string> {
  return STRING;
}

const BYTES: Serde<Uint8Array> = {
  name: "bytes",
  serialize(value) {
    if (!(value instanceof Uint8Array)) throw wrongType("bytes", value);
    return value;
  },
  deserialize: (bytes) => bytes.slice(),
};

/** Bytes as they are. */
export function bytes(): Serde<Uint8Array> {
  return BYTES;
}

function fixed<T>(
  name: string,
  what: string,
  size: number,
  write: (view: DataView, value: T) => void,
  read: (view: DataView) => T,
): Serde<T> {
  return {
    name,
    serialize(value) {
      const bytes = new Uint8Array(size);
      write(new DataView(bytes.buffer), value);
      return bytes;
    },
    deserialize(bytes) {
      if (bytes.length !== size) {
        throw new Error(`${what} has ${size} bytes, not ${bytes.length}`);
      }
      return read(new DataView(bytes.buffer, bytes.byteOffset, size));
    },
    isFaithful: true,
  };
}

function whole(name: string, min: number, max: number, value: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${value} is no ${name}`);
}

const INT_MAX = 2 ** 31 - 1;
const INT = fixed<number>(
  "int",
  "an int",
  4,
  (view, value) => view.setInt32(0, whole("int", -INT_MAX - 1, INT_MAX, value)),
  (view) => view.getInt32(0),
);
const LONG = fixed<bigint>(
  "long",
  "a long",
  8,
  (view, value) => {
    if (typeof value !== "bigint") throw wrongType("a bigint", value);
    if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${value} is no long`);
    view.setBigInt64(0, value);
  },
  (view) => view.getBigInt64(0),
);
const DOUBLE = fixed<number>(
  "double",
  "a double",
  8,
  (view, value) => {
    if (typeof value !== "number") throw wrongType("a number", value);
    view.setFloat64(0, value);
  },
  (view) => view.getFloat64(0),
);
const COUNT: Serde<number> = {
  // In the same format as a long.
  name: "long",
  serialize(value) {
    const limit = Number.MAX_SAFE_INTEGER;
    const bytes = new Uint8Array(8);
    writeInt64(bytes, 0, whole("safe integer", -limit, limit, value));
    return bytes;
  },
  deserialize(bytes) {
    if (bytes.length !== 8) throw new Error(`a count has 8 bytes, not ${bytes.length}`);
    const value = readInt64(bytes, 0);
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is beyond 2^53`);
    return value;
  },
  isFaithful: true,
};

/** A whole number in 4 bytes, big-endian (`IntegerSerializer`). */
export function int(): Serde<number> {
  return INT;
}

/** A whole number in 8 bytes, big-endian (`LongSerializer`). */
export function long(): Serde<bigint> {
  return LONG;
}

/** As `long`, read as a number: beyond 2^53 it is refused. What `count` writes. */
export function safeLong(): Serde<number> {
  return COUNT;
}

/** IEEE 754 in 8 bytes, big-endian (`DoubleSerializer`). */
export function double(): Serde<number> {
  return DOUBLE;
}

/** What checks that a parsed value is of a type: a schema of zod, or anything with `parse`. */
export interface Parser<T> {
  /** Throws what is wrong. */
  parse(value: unknown): T;
}

/** What the engine says of a text that is no JSON has parts of it, and data is not told. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(
      "it is no JSON, which is read unless another serde is given: { value: string() }",
    );
  }
}

/**
 * JSON. With a parser each value that is read is checked by it; without one its type is what the
 * application says it is.
 */
export function json<T = unknown>(parser?: Parser<T>): Serde<T> {
  return {
    name: "json",
    serialize(value) {
      // Of what JSON does not know: a function that has returned nothing.
      const text: string | undefined = JSON.stringify(value);
      if (text === undefined) throw wrongType("JSON", value);
      return encoder.encode(text);
    },
    deserialize(bytes) {
      const value = parseJson(decoder.decode(bytes));
      // The topic is the application's own: what it holds is what its author says, unless checked.
      return parser === undefined ? value as T : parser.parse(value);
    },
  };
}
