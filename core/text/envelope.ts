/**
 * The JSON envelope of `consume -f json` and `produce -f json`: one object a line, which loses
 * nothing of a record, so that the output of one is the input of the other.
 *
 *     {"topic":"orders","partition":0,"offset":42,"timestamp":1700000000000,
 *      "key":"k","value":{"base64":"/wA="},"headers":[["trace","1"],["trace",null]]}
 *
 * A key, a value or the value of a header is a string if it is valid UTF-8, `{"base64": "…"}` if
 * not, and `null` if it is null (an empty one is `""`). Headers keep their order and duplicates.
 * `topic` and `offset` say where the record was and are ignored on input, and so is `timestampType`,
 * which is "LogAppendTime" where the broker set the time and else not there; `timestamp` (ms since
 * 1970, −1 for none) and `partition` may be missing there: then it is now, and the partitioner
 * chooses.
 */
import type { HeaderEntry } from "../records/record-json.ts";
import { findJsonFault } from "./json-fault.ts";

export { bytesToJson, formatEnvelope } from "../records/record-json.ts";
export type { EnvelopeRecord, HeaderEntry } from "../records/record-json.ts";

/** What `produce` takes from an envelope. */
export interface EnvelopeInput {
  readonly partition: number | null;
  readonly timestampMs: number | null;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly HeaderEntry[];
}

/** A line is no envelope; the message says why, without the line. */
export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";
  /** `column`: where in the line, from 1, if it is one place. */
  constructor(message: string, readonly column: number | null = null) {
    super(message);
  }
}

// A byte order mark is kept, as in `record-json.ts`.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Parses a line. Throws `EnvelopeError`. */
export function parseEnvelope(line: Uint8Array): EnvelopeInput {
  return envelopeOf(parseLine(line));
}

/** What is said by an envelope that is parsed already. Throws `EnvelopeError`. */
export function envelopeOf(parsed: unknown): EnvelopeInput {
  if (!isObject(parsed)) throw new EnvelopeError("it is no JSON object");
  for (const name of Object.keys(parsed)) {
    if (!FIELDS.has(name)) throw new EnvelopeError(`it has an unknown field "${name}"`);
  }
  if (!("value" in parsed)) throw new EnvelopeError('it lacks "value" (null is a tombstone)');
  return {
    partition: integerOf(parsed["partition"], "partition", 0, 0x7fff_ffff),
    timestampMs: integerOf(
      parsed["timestamp"],
      "timestamp",
      Number.MIN_SAFE_INTEGER,
      Number.MAX_SAFE_INTEGER,
    ),
    key: bytesOf(parsed["key"], "key"),
    value: bytesOf(parsed["value"], "value"),
    headers: headersOf(parsed["headers"]),
  };
}

const FIELDS: ReadonlySet<string> = new Set([
  "topic",
  "partition",
  "offset",
  "timestamp",
  "timestampType",
  "key",
  "value",
  "headers",
]);

function parseLine(line: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(line));
  } catch {
    const { message, column } = findJsonFault(line);
    throw new EnvelopeError(`it is no JSON: ${message}`, column);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function integerOf(value: unknown, name: string, min: number, max: number): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
    return value;
  }
  throw new EnvelopeError(`"${name}" is no whole number from ${min} to ${max}`);
}

function bytesOf(value: unknown, name: string): Uint8Array | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new EnvelopeError(`"${name}" holds half a surrogate pair`);
    return encoder.encode(value);
  }
  if (isObject(value) && typeof value["base64"] === "string" && Object.keys(value).length === 1) {
    try {
      return Uint8Array.fromBase64(value["base64"]);
    } catch {
      throw new EnvelopeError(`"${name}" is no valid base64`);
    }
  }
  throw new EnvelopeError(`"${name}" is neither a string nor null nor {"base64": "…"}`);
}

function headersOf(value: unknown): HeaderEntry[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new EnvelopeError('"headers" is no list of [name, value] pairs');
  return value.map((entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[0] !== "string") {
      throw new EnvelopeError('"headers" is no list of [name, value] pairs');
    }
    if (!entry[0].isWellFormed()) {
      throw new EnvelopeError('a name in "headers" holds half a surrogate pair');
    }
    return [entry[0], bytesOf(entry[1], "headers")];
  });
}
