/** Converters of headers: Kafka's `SimpleHeaderConverter`, and all others. */
import { DataError } from "../data/data-error.ts";
import { literalText, parseLiteral } from "../data/literals.ts";
import { primitive } from "../data/schema.ts";
import type { Converter, HeaderConverter } from "./converter.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Values as text, and what such text may mean. Bytes that are no text stay bytes. */
export const simpleHeaderConverter: HeaderConverter = {
  toBytes: (_topic, name, schema, value) => {
    if (value === null) return null;
    try {
      return encoder.encode(literalText(schema, value));
    } catch (error) {
      throw named(name, error);
    }
  },
  fromBytes: (_topic, _name, bytes) => {
    if (bytes === null) return { schema: null, value: null };
    let text: string;
    try {
      text = utf8.decode(bytes);
    } catch {
      return { schema: primitive("bytes"), value: bytes.slice() };
    }
    return parseLiteral(text);
  },
};

/** Headers by a converter of values. */
export function headersBy(converter: Converter): HeaderConverter {
  return {
    toBytes: (topic, name, schema, value) => {
      try {
        return converter.toBytes(topic, schema, value);
      } catch (error) {
        throw named(name, error);
      }
    },
    fromBytes: (topic, name, bytes) => {
      try {
        return converter.fromBytes(topic, bytes);
      } catch (error) {
        throw named(name, error);
      }
    },
  };
}

function named(name: string, error: unknown): unknown {
  if (!(error instanceof DataError)) return error;
  return new DataError(error.message.replace(/^(?:header\b)?/, `header "${name}"`));
}
