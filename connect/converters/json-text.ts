/**
 * JSON as text, with whole numbers exact whatever their size: `JSON.parse` and `JSON.stringify` do the
 * work where they lose nothing, which is nearly always.
 */
import { DataError } from "../data/data-error.ts";
import { Decimal, isObject, wholeNumber } from "../data/values.ts";
import type { ConnectValue } from "../data/values.ts";

/** What JSON is parsed to; a `Decimal` is a number with a fraction whose digits count. */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | Decimal
  | readonly Json[]
  | JsonObject;

export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

/** A whole number of 16 digits or more outside of quotes; text may look like one, too. */
const LONG_NUMBER = /(?:^|[:,[\s-])\d{16}/;
/** Longer numbers are refused, as Kafka's converter does: reading one takes more than linear time. */
const NUMBER_CHARS_MAX = 1000;

/**
 * Throws `DataError` with what is wrong, as it goes on behind the name of a part: "is no JSON: …".
 * With `keepsDigits`, numbers with a fraction become `Decimal`s.
 */
export function parseJson(text: string, keepsDigits = false): Json {
  try {
    const isExact = keepsDigits || LONG_NUMBER.test(text);
    // `JSON.parse` gives what `Json` lists, and the reviver puts its own numbers in.
    return (isExact ? JSON.parse(text, reviver(keepsDigits)) : JSON.parse(text)) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) throw new DataError(`is no JSON: ${reasonOf(error)}`);
    if (error instanceof RangeError) throw new DataError("is JSON that is nested too deeply");
    throw error;
  }
}

/** The engine's reason without what it found there: logs are no place for data. */
function reasonOf({ message }: SyntaxError): string {
  const reason = message.replace(/^JSON Parse error: /, "").replace(/["'].*$/s, "").trim();
  return reason === "" ? "it cannot be parsed" : reason[0]!.toLowerCase() + reason.slice(1);
}

function reviver(keepsDigits: boolean) {
  return (_key: string, value: unknown, ...rest: unknown[]): unknown => {
    if (typeof value !== "number") return value;
    const source = sourceOf(rest[0]);
    if (source === null) return value;
    if (source.length > NUMBER_CHARS_MAX) {
      throw new DataError(`has a number of more than ${NUMBER_CHARS_MAX} digits`);
    }
    if (/^-?\d+$/.test(source)) {
      return Number.isSafeInteger(value) ? value : wholeNumber(BigInt(source));
    }
    return keepsDigits ? Decimal.parse(source) ?? value : value;
  };
}

/** The digits of a number, as the engine tells a reviver. */
function sourceOf(context: unknown): string | null {
  if (typeof context !== "object" || context === null || !("source" in context)) return null;
  return typeof context.source === "string" ? context.source : null;
}

/**
 * A value without a schema. Bytes are base64, dates ISO 8601; maps are objects where all keys are
 * strings, else arrays of pairs; numbers that JSON lacks are text: "NaN", "Infinity".
 */
export function jsonText(value: ConnectValue): string {
  return isPlain(value) ? JSON.stringify(value) : exactText(value);
}

/** Whether `JSON.stringify` writes it as it is. */
function isPlain(value: ConnectValue | undefined): boolean {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value);
    case "bigint":
      return false;
    case "object":
      if (value === null) return true;
      if (isList(value)) {
        for (const item of value) if (!isPlain(item)) return false;
        return true;
      }
      if (!isObject(value)) return false;
      for (const name in value) if (!isPlain(value[name])) return false;
      return true;
    default:
      return true;
  }
}

function exactText(value: ConnectValue): string {
  switch (typeof value) {
    case "number":
      return numberJson(value);
    case "bigint":
      return String(value);
    case "object": {
      if (value === null) return "null";
      if (isList(value)) return `[${value.map(exactText).join(",")}]`;
      if (value instanceof Uint8Array) return `"${value.toBase64()}"`;
      if (value instanceof Date) return dateJson(value);
      if (value instanceof Decimal) return value.toString();
      if (value instanceof Map) return mapJson(value, exactText, exactText);
      const object = isObject(value) ? value : {};
      const fields = Object.keys(object).filter((name) => object[name] !== undefined)
        .map((name) => `${JSON.stringify(name)}:${exactText(object[name] ?? null)}`);
      return `{${fields.join(",")}}`;
    }
    default:
      return JSON.stringify(value);
  }
}

/** A number as JSON. */
export function numberJson(value: number): string {
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}

function dateJson(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new DataError("has an invalid date");
  return JSON.stringify(date);
}

/** A map as an object where all keys are strings, else as an array of pairs. */
export function mapJson(
  map: ReadonlyMap<ConnectValue, ConnectValue>,
  writeKey: (key: ConnectValue) => string,
  writeValue: (value: ConnectValue) => string,
): string {
  const entries = [...map];
  if (entries.every(([key]) => typeof key === "string")) {
    return `{${entries.map(([key, value]) => `${writeKey(key)}:${writeValue(value)}`).join(",")}}`;
  }
  return pairsJson(map, writeKey, writeValue);
}

/** A map as an array of pairs. */
export function pairsJson(
  map: ReadonlyMap<ConnectValue, ConnectValue>,
  writeKey: (key: ConnectValue) => string,
  writeValue: (value: ConnectValue) => string,
): string {
  return `[${[...map].map(([key, value]) => `[${writeKey(key)},${writeValue(value)}]`).join(",")}]`;
}

function isList(value: ConnectValue): value is readonly ConnectValue[] {
  return Array.isArray(value);
}

/** Whether it is an object of JSON. */
export function isJsonObject(json: Json | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json) &&
    !(json instanceof Decimal);
}

export function isJsonList(json: Json | undefined): json is readonly Json[] {
  return Array.isArray(json);
}

/** What an object has under a name; undefined: nothing. */
export function memberOf(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
