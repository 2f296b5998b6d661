/** Records as Confluent's REST Proxy has them (v3, `ProduceRequest`), and what it answers. */
import type { HeaderEntry } from "../../core/text/envelope.ts";
import { isObject } from "../browse/json-object.ts";

/** A record of a request. */
export interface ConfluentRecord {
  readonly partition: number | null;
  readonly timestampMs: number | null;
  readonly key: ConfluentPayload;
  readonly value: ConfluentPayload;
  readonly headers: readonly HeaderEntry[];
}

/** A key or a value with the type it was given as. */
export interface ConfluentPayload {
  readonly type: string;
  readonly bytes: Uint8Array | null;
}

/** An object is no record; the message says why. */
export class ConfluentError extends Error {
  override readonly name = "ConfluentError";
}

const FIELDS = ["partition_id", "timestamp", "key", "value", "headers"];
const utf8 = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** Reads one. Throws `ConfluentError`. */
export function confluentRecord(bytes: Uint8Array): ConfluentRecord {
  let record: unknown;
  try {
    record = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw new ConfluentError(`no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isObject(record)) throw new ConfluentError("no JSON object");
  const unknown = Object.keys(record).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) throw new ConfluentError(`unknown field "${unknown}"`);
  return {
    partition: partitionOf(record["partition_id"]),
    timestampMs: timeOf(record["timestamp"]),
    key: payloadOf(record["key"], "key"),
    value: payloadOf(record["value"], "value"),
    headers: headersOf(record["headers"]),
  };
}

function partitionOf(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 31) {
    return value;
  }
  throw new ConfluentError('"partition_id" is no partition');
}

function timeOf(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  const timeMs = typeof value === "string" ? Date.parse(value) : value;
  if (typeof timeMs === "number" && Number.isSafeInteger(timeMs)) return timeMs;
  throw new ConfluentError('"timestamp" is no time in ISO 8601');
}

function payloadOf(value: unknown, name: string): ConfluentPayload {
  if (value === undefined || value === null) return { type: "BINARY", bytes: null };
  if (!isObject(value)) throw new ConfluentError(`"${name}" is no object with type and data`);
  const { type = "JSON", data = null } = value;
  if (type !== "BINARY" && type !== "JSON" && type !== "STRING") {
    throw new ConfluentError(`"${name}" is not BINARY, JSON or STRING: there are no schemas here`);
  }
  if (data === null && type !== "JSON") return { type, bytes: null };
  if (type === "JSON") return { type, bytes: encoder.encode(JSON.stringify(data)) };
  if (typeof data !== "string") throw new ConfluentError(`"${name}" has data that is no string`);
  return { type, bytes: type === "STRING" ? encoder.encode(data) : base64(data, name) };
}

function headersOf(value: unknown): HeaderEntry[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new ConfluentError('"headers" is no list');
  return value.map((header: unknown) => {
    if (!isObject(header) || typeof header["name"] !== "string") {
      throw new ConfluentError('"headers" has what has no name');
    }
    const { name, value: given = null } = header;
    if (given === null) return [name, null];
    if (typeof given !== "string") throw new ConfluentError(`header "${name}" is no base64`);
    return [name, base64(given, `header ${name}`)];
  });
}

function base64(text: string, name: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    throw new ConfluentError(`"${name}" is no base64`);
  }
}
