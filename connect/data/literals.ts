/**
 * Values as text and back, as headers have them (Connect's `Values.parseString` and
 * `convertToString`): numbers, booleans, null, ISO 8601 dates and times, `[…]`, `{…:…}`, else text.
 * The text as a whole has to be such a literal, where Java is content with its beginning.
 */
import { DataError } from "./data-error.ts";
import { decimalText, doubleText, floatText } from "./java-text.ts";
import { dateOfMs, MS_PER_DAY } from "./logical-types.ts";
import { arrayOf, dateSchema, decimalSchema, fieldSchema, mapOf, primitive } from "./schema.ts";
import { timeSchema, timestampSchema } from "./schema.ts";
import type { Schema, SchemaAndValue, SchemaType } from "./schema.ts";
import { compileDateFormat } from "./simple-date-format.ts";
import type { DateFormat } from "./simple-date-format.ts";
import { TokenReader } from "./literal-tokens.ts";
import { Decimal, fieldOf, isObject, setField, wholeNumber } from "./values.ts";
import type { ConnectValue, ObjectDraft } from "./values.ts";

const STRING = primitive("string");
const BOOLEAN = primitive("boolean");
const NULL: SchemaAndValue = { schema: null, value: null };
const WIDTHS: readonly SchemaType[] = ["int8", "int16", "int32", "int64", "float32", "float64"];
/** Deeper text is no literal. */
const DEPTH_MAX = 100;

function format(pattern: string): DateFormat {
  const compiled = compileDateFormat(pattern);
  if (!compiled.ok) throw new TypeError(compiled.why);
  return compiled.format;
}

const DATE = format("yyyy-MM-dd");
const TIME = format("HH:mm:ss.SSS'Z'");
const TIMESTAMP = format("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'");

/** By their lengths as text. */
const TEMPORALS: ReadonlyMap<number, { readonly schema: Schema; readonly format: DateFormat }> =
  new Map([
    [10, { schema: dateSchema, format: DATE }],
    [13, { schema: timeSchema, format: TIME }],
    [24, { schema: timestampSchema, format: TIMESTAMP }],
  ]);

/** What the text says, with the narrowest schema. An array or map of mixed values has none. */
export function parseLiteral(text: string): SchemaAndValue {
  if (text === "") return { schema: STRING, value: "" };
  const reader = new TokenReader(text);
  const literal = parseNext(reader, false, 0);
  return reader.isAtEnd() ? literal : { schema: STRING, value: text };
}

function parseNext(reader: TokenReader, embedded: boolean, depth: number): SchemaAndValue {
  if (depth > DEPTH_MAX) throw new DataError("nested too deeply");
  if (!reader.hasNext()) return NULL;
  if (embedded && reader.take('"')) return parseQuoted(reader);
  const word = wordOf(reader, embedded);
  if (word !== null) return word;
  const start = reader.mark();
  try {
    if (reader.take("[")) return parseArray(reader, depth);
    if (reader.take("{")) return parseMap(reader, depth);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    reader.rewind(start);
  }
  const token = reader.next();
  if (token.trim() === "") return { schema: STRING, value: token };
  const parsed = parseToken(reader, token.trim());
  if (parsed !== null) return parsed;
  if (embedded) throw new DataError("this is no value");
  reader.skipAll();
  return { schema: STRING, value: reader.text };
}

/** `null`, `true` or `false`, alone unless it is embedded. */
function wordOf(reader: TokenReader, embedded: boolean): SchemaAndValue | null {
  const words = [["null", NULL], ["true", truth(true)], ["false", truth(false)]] as const;
  for (const [word, value] of words) {
    const start = reader.mark();
    if (reader.take(word) && (embedded || !reader.hasNext())) return value;
    reader.rewind(start);
  }
  return null;
}

function truth(value: boolean): SchemaAndValue {
  return { schema: BOOLEAN, value };
}

function parseToken(reader: TokenReader, token: string): SchemaAndValue | null {
  if (/^\d/.test(token)) {
    // Unescaped colons cut a time into five tokens.
    const start = reader.mark();
    const more = reader.nextOf(4);
    const long = more === null ? null : parseTemporal(token + more);
    if (long !== null) return long;
    reader.rewind(start);
    const short = parseTemporal(token);
    if (short !== null) return short;
  }
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?$/.test(token) && /^[+\-\d]/.test(token)
    ? parseNumber(token)
    : null;
}

function parseTemporal(text: string): SchemaAndValue | null {
  const plain = text.replaceAll("\\:", ":");
  const known = TEMPORALS.get(plain.length);
  const date = known?.format.parse(plain) ?? null;
  return known === undefined || date === null ? null : { schema: known.schema, value: date };
}

/** Longer numbers are text: what is made of them takes more than linear time. */
const DIGITS_MAX = 1000;

function parseNumber(text: string): SchemaAndValue | null {
  const exponent = Number(/[eE]([+-]?\d+)$/.exec(text)?.[1] ?? 0);
  if (text.length > DIGITS_MAX || Math.abs(exponent) > DIGITS_MAX) return null;
  const decimal = Decimal.parse(text);
  if (decimal === null) return null;
  const whole = decimal.withScale(0);
  const magnitude = Math.abs(Number(text));
  if (whole !== null && (magnitude === 0 || magnitude >= 1)) {
    const schema = integerSchema(whole.unscaled);
    if (schema !== null) return { schema, value: wholeNumber(whole.unscaled) };
  }
  const float = Math.fround(Number(text));
  if (decimal.scale !== 0 && Number.isFinite(float)) {
    return { schema: primitive("float32"), value: float };
  }
  const double = Number(text);
  if (decimal.scale !== 0 && Number.isFinite(double)) {
    return { schema: primitive("float64"), value: double };
  }
  return { schema: decimalSchema(decimal.scale), value: decimal };
}

const INTEGERS = [[8, "int8"], [16, "int16"], [32, "int32"], [64, "int64"]] as const;

/** The narrowest type that holds it; null: none does. */
function integerSchema(value: bigint): Schema | null {
  const found = INTEGERS.find(([bits]) => BigInt.asIntN(bits, value) === value);
  return found === undefined ? null : primitive(found[1]);
}

function parseQuoted(reader: TokenReader): SchemaAndValue {
  let content = "";
  while (reader.hasNext() && !reader.take('"')) content += reader.next();
  return parseTemporal(content) ?? { schema: STRING, value: content };
}

function parseArray(reader: TokenReader, depth: number): SchemaAndValue {
  const common = new CommonSchema();
  const items: ConnectValue[] = [];
  while (reader.hasNext()) {
    if (reader.take("]")) {
      const { schema } = common;
      if (schema === null) return { schema: null, value: items };
      return { schema: arrayOf(schema), value: items.map((item) => widen(schema, item)) };
    }
    if (reader.take(",")) throw new DataError("an element is missing");
    const item = parseNext(reader, true, depth + 1);
    common.add(item);
    items.push(item.value);
    const at = reader.mark();
    if (reader.take("]")) reader.rewind(at);
    else if (!reader.take(",")) throw new DataError("a comma is missing");
  }
  throw new DataError("the array has no end");
}

function parseMap(reader: TokenReader, depth: number): SchemaAndValue {
  const keys = new CommonSchema();
  const values = new CommonSchema();
  // The last of entries with the same key counts.
  const entries = new Map<ConnectValue, ConnectValue>();
  while (reader.hasNext()) {
    if (reader.take("}")) return mapOfEntries(keys.schema, values.schema, [...entries]);
    if (reader.take(",")) throw new DataError("an entry is missing");
    const key = parseNext(reader, true, depth + 1);
    if (key.value === null) throw new DataError("a key is null");
    if (!reader.take(":")) throw new DataError("a colon is missing");
    const value = parseNext(reader, true, depth + 1);
    entries.set(key.value, value.value);
    reader.take(",");
    keys.add(key);
    values.add(value);
  }
  throw new DataError("the map has no end");
}

/** Without a schema for both, it is an object where keys are text. */
function mapOfEntries(
  keys: Schema | null,
  values: Schema | null,
  entries: readonly (readonly [ConnectValue, ConnectValue])[],
): SchemaAndValue {
  if (keys !== null && values !== null) {
    const map = new Map(entries.map(([key, value]) => [widen(keys, key), widen(values, value)]));
    return { schema: mapOf(keys, values), value: map };
  }
  if (entries.some(([key]) => typeof key !== "string")) {
    return { schema: null, value: new Map(entries) };
  }
  const object: ObjectDraft = {};
  for (const [key, value] of entries) setField(object, String(key), value);
  return { schema: null, value: object };
}

/** What all values have in common, wider numbers with narrower ones (KIP-1019's `SchemaMerger`). */
class CommonSchema {
  schema: Schema | null = null;
  #isNone = false;

  add({ schema, value }: SchemaAndValue): void {
    if (value === null || this.#isNone) return;
    if (schema === null) {
      this.schema = null;
      this.#isNone = true;
      return;
    }
    this.schema = this.schema === null ? schema : merged(this.schema, schema);
    this.#isNone = this.schema === null;
  }
}

function merged(a: Schema, b: Schema): Schema | null {
  if (a.type === b.type) return b;
  const [widthA, widthB] = [WIDTHS.indexOf(a.type), WIDTHS.indexOf(b.type)];
  if (widthA < 0 || widthB < 0) return null;
  return widthA > widthB ? a : b;
}

/** A value as its common schema has it. Throws `DataError` where it cannot be. */
function widen(schema: Schema, value: ConnectValue): ConnectValue {
  if (value === null) throw new DataError("null among values that are not");
  if (typeof value === "number" || typeof value === "bigint") {
    if (schema.name === dateSchema.name) return dateOfMs(Number(value) * MS_PER_DAY);
    if (schema.name === timeSchema.name || schema.name === timestampSchema.name) {
      return dateOfMs(value);
    }
    if (schema.type === "float32") return Math.fround(Number(value));
    return schema.type === "float64" ? Number(value) : value;
  }
  if (value instanceof Date && schema.name === null) throw new DataError("a date among numbers");
  return value;
}

/** The text of a value, as its schema has it where there is one. */
export function literalText(schema: Schema | null, value: ConnectValue): string {
  return text(schema, value, false);
}

function text(schema: Schema | null, value: ConnectValue, embedded: boolean): string {
  const quote = (plain: string) => embedded ? `"${plain}"` : plain;
  switch (typeof value) {
    case "string":
      return embedded ? quote(value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')) : value;
    case "number":
      return numberText(schema, value);
    case "boolean":
    case "bigint":
      return String(value);
    default:
      if (value === null) return "null";
      if (value instanceof Uint8Array) return quote(value.toBase64());
      if (value instanceof Date) return temporalText(value);
      if (value instanceof Decimal) return decimalText(value);
      return partsText(schema, value);
  }
}

function partsText(schema: Schema | null, value: ConnectValue): string {
  if (isList(value)) {
    const items = schema?.type === "array" ? schema.items : null;
    return `[${value.map((item) => text(items, item, true)).join(",")}]`;
  }
  if (value instanceof Map) {
    const [keys, values] = schema?.type === "map" ? [schema.keys, schema.values] : [null, null];
    const map: ReadonlyMap<ConnectValue, ConnectValue> = value;
    const entries = [...map].map(([key, item]) =>
      `${text(keys, key, true)}:${text(values, item, true)}`
    );
    return `{${entries.join(",")}}`;
  }
  if (!isObject(value)) return "null";
  const isStruct = schema?.type === "struct";
  const names = isStruct ? schema.fields.map(({ name }) => name) : Object.keys(value);
  const fields = names.map((name) => {
    const of = isStruct ? fieldSchema(schema, name) ?? null : null;
    const field = fieldOf(value, name) ?? of?.defaultValue ?? null;
    return `${text(null, name, true)}:${text(of, field, true)}`;
  });
  return `{${fields.join(",")}}`;
}

/** As Java writes it: without a schema, one without a fraction is a whole number. */
export function numberText(schema: Schema | null, value: number): string {
  if (schema?.type === "float32") return floatText(value);
  if (schema?.type === "float64") return doubleText(value);
  return Number.isSafeInteger(value) ? String(value) : doubleText(value);
}

/** ISO 8601: a time below one day after 1970, a date at midnight, else a timestamp. */
export function temporalText(date: Date): string {
  const ms = date.getTime();
  if (Number.isNaN(ms)) throw new DataError("this is an invalid date");
  const of = ms < MS_PER_DAY ? TIME : ms % MS_PER_DAY === 0 ? DATE : TIMESTAMP;
  return of.format(date);
}

function isList(value: ConnectValue): value is readonly ConnectValue[] {
  return Array.isArray(value);
}
