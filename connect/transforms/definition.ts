/** What a kind of transform is, and what most of them have in common. */
import { boolean } from "../config/fields.ts";
import type { ConfigOf, Fields } from "../config/fields.ts";
import { ConfigError, parsePart } from "../config/parse.ts";
import type { RawConfig } from "../config/parse.ts";
import { DataError } from "../data/data-error.ts";
import type { ConnectRecord } from "../data/record.ts";
import { struct } from "../data/schema.ts";
import type { Schema, SchemaDetails, SchemaField, StructSchema } from "../data/schema.ts";
import { article } from "../data/validate.ts";
import { fieldOf, isObject, nameOfValue } from "../data/values.ts";
import type { ConnectObject, ConnectValue } from "../data/values.ts";
import type { Predicate, Transform } from "./transform.ts";

/** The part of a record that a transform works on: `$Key` or `$Value`. */
export type Side = "key" | "value";

/** A kind of transform or of predicate. */
export interface StageDefinition<T> {
  /** The short name: `Cast`. */
  readonly name: string;
  /** Kafka's class, without `$Key` and `$Value`; null: Kafka has none of the kind. */
  readonly className: string | null;
  /** Whether there is one for keys and one for values. */
  readonly hasSides: boolean;
  readonly doc: string;
  readonly config: Fields;
  /** Makes one of the settings behind a prefix. Throws `ConfigError`. */
  make(raw: RawConfig, prefix: string, side: Side): T;
}

export type TransformDefinition = StageDefinition<Transform>;
export type PredicateDefinition = StageDefinition<Predicate>;

/** Settings do not go together; `why` goes on behind the name of the field. */
export class SettingError extends Error {
  override readonly name = "SettingError";
  constructor(readonly field: string, readonly why: string) {
    super(why);
  }
}

/** What an author of a kind says; `make` throws `SettingError`. */
interface StageParts<F extends Fields, T> {
  readonly name: string;
  readonly hasSides?: boolean;
  readonly doc: string;
  readonly config: F;
  make(config: ConfigOf<F>, side: Side): T;
}

/** A kind of transform. */
export function defineTransform<const F extends Fields>(
  parts: StageParts<F, Transform>,
  packageName: string | null = "org.apache.kafka.connect.transforms",
): TransformDefinition {
  return define(parts, packageName);
}

/** A kind of predicate. */
export function definePredicate<const F extends Fields>(
  parts: StageParts<F, Predicate>,
): PredicateDefinition {
  return define(parts, "org.apache.kafka.connect.transforms.predicates");
}

function define<F extends Fields, T>(
  parts: StageParts<F, T>,
  packageName: string | null,
): StageDefinition<T> {
  return {
    name: parts.name,
    className: packageName === null ? null : `${packageName}.${parts.name}`,
    hasSides: parts.hasSides ?? false,
    doc: parts.doc,
    config: parts.config,
    make: (raw, prefix, side) => {
      const config = parsePart(parts.config, raw, prefix);
      try {
        return parts.make(config, side);
      } catch (error) {
        if (!(error instanceof SettingError)) throw error;
        const field = `${prefix}${error.field}`;
        throw new ConfigError([{ field, message: `"${field}" ${error.why}` }]);
      }
    },
  };
}

/** A setting that most have. */
export const REPLACE_NULL = {
  "replace.null.with.default": boolean().default(true).doc(
    "Whether null becomes the default of its field, where that has one.",
  ),
};

/** The name of a setting of `list()` that has to have values, each once. */
export function distinct(names: readonly string[]): string | null {
  if (names.length === 0) return "must name one field at least";
  if (names.includes("")) return "has an empty name";
  return new Set(names).size === names.length ? null : "names a field twice";
}

export function schemaOf(record: ConnectRecord, side: Side): Schema | null {
  return side === "key" ? record.keySchema : record.valueSchema;
}

export function partOf(record: ConnectRecord, side: Side): ConnectValue {
  return side === "key" ? record.key : record.value;
}

/** The record with another key or value. */
export function withPart<R extends ConnectRecord>(
  record: R,
  side: Side,
  schema: Schema | null,
  value: ConnectValue,
): R {
  return side === "key"
    ? { ...record, keySchema: schema, key: value }
    : { ...record, valueSchema: schema, value };
}

/** A value that has to be an object. Throws `DataError`. */
export function objectOf(value: ConnectValue, side: Side): ConnectObject {
  if (isObject(value)) return value;
  throw new DataError(`the ${side} is ${nameOfValue(value)}, not an object`);
}

/** A schema that has to be a struct's. Throws `DataError`. */
export function structSchemaOf(schema: Schema, side: Side): StructSchema {
  if (schema.type === "struct") return schema;
  throw new DataError(`the ${side} is ${article(schema.type)}, not a struct`);
}

/** What a new struct keeps of the one that it was made of. */
export function basicsOf({ name, version, doc, parameters }: Schema): SchemaDetails {
  return { name, version, doc, parameters };
}

/** A struct. Throws `DataError` where two fields would have one name, or one has none. */
export function newStruct(
  fields: readonly SchemaField[],
  details: SchemaDetails = {},
): StructSchema {
  if (fields.some(({ name }) => name === "")) throw new DataError("a field needs a name");
  try {
    return struct(fields, details);
  } catch (error) {
    throw error instanceof TypeError ? new DataError(error.message) : error;
  }
}

/** The field of a struct; its default in place of null, where that is wanted. */
export function structField(
  value: ConnectObject,
  { name, schema }: SchemaField,
  replaceNull: boolean,
): ConnectValue {
  const field = fieldOf(value, name);
  return field === null && replaceNull ? schema.defaultValue ?? null : field;
}

/** What is made of a schema is made once. */
export function perSchema<S extends Schema, T>(make: (schema: S) => T): (schema: S) => T {
  const made = new WeakMap<S, { readonly value: T }>();
  return (schema) => {
    const known = made.get(schema);
    if (known !== undefined) return known.value;
    const value = make(schema);
    made.set(schema, { value });
    return value;
  };
}
