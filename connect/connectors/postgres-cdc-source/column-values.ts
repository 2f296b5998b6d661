/**
 * What a column's text becomes in records, and the schema of it: the mappings of Debezium's
 * connector, by its settings for numbers, times and bytes
 * (debezium.io/documentation/reference/connectors/postgresql.html, "Data type mappings").
 */
import { createHash } from "node:crypto";
import {
  arrayOf,
  dateSchema,
  Decimal,
  decimalSchema,
  mapOf,
  optional,
  primitive,
  struct,
  timeSchema,
  timestampSchema,
} from "../../index.ts";
import type { ConnectValue, Schema } from "../../index.ts";
import { parseArray, parseHstore } from "./array-text.ts";
import type { CaptureConfig } from "./fields.ts";
import {
  daysOfDate,
  isoOfDate,
  isoOfInterval,
  isoOfTimestamp,
  microsOfInterval,
  microsOfTime,
  microsOfTimestamp,
  millisOfTimestamp,
  zonedTime,
} from "./temporal.ts";
import type { Treatment } from "./table-filter.ts";
import type { PgType } from "./type-catalog.ts";

export type ValueConfig = Pick<
  CaptureConfig,
  | "decimal.handling.mode"
  | "time.precision.mode"
  | "binary.handling.mode"
  | "interval.handling.mode"
  | "hstore.handling.mode"
  | "money.fraction.digits"
  | "unavailable.value.placeholder"
  | "column.hash.salt"
>;

/** How text of a type is read. */
export interface Reading {
  /** Not optional. */
  readonly schema: Schema;
  /** Throws an error without the value where it cannot be given. */
  read(text: string): ConnectValue;
  /** What stands for a value that was not sent; undefined: nothing can. */
  readonly unavailable: ConnectValue | undefined;
}

const MS_PER_DAY = 86_400_000;
const encoder = new TextEncoder();
const named = (type: Parameters<typeof primitive>[0], name: string) =>
  primitive(type, { name, version: 1 });

const pointSchema = struct({
  x: primitive("float64"),
  y: primitive("float64"),
  wkb: primitive("bytes", { optional: true }),
  srid: primitive("int32", { optional: true }),
}, { name: "io.debezium.data.geometry.Point", version: 1 });

const variableDecimalSchema = struct(
  { scale: primitive("int32"), value: primitive("bytes") },
  { name: "io.debezium.data.VariableScaleDecimal", version: 1 },
);

/** See the head of the file. */
export function readingOf(type: PgType, typeModifier: number, config: ValueConfig): Reading {
  switch (type.kind) {
    case "domain":
      return type.base === null
        ? text(config)
        : readingOf(type.base, typeModifier < 0 ? type.typeModifier : typeModifier, config);
    case "array":
      return type.base === null ? text(config) : arrayReading(type.base, typeModifier, config);
    case "enum": {
      const parameters = { allowed: type.labels.join(",") };
      return { ...text(config), schema: primitive("string", { ...ENUM, parameters }) };
    }
    case "range":
    case "composite":
      return text(config);
    case "plain":
      return plainReading(type.name, typeModifier, config);
  }
}

const ENUM = { name: "io.debezium.data.Enum", version: 1 };

/** What is left of a value where it is hidden. Only text can be masked and cut: others become null. */
export function treated(treatment: Treatment, reading: Reading, config: ValueConfig): Reading {
  if (treatment.kind === "hash") {
    const salt = config["column.hash.salt"];
    const read = (value: string) => createHash("sha256").update(salt).update(value).digest("hex");
    return { ...text(config), read };
  }
  if (!("length" in treatment)) return reading;
  const { length } = treatment;
  if (treatment.kind === "truncate") {
    if (!isText(reading)) return reading;
    return { ...reading, read: (value) => value.slice(0, length) };
  }
  const stars = "*".repeat(length);
  return isText(reading)
    ? { ...reading, read: () => stars, unavailable: stars }
    : { ...reading, schema: optional(reading.schema), read: () => null, unavailable: null };
}

const isText = ({ schema }: Reading) => schema.type === "string" && schema.name === null;

function text(config: ValueConfig, name: string | null = null): Reading {
  return {
    schema: name === null ? primitive("string") : named("string", name),
    read: (value) => value,
    unavailable: config["unavailable.value.placeholder"],
  };
}

function number(type: "int16" | "int32" | "float32" | "float64"): Reading {
  return { schema: primitive(type), read: Number, unavailable: undefined };
}

function plainReading(name: string, typeModifier: number, config: ValueConfig): Reading {
  switch (name) {
    case "bool":
      return {
        schema: primitive("boolean"),
        read: (value) => value === "t",
        unavailable: undefined,
      };
    case "int2":
      return number("int16");
    case "int4":
      return number("int32");
    case "int8":
    case "oid":
      return { schema: primitive("int64"), read: whole, unavailable: undefined };
    case "float4":
      return number("float32");
    case "float8":
      return number("float64");
    case "numeric":
      return numeric(typeModifier, config);
    case "money":
      return money(config);
    case "bytea":
      return bytes(config);
    case "bit":
    case "varbit":
      return bits(name, typeModifier);
    case "json":
    case "jsonb":
      return text(config, "io.debezium.data.Json");
    case "xml":
      return text(config, "io.debezium.data.Xml");
    case "uuid":
      return text(config, "io.debezium.data.Uuid");
    case "ltree":
      return text(config, "io.debezium.data.Ltree");
    case "hstore":
      return hstore(config);
    case "point":
      return { schema: pointSchema, read: point, unavailable: undefined };
    case "interval":
      return interval(config);
    case "date":
    case "time":
    case "timestamp":
      return temporal(name, typeModifier, config);
    case "timestamptz":
      return { ...text(config, "io.debezium.time.ZonedTimestamp"), read: isoOfTimestamp };
    case "timetz":
      return { ...text(config, "io.debezium.time.ZonedTime"), read: zonedTime };
    default:
      return text(config);
  }
}

function whole(value: string): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}

function numeric(typeModifier: number, config: ValueConfig): Reading {
  const mode = config["decimal.handling.mode"];
  if (mode === "string") return text(config);
  if (mode === "double") return number("float64");
  if (typeModifier < 0) {
    const read = (value: string) => {
      const { unscaled, scale } = decimal(value);
      return { scale, value: twosComplement(unscaled) };
    };
    return { schema: variableDecimalSchema, read, unavailable: undefined };
  }
  // Eleven bits, with a sign since PostgreSQL 15.
  const scale = (((typeModifier - 4) & 0x7ff) ^ 1024) - 1024;
  const read = (value: string) => {
    const exact = decimal(value).withScale(scale);
    if (exact === null) throw new Error(`it has more than ${scale} digits behind the point`);
    return exact;
  };
  return { schema: decimalSchema(scale), read, unavailable: undefined };
}

function decimal(value: string): Decimal {
  const parsed = Decimal.parse(value);
  if (parsed !== null) return parsed;
  throw new Error(
    "NaN and Infinity are no exact numbers: set decimal.handling.mode=string, or double",
  );
}

function twosComplement(value: bigint): Uint8Array {
  const digits = (value < 0n ? ~value : value).toString(2).replace(/^0$/, "").length;
  const length = Math.floor(digits / 8) + 1;
  const hex = BigInt.asUintN(length * 8, value).toString(16).padStart(length * 2, "0");
  return Uint8Array.fromHex(hex);
}

/** `$1,234.50`, `-$1.00`, `1.234,50 €`: the digits count, the locale says how many are a fraction. */
function money(config: ValueConfig): Reading {
  const scale = config["money.fraction.digits"];
  const exact = (value: string) => {
    const digits = BigInt(value.replace(/\D/g, ""));
    return new Decimal(/[-(]/.test(value) ? -digits : digits, scale);
  };
  switch (config["decimal.handling.mode"]) {
    case "string":
      return { ...text(config), read: (value) => exact(value).toString() };
    case "double":
      return { ...number("float64"), read: (value) => exact(value).toNumber() };
    case "precise":
      return { schema: decimalSchema(scale), read: exact, unavailable: undefined };
  }
}

function bytes(config: ValueConfig): Reading {
  const placeholder = config["unavailable.value.placeholder"];
  const raw = (value: string) => Uint8Array.fromHex(value.slice(2));
  const mode = config["binary.handling.mode"];
  switch (mode) {
    case "bytes":
      return {
        schema: primitive("bytes"),
        read: raw,
        unavailable: encoder.encode(placeholder),
      };
    case "hex":
      return { ...text(config), read: (value) => value.slice(2) };
    case "base64":
      return { ...text(config), read: (value) => raw(value).toBase64() };
    case "base64-url-safe":
      return { ...text(config), read: (value) => raw(value).toBase64({ alphabet: "base64url" }) };
  }
}

function bits(name: string, typeModifier: number): Reading {
  if (name === "bit" && typeModifier === 1) {
    return { schema: primitive("boolean"), read: (value) => value === "1", unavailable: undefined };
  }
  const length = typeModifier < 0 ? 2 ** 31 - 1 : typeModifier;
  const parameters = { length: String(length) };
  const schema = primitive("bytes", { name: "io.debezium.data.Bits", version: 1, parameters });
  // The last bit is the lowest of the first byte.
  const read = (value: string) => {
    const result = new Uint8Array(Math.ceil(value.length / 8));
    for (let i = 0; i < value.length; i++) {
      if (value[value.length - 1 - i] === "1") result[i >> 3] = result[i >> 3]! | (1 << (i & 7));
    }
    return result;
  };
  return { schema, read, unavailable: undefined };
}

function hstore(config: ValueConfig): Reading {
  if (config["hstore.handling.mode"] === "map") {
    const schema = mapOf(primitive("string"), primitive("string", { optional: true }));
    return { schema, read: (value) => new Map(parseHstore(value)), unavailable: undefined };
  }
  const read = (value: string) => {
    const parts = parseHstore(value).map(([key, part]) =>
      `${JSON.stringify(key)}:${JSON.stringify(part)}`
    );
    return `{${parts.join(",")}}`;
  };
  return { ...text(config, "io.debezium.data.Json"), read };
}

function point(value: string): ConnectValue {
  const [x, y] = value.slice(1, -1).split(",").map(Number);
  if (x === undefined || y === undefined) throw new Error("this is no point");
  const wkb = Buffer.alloc(21);
  wkb[0] = 1;
  wkb.writeUInt32LE(1, 1);
  wkb.writeDoubleLE(x, 5);
  wkb.writeDoubleLE(y, 13);
  return { x, y, wkb: new Uint8Array(wkb), srid: null };
}

function interval(config: ValueConfig): Reading {
  return config["interval.handling.mode"] === "string"
    ? { ...text(config, "io.debezium.time.Interval"), read: isoOfInterval }
    : {
      schema: named("int64", "io.debezium.time.MicroDuration"),
      read: microsOfInterval,
      unavailable: undefined,
    };
}

function temporal(
  name: "date" | "time" | "timestamp",
  typeModifier: number,
  config: ValueConfig,
): Reading {
  const mode = config["time.precision.mode"];
  if (mode === "isostring") return isoTemporal(name, config);
  if (mode === "connect") return connectTemporal(name);
  const of = (type: "int32" | "int64", schema: string, read: Reading["read"]): Reading => ({
    schema: named(type, `io.debezium.time.${schema}`),
    read,
    unavailable: undefined,
  });
  const isMillis = typeModifier >= 0 && typeModifier <= 3;
  switch (name) {
    case "date":
      return of("int32", "Date", daysOfDate);
    case "time":
      return isMillis && mode === "adaptive"
        ? of("int32", "Time", (value) => Math.floor(microsOfTime(value) / 1000))
        : of("int64", "MicroTime", microsOfTime);
    case "timestamp":
      return isMillis
        ? of("int64", "Timestamp", millisOfTimestamp)
        : of("int64", "MicroTimestamp", microsOfTimestamp);
  }
}

function isoTemporal(name: "date" | "time" | "timestamp", config: ValueConfig): Reading {
  switch (name) {
    case "date":
      return {
        ...text(config, "io.debezium.time.IsoDate"),
        read: (value) => `${isoOfDate(value)}Z`,
      };
    case "time":
      return { ...text(config, "io.debezium.time.IsoTime"), read: (value) => `${value}Z` };
    case "timestamp":
      return { ...text(config, "io.debezium.time.IsoTimestamp"), read: isoOfTimestamp };
  }
}

function connectTemporal(name: "date" | "time" | "timestamp"): Reading {
  const of = (schema: Schema, ms: (value: string) => number): Reading => ({
    schema,
    read: (value) => {
      const date = new Date(ms(value));
      if (Number.isNaN(date.getTime())) {
        throw new Error("it is beyond all dates: set time.precision.mode=isostring");
      }
      return date;
    },
    unavailable: undefined,
  });
  switch (name) {
    case "date":
      return of(dateSchema, (value) => daysOfDate(value) * MS_PER_DAY);
    case "time":
      return of(timeSchema, (value) => Math.floor(microsOfTime(value) / 1000));
    case "timestamp":
      return of(timestampSchema, (value) => Number(millisOfTimestamp(value)));
  }
}

function arrayReading(item: PgType, typeModifier: number, config: ValueConfig): Reading {
  const { schema, read, unavailable } = readingOf(item, typeModifier, config);
  return {
    schema: arrayOf(optional(schema)),
    read: (value) =>
      parseArray(value, item.delimiter).map((part) => {
        if (part === null) return null;
        if (typeof part === "string") return read(part);
        throw new Error("an array of several dimensions has no schema: see column.exclude.list");
      }),
    unavailable: unavailable === undefined ? [] : [unavailable],
  };
}
