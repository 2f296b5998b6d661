/** Keys as they stand in paths, and keys and values as JSON. */
import type { Serde } from "../serdes/serde.ts";
import { QueryError } from "./query-error.ts";

/**
 * The bytes of a key that is given as text: text as it is, bytes as Base64, others as JSON. Of a serde
 * without a name it is JSON, and text where it is none. Throws `QueryError`.
 */
export function keyBytesOf(text: string, serde: Serde<unknown>, topic: string): Uint8Array {
  for (const candidate of candidatesOf(text, serde.name)) {
    try {
      const bytes = serde.serialize(candidate, topic);
      serde.deserialize(bytes, topic);
      return bytes;
    } catch {
      // What the serde does not take is not of its type.
    }
  }
  const of = serde.name === undefined ? "the store" : `a store of ${serde.name} keys`;
  throw new QueryError(400, `${JSON.stringify(text)} is no key of ${of}`);
}

function candidatesOf(text: string, name: string | undefined): unknown[] {
  if (name === "string") return [text];
  if (name === "bytes") return decodedBase64(text);
  const parsed = parsedJson(text);
  if (name === "json") return parsed;
  // A long is a number, or a bigint, as the application has it.
  const whole = /^-?\d{1,19}$/.test(text) ? [BigInt(text)] : [];
  const number = parsed.filter((value) => typeof value !== "number" || isExact(text, value));
  return [...number, ...whole, ...(name === undefined ? [text] : [])];
}

/** Whether a whole number has lost nothing as it was read. */
function isExact(text: string, value: number): boolean {
  return !/^-?\d+$/.test(text) || Number.isSafeInteger(value);
}

function parsedJson(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return [value];
  } catch {
    return [];
  }
}

/** In either alphabet. Empty: it is none. */
export function decodedBase64(text: string): Uint8Array[] {
  try {
    const plain = text.replaceAll("-", "+").replaceAll("_", "/");
    return [Uint8Array.fromBase64(plain)];
  } catch {
    return [];
  }
}

/**
 * A value as JSON has it: bytes as `{ "base64": … }`, a bigint as text, for numbers of JSON lose
 * digits. Throws `QueryError` if it cannot be written.
 */
export function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value, replaced) ?? "null";
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new QueryError(500, `what the store has cannot be written as JSON: ${why}`);
  }
}

/** `JSON.stringify` asks `toJSON` first, which bytes of Node's kind have. */
function replaced(this: object, key: string, value: unknown): unknown {
  const own: unknown = Reflect.get(this, key);
  if (own instanceof Uint8Array) return { base64: own.toBase64() };
  if (typeof value === "bigint") return String(value);
  return value instanceof Map ? Object.fromEntries(value) : value;
}
