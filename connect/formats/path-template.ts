/**
 * Where a record's file is, as `{topic}/{yyyy}-{MM}-{dd}/country={value.country}`. What comes from
 * records never leaves its part of the path.
 */
import { FieldError, isObject } from "../index.ts";
import type { ConnectValue, SinkRecord } from "../index.ts";

export type PathTemplate = (record: SinkRecord) => string;

type Part = (record: SinkRecord) => string;

/** From then on ISO 8601 has another form. */
const YEAR_10000_MS = 253_402_300_800_000;
const PART_CHARACTERS_MAX = 200;
/** What Hive and its like call the folder of null. */
const NULL_PART = "__HIVE_DEFAULT_PARTITION__";

const TIMES: Readonly<Record<string, (time: string) => string>> = {
  yyyy: (time) => time.slice(0, 4),
  MM: (time) => time.slice(5, 7),
  dd: (time) => time.slice(8, 10),
  HH: (time) => time.slice(11, 13),
  mm: (time) => time.slice(14, 16),
};

/** For the reference. */
export const PATH_PLACEHOLDERS =
  "{topic}, {partition}, {key}, {value.FIELD}, and of the record's time in UTC {yyyy}, {MM}, {dd}, " +
  "{HH} and {mm}";

/** `timeField`: a field of values that has the time, in ms since 1970 or as ISO 8601. Throws `FieldError`. */
export function pathTemplate(source: string, timeField: string | null = null): PathTemplate {
  const pieces = source.split(/\{([^{}]*)\}/);
  const parts = pieces.map((piece, i): Part =>
    i % 2 === 0 ? () => piece : partOf(piece, timeField)
  );
  const literal = pieces.filter((_piece, i) => i % 2 === 0).join("");
  if (/[{}]/.test(literal)) throw new FieldError("has a brace that nothing closes");
  if (`/${literal}/`.includes("/../")) throw new FieldError("must not lead upwards with ..");
  const last: string[] = parts.map(() => "");
  let path = "";
  // Most records go where the one before has gone.
  return (record) => {
    let isSame = path !== "";
    for (let i = 0; i < parts.length; i++) {
      const text = parts[i]!(record);
      if (text === last[i]) continue;
      last[i] = text;
      isSame = false;
    }
    if (!isSame) path = last.join("").replaceAll(/\/{2,}/g, "/");
    return path;
  };
}

function partOf(name: string, timeField: string | null): Part {
  if (name === "topic") return ({ original }) => safePart(original.topic);
  if (name === "partition") return ({ original }) => String(original.partition);
  if (name === "key") return ({ key }) => valuePart(key);
  if (Object.hasOwn(TIMES, name)) {
    return timePart(TIMES[name]!, timeField);
  }
  const field = /^(?:value|v)\.(.+)$/.exec(name)?.[1];
  if (field === undefined) {
    throw new FieldError(`has {${name}}, which is none of ${PATH_PLACEHOLDERS}`);
  }
  return ({ value }) => valuePart(fieldOf(value, field));
}

const MINUTE_MS = 60_000;

/** The same for all of a minute. */
function timePart(cut: (time: string) => string, timeField: string | null): Part {
  let minute = -1;
  let text = "";
  return (record) => {
    const now = Math.floor(recordTimeMs(record, timeField) / MINUTE_MS);
    if (now !== minute) {
      minute = now;
      text = cut(new Date(now * MINUTE_MS).toISOString());
    }
    return text;
  };
}

function fieldOf(value: ConnectValue, path: string): ConnectValue {
  let at: ConnectValue = value;
  for (const name of path.split(".")) {
    if (at === null || !isObject(at) || !Object.hasOwn(at, name)) return null;
    at = at[name] ?? null;
  }
  return at;
}

/** Milliseconds since 1970; 0 where there is no time that can be. */
export function recordTimeMs(record: SinkRecord, timeField: string | null): number {
  const value = timeField === null ? record.timestampMs : fieldOf(record.value, timeField);
  const ms = value instanceof Date
    ? value.getTime()
    : typeof value === "string"
    ? Date.parse(value)
    : Number(value ?? 0);
  return ms >= 0 && ms < YEAR_10000_MS ? ms : 0;
}

function valuePart(value: ConnectValue): string {
  if (value === null) return NULL_PART;
  if (value instanceof Uint8Array) return value.subarray(0, 64).toHex();
  if (value instanceof Date) return safePart(value.toISOString());
  return safePart(typeof value === "object" ? JSON.stringify(value) : String(value));
}

/** A text as one part of a path, whatever is in it: what is not plain becomes %XX. */
export function safePart(text: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(text)) return text;
  const escaped = text.slice(0, PART_CHARACTERS_MAX).toWellFormed()
    .replaceAll(/[^\p{L}\p{N}._@+=, :-]/gu, (character) => encoded(character));
  if (escaped === "") return "_";
  return escaped.startsWith(".") ? `%2E${escaped.slice(1)}` : escaped;
}

function encoded(character: string): string {
  return [...Buffer.from(character)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}
