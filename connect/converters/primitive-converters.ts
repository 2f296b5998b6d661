/**
 * Converters of one type each, in the bytes of Kafka's serializers
 * (`org.apache.kafka.connect.converters` and `storage.StringConverter`).
 */
import { DataError } from "../data/data-error.ts";
import { literalText } from "../data/literals.ts";
import { optional, primitive } from "../data/schema.ts";
import type { PrimitiveSchema, Schema } from "../data/schema.ts";
import { article, isInt64, validate } from "../data/validate.ts";
import { nameOfValue, wholeNumber } from "../data/values.ts";
import type { ConnectValue } from "../data/values.ts";
import type { Converter } from "./converter.ts";
import { jsonText } from "./json-text.ts";
import type { ConvertedPart } from "./part.ts";
import { utf8Text } from "./part.ts";

/** The encodings of text, by the names that Java has for them. */
export const ENCODINGS = ["UTF-8", "ISO-8859-1", "US-ASCII", "UTF-16LE"] as const;
export type Encoding = (typeof ENCODINGS)[number];

const BUFFER_ENCODINGS = {
  "UTF-8": "utf8",
  "ISO-8859-1": "latin1",
  "US-ASCII": "ascii",
  "UTF-16LE": "utf16le",
} as const;

/** Sooner done than `Buffer.from`. */
const encoder = new TextEncoder();

/** Text. What is no text is written as the text that headers have; objects and arrays as JSON. */
export function stringConverter(encoding: Encoding, part: ConvertedPart): Converter {
  const schema = optional(primitive("string"));
  const name = BUFFER_ENCODINGS[encoding];
  return {
    toBytes: (_topic, of, value) => {
      if (value === null) return null;
      const text = textOf(of, value);
      return encoding === "UTF-8" ? encoder.encode(text) : Buffer.from(text, name);
    },
    fromBytes: (_topic, bytes) => {
      if (bytes === null) return { schema, value: null };
      const value = encoding === "UTF-8"
        ? utf8Text(bytes, part)
        : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(name);
      return { schema, value };
    },
  };
}

function textOf(schema: Schema | null, value: ConnectValue): string {
  if (typeof value === "string") return value;
  const isPart = typeof value === "object" && value !== null &&
    (Array.isArray(value) || nameOfValue(value) === "an object");
  return isPart ? jsonText(value) : literalText(schema, value);
}

/** Bytes as they are. */
export function bytesConverter({ what }: ConvertedPart): Converter {
  const schema = optional(primitive("bytes"));
  return {
    toBytes: (_topic, of, value) => {
      if (of !== null && of.type !== "bytes") {
        throw new DataError(`${what} is ${article(of.type)}, and the converter takes bytes`);
      }
      if (value === null || value instanceof Uint8Array) return value;
      throw new DataError(`${what} is ${nameOfValue(value)}, and the converter takes bytes`);
    },
    fromBytes: (_topic, bytes) => ({ schema, value: bytes === null ? null : bytes.slice() }),
  };
}

/** A type of a fixed number of bytes. */
interface FixedType {
  readonly type: PrimitiveSchema["type"];
  readonly bytes: number;
  write(view: DataView, value: ConnectValue): void;
  read(view: DataView): ConnectValue;
}

const asNumber = Number;

export const FIXED_TYPES = {
  boolean: {
    type: "boolean",
    bytes: 1,
    write: (view, value) => view.setInt8(0, value === true ? 1 : 0),
    read: (view) => {
      const byte = view.getInt8(0);
      if (byte === 0 || byte === 1) return byte === 1;
      throw new DataError(`a boolean is a byte of 0 or 1, not ${byte}`);
    },
  },
  short: {
    type: "int16",
    bytes: 2,
    write: (view, value) => view.setInt16(0, asNumber(value)),
    read: (view) => view.getInt16(0),
  },
  int: {
    type: "int32",
    bytes: 4,
    write: (view, value) => view.setInt32(0, asNumber(value)),
    read: (view) => view.getInt32(0),
  },
  long: {
    type: "int64",
    bytes: 8,
    write: (view, value) => {
      if (isInt64(value)) view.setBigInt64(0, BigInt(value));
    },
    read: (view) => wholeNumber(view.getBigInt64(0)),
  },
  float: {
    type: "float32",
    bytes: 4,
    write: (view, value) => view.setFloat32(0, asNumber(value)),
    read: (view) => view.getFloat32(0),
  },
  double: {
    type: "float64",
    bytes: 8,
    write: (view, value) => view.setFloat64(0, asNumber(value)),
    read: (view) => view.getFloat64(0),
  },
} as const satisfies Record<string, FixedType>;

/** A converter of one such type, most significant byte first. */
export function fixedConverter(fixed: FixedType, { what, config }: ConvertedPart): Converter {
  const schema = optional(primitive(fixed.type));
  return {
    toBytes: (_topic, of, value) => {
      if (value === null) return null;
      if (of !== null && of.type !== fixed.type) {
        throw new DataError(
          `${what} is ${article(of.type)}, and the converter takes ${article(fixed.type)}`,
        );
      }
      validate(schema, value, what);
      const bytes = new Uint8Array(fixed.bytes);
      fixed.write(new DataView(bytes.buffer), value);
      return bytes;
    },
    fromBytes: (_topic, bytes) => {
      if (bytes === null) return { schema, value: null };
      if (bytes.length !== fixed.bytes) {
        const size = `${fixed.bytes} ${fixed.bytes === 1 ? "byte" : "bytes"}`;
        throw new DataError(
          `${what} has ${bytes.length} bytes, and ${article(fixed.type)} has ${size}; ` +
            `if it is something else, set ${config} to what it is`,
        );
      }
      return {
        schema,
        value: fixed.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.length)),
      };
    },
  };
}
