/**
 * What connectors say of their data: Kafka Connect's schemas (`org.apache.kafka.connect.data.Schema`).
 * A schema is a plain, frozen value; two that say the same are equal by `sameSchema`.
 */
import type { ConnectValue } from "./values.ts";

/** The types of Connect by the names that its JSON has. */
export type SchemaType =
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "float32"
  | "float64"
  | "boolean"
  | "string"
  | "bytes"
  | "array"
  | "map"
  | "struct";

interface SchemaBase {
  readonly optional: boolean;
  /** Of a logical type or a struct, as `org.apache.kafka.connect.data.Timestamp`; null: none. */
  readonly name: string | null;
  readonly version: number | null;
  readonly doc: string | null;
  readonly parameters: Readonly<Record<string, string>> | null;
  /** What stands for null; undefined: nothing. */
  readonly defaultValue: ConnectValue | undefined;
}

export interface PrimitiveSchema extends SchemaBase {
  readonly type: Exclude<SchemaType, "array" | "map" | "struct">;
}

export interface ArraySchema extends SchemaBase {
  readonly type: "array";
  readonly items: Schema;
}

export interface MapSchema extends SchemaBase {
  readonly type: "map";
  readonly keys: Schema;
  readonly values: Schema;
}

export interface StructSchema extends SchemaBase {
  readonly type: "struct";
  /** In their order. */
  readonly fields: readonly SchemaField[];
}

/** What a value is; null in the place of one: nobody says (schemaless). */
export type Schema = PrimitiveSchema | ArraySchema | MapSchema | StructSchema;

export interface SchemaField {
  readonly name: string;
  readonly schema: Schema;
}

/** A value and what it is. */
export interface SchemaAndValue {
  readonly schema: Schema | null;
  readonly value: ConnectValue;
}

/** What a schema may say besides its type. */
export type SchemaDetails = Partial<SchemaBase>;

const PLAIN: SchemaBase = {
  optional: false,
  name: null,
  version: null,
  doc: null,
  parameters: null,
  defaultValue: undefined,
};

/** A schema of a type without parts. */
export function primitive(type: PrimitiveSchema["type"], details: SchemaDetails = {}): Schema {
  return Object.freeze({ ...PLAIN, ...details, type });
}

export function arrayOf(items: Schema, details: SchemaDetails = {}): ArraySchema {
  return Object.freeze({ ...PLAIN, ...details, type: "array", items });
}

export function mapOf(keys: Schema, values: Schema, details: SchemaDetails = {}): MapSchema {
  return Object.freeze({ ...PLAIN, ...details, type: "map", keys, values });
}

/** Throws `TypeError` where two fields have the same name. */
export function struct(
  fields: readonly SchemaField[] | Readonly<Record<string, Schema>>,
  details: SchemaDetails = {},
): StructSchema {
  const list = isList(fields)
    ? fields
    : Object.entries(fields).map(([name, schema]) => ({ name, schema }));
  const names = new Set<string>();
  for (const { name } of list) {
    if (names.has(name)) throw new TypeError(`two fields are called "${name}"`);
    names.add(name);
  }
  return Object.freeze({ ...PLAIN, ...details, type: "struct", fields: Object.freeze([...list]) });
}

const fieldsByName = new WeakMap<StructSchema, ReadonlyMap<string, Schema>>();

/** The schema of a field; undefined: there is none of that name. */
export function fieldSchema(schema: StructSchema, name: string): Schema | undefined {
  let byName = fieldsByName.get(schema);
  if (byName === undefined) {
    byName = new Map(schema.fields.map((field) => [field.name, field.schema]));
    fieldsByName.set(schema, byName);
  }
  return byName.get(name);
}

function isList(
  fields: readonly SchemaField[] | Readonly<Record<string, Schema>>,
): fields is readonly SchemaField[] {
  return Array.isArray(fields);
}

/** The same schema for values that may be null. */
export function optional<S extends Schema>(schema: S): S {
  if (schema.optional) return schema;
  const copy: S = { ...schema, optional: true };
  return Object.freeze(copy);
}

/** The names of Connect's logical types. */
export const LOGICAL = {
  decimal: "org.apache.kafka.connect.data.Decimal",
  date: "org.apache.kafka.connect.data.Date",
  time: "org.apache.kafka.connect.data.Time",
  timestamp: "org.apache.kafka.connect.data.Timestamp",
} as const;

/** Days since 1970; its values are `Date`s at midnight UTC. */
export const dateSchema = primitive("int32", { name: LOGICAL.date, version: 1 });
/** Milliseconds of a day; its values are `Date`s of 1970-01-01 UTC. */
export const timeSchema = primitive("int32", { name: LOGICAL.time, version: 1 });
/** Milliseconds since 1970 in UTC; its values are `Date`s. */
export const timestampSchema = primitive("int64", { name: LOGICAL.timestamp, version: 1 });

/** Decimal numbers with `scale` digits behind the point; its values are `Decimal`s. */
export function decimalSchema(scale: number, details: SchemaDetails = {}): Schema {
  const parameters = { ...details.parameters, scale: String(scale) };
  return primitive("bytes", { ...details, name: LOGICAL.decimal, version: 1, parameters });
}
