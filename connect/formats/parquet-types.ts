/**
 * The types of Parquet's columns, from Connect's schemas or from values without one, and how they grow
 * while rows come. Every column may be null. What has no common type is JSON text.
 */
import type { SchemaElement } from "hyparquet";
import { Decimal, isObject, LOGICAL } from "../index.ts";
import type { ConnectValue, Schema } from "../index.ts";
import { jsonText } from "./json-text.ts";

export type ColumnType =
  | { readonly kind: "none" | "boolean" | "int32" | "int64" | "float" | "double" | "string" }
  | { readonly kind: "bytes" | "json" | "date" | "time" | "timestamp" }
  | { readonly kind: "decimal"; readonly scale: number }
  | { readonly kind: "list"; readonly items: ColumnType }
  | { readonly kind: "map"; readonly keys: ColumnType; readonly values: ColumnType }
  | StructType;

export interface StructType {
  readonly kind: "struct";
  readonly fields: ReadonlyMap<string, ColumnType>;
}

const NONE: ColumnType = { kind: "none" };
const JSON_TEXT: ColumnType = { kind: "json" };
const INT64_MAX = 2n ** 63n - 1n;
/** Of decimals: what readers of Parquet take at most; 16 bytes hold it. */
const PRECISION_MAX = 38;
const DECIMAL_BYTES = 16;
/** Objects within objects beyond this are JSON text. */
const DEPTH_MAX = 16;

/** What a schema says. */
export function typeOfSchema(schema: Schema, depth = 0): ColumnType {
  if (depth > DEPTH_MAX) return JSON_TEXT;
  switch (schema.type) {
    case "int8":
    case "int16":
      return { kind: "int32" };
    case "int32":
      if (schema.name === LOGICAL.date) return { kind: "date" };
      return { kind: schema.name === LOGICAL.time ? "time" : "int32" };
    case "int64":
      return { kind: schema.name === LOGICAL.timestamp ? "timestamp" : "int64" };
    case "float32":
      return { kind: "float" };
    case "float64":
      return { kind: "double" };
    case "boolean":
    case "string":
      return { kind: schema.type };
    case "bytes":
      if (schema.name !== LOGICAL.decimal) return { kind: "bytes" };
      return { kind: "decimal", scale: Number(schema.parameters?.["scale"] ?? 0) };
    case "array":
      return { kind: "list", items: typeOfSchema(schema.items, depth + 1) };
    case "map":
      return {
        kind: "map",
        keys: typeOfSchema(schema.keys, depth + 1),
        values: typeOfSchema(schema.values, depth + 1),
      };
    case "struct": {
      const fields = schema.fields.map(({ name, schema }) =>
        [name, typeOfSchema(schema, depth + 1)] as const
      );
      return { kind: "struct", fields: new Map(fields) };
    }
  }
}

/** What a value says by itself. */
export function typeOfValue(value: ConnectValue | undefined, depth = 0): ColumnType {
  if (depth > DEPTH_MAX) return JSON_TEXT;
  if (value === null || value === undefined) return NONE;
  switch (typeof value) {
    case "boolean":
    case "string":
      return { kind: typeof value === "string" ? "string" : "boolean" };
    case "number":
      return { kind: Number.isSafeInteger(value) ? "int64" : "double" };
    case "bigint":
      return isInt64(value) ? { kind: "int64" } : JSON_TEXT;
  }
  if (value instanceof Uint8Array) return { kind: "bytes" };
  if (value instanceof Date) return { kind: "timestamp" };
  if (value instanceof Decimal) {
    return isDecimal(value, value.scale) ? { kind: "decimal", scale: value.scale } : JSON_TEXT;
  }
  if (Array.isArray(value)) {
    const items = value.reduce(
      (type: ColumnType, item: ConnectValue) => widen(type, typeOfValue(item, depth + 1)),
      NONE,
    );
    return { kind: "list", items };
  }
  if (!isObject(value)) return JSON_TEXT;
  const fields = Object.entries(value).map(([name, field]) =>
    [name, typeOfValue(field, depth + 1)] as const
  );
  return { kind: "struct", fields: new Map(fields) };
}

const NUMBERS = ["int32", "int64", "float", "double"];

/** The type that takes values of both. */
export function widen(a: ColumnType, b: ColumnType): ColumnType {
  if (a === b || b.kind === "none") return a;
  if (a.kind === "none") return b;
  if (a.kind === "struct" && b.kind === "struct") {
    const fields = new Map(a.fields);
    for (const [name, type] of b.fields) fields.set(name, widen(fields.get(name) ?? NONE, type));
    return { kind: "struct", fields };
  }
  if (a.kind === "list" && b.kind === "list") {
    return { kind: "list", items: widen(a.items, b.items) };
  }
  if (a.kind === "map" && b.kind === "map") {
    return { kind: "map", keys: widen(a.keys, b.keys), values: widen(a.values, b.values) };
  }
  if (a.kind === "decimal" && b.kind === "decimal") {
    return { kind: "decimal", scale: Math.max(a.scale, b.scale) };
  }
  if (a.kind === b.kind) return a;
  if (NUMBERS.includes(a.kind) && NUMBERS.includes(b.kind)) {
    const isWhole = a.kind.startsWith("int") && b.kind.startsWith("int");
    return { kind: isWhole ? "int64" : "double" };
  }
  return JSON_TEXT;
}

/** Whether a column of this type holds the value; sooner said than `widen`. */
export function holds(type: ColumnType, value: ConnectValue | undefined): boolean {
  if (value === null || value === undefined) return true;
  switch (type.kind) {
    case "none":
      return false;
    case "json":
      return true;
    case "boolean":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string";
    case "int32":
      return typeof value === "number" && (value | 0) === value;
    case "int64":
      return typeof value === "number" ? Number.isSafeInteger(value) : isInt64(value);
    case "float":
    case "double":
      return typeof value === "number";
    case "bytes":
      return value instanceof Uint8Array;
    case "date":
    case "time":
    case "timestamp":
      return value instanceof Date && !Number.isNaN(value.getTime());
    case "decimal":
      return value instanceof Decimal && isDecimal(value, type.scale);
    case "list":
      return Array.isArray(value) &&
        value.every((item: ConnectValue) => holds(type.items, item));
    case "map":
      return value instanceof Map &&
        [...value].every(([key, item]) =>
          key !== null && holds(type.keys, key) && holds(type.values, item)
        );
    case "struct":
      return isObject(value) && holdsFields(type, value);
  }
}

function holdsFields(type: StructType, value: Readonly<Record<string, ConnectValue | undefined>>) {
  for (const name of Object.keys(value)) {
    const field = type.fields.get(name);
    if (field === undefined || !holds(field, value[name])) return false;
  }
  return true;
}

function isInt64(value: ConnectValue): boolean {
  return typeof value === "bigint" && value <= INT64_MAX && value >= -INT64_MAX - 1n;
}

function isDecimal(value: Decimal, scale: number): boolean {
  const scaled = scale < 0 || scale > PRECISION_MAX ? null : value.withScale(scale);
  if (scaled === null) return false;
  const { unscaled } = scaled;
  return (unscaled < 0n ? -unscaled : unscaled) < 10n ** BigInt(PRECISION_MAX);
}

/** The schema of a file, as Parquet's list of elements. */
export function schemaElements({ fields }: StructType): SchemaElement[] {
  const columns = [...fields].flatMap(([name, type]) => elements(name, type, "OPTIONAL"));
  return [{ name: "root", num_children: fields.size }, ...columns];
}

type Repetition = "OPTIONAL" | "REQUIRED";

function elements(name: string, type: ColumnType, repetition_type: Repetition): SchemaElement[] {
  const of = (more: Partial<SchemaElement>): SchemaElement => ({ name, repetition_type, ...more });
  switch (type.kind) {
    case "none":
    case "string":
    case "json":
      return [of({ type: "BYTE_ARRAY", converted_type: "UTF8" })];
    case "boolean":
      return [of({ type: "BOOLEAN" })];
    case "int32":
      return [of({ type: "INT32" })];
    case "int64":
      return [of({ type: "INT64" })];
    case "float":
      return [of({ type: "FLOAT" })];
    case "double":
      return [of({ type: "DOUBLE" })];
    case "bytes":
      return [of({ type: "BYTE_ARRAY" })];
    case "date":
      return [of({ type: "INT32", converted_type: "DATE" })];
    case "time":
      return [of({ type: "INT32", converted_type: "TIME_MILLIS" })];
    case "timestamp":
      return [of({ type: "INT64", converted_type: "TIMESTAMP_MILLIS" })];
    case "decimal": {
      const { scale } = type;
      const bytes = { type: "FIXED_LEN_BYTE_ARRAY", type_length: DECIMAL_BYTES } as const;
      return [of({ ...bytes, converted_type: "DECIMAL", scale, precision: PRECISION_MAX })];
    }
    case "list":
      return [
        of({ converted_type: "LIST", num_children: 1 }),
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        ...elements("element", type.items, "OPTIONAL"),
      ];
    case "map":
      return [
        of({ converted_type: "MAP", num_children: 1 }),
        { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
        ...elements("key", type.keys, "REQUIRED"),
        ...elements("value", type.values, "OPTIONAL"),
      ];
    case "struct":
      // Parquet has no groups without fields.
      if (type.fields.size === 0) return elements(name, JSON_TEXT, repetition_type);
      return [
        of({ num_children: type.fields.size }),
        ...[...type.fields].flatMap(([field, of]) => elements(field, of, "OPTIONAL")),
      ];
  }
}

/** What the Parquet library takes for a value of the type. */
export type Convert = (value: ConnectValue | undefined) => unknown;

/** Null: it takes values as they are. */
export function converterOf(type: ColumnType): Convert | null {
  switch (type.kind) {
    case "int64":
      return (value) => typeof value === "number" ? BigInt(value) : value;
    case "json":
      return (value) => value === null || value === undefined ? null : jsonText(value);
    case "time":
      return (value) => value instanceof Date ? value.getTime() : null;
    case "decimal":
      return (value) => value instanceof Decimal ? value.withScale(type.scale)?.unscaled : null;
    case "list": {
      const item = converterOf(type.items);
      return item === null ? null : (value) => Array.isArray(value) ? value.map(item) : null;
    }
    case "map": {
      const key = converterOf(type.keys) ?? same;
      const item = converterOf(type.values) ?? same;
      return (value) =>
        value instanceof Map
          ? Array.from(value, ([k, v]) => ({ key: key(k), value: item(v) }))
          : null;
    }
    case "struct":
      return type.fields.size === 0 ? converterOf(JSON_TEXT) : structConverter(type);
    default:
      return null;
  }
}

const same: Convert = (value) => value;

/** Always copies: what an object inherits would be taken for a field of its name. */
function structConverter(type: StructType): Convert {
  const fields = [...type.fields].map(([name, field]) =>
    [name, converterOf(field) ?? same] as const
  );
  return (value) => {
    if (value === null || !isObject(value)) return null;
    const copy: Record<string, unknown> = Object.create(null);
    for (const [name, convert] of fields) {
      copy[name] = Object.hasOwn(value, name) ? convert(value[name]) : null;
    }
    return copy;
  };
}
