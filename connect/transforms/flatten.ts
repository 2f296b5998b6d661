/** `Flatten`: nested structs and objects become one, with longer names. */
import { string } from "../config/fields.ts";
import { DataError } from "../data/data-error.ts";
import type { Schema, SchemaField, StructSchema } from "../data/schema.ts";
import { fieldOf, isObject, setField } from "../data/values.ts";
import type { ConnectObject, ConnectValue, ObjectDraft } from "../data/values.ts";
import { basicsOf, defineTransform, newStruct, objectOf, perSchema } from "./definition.ts";
import { partOf, schemaOf, structField, structSchemaOf, withPart } from "./definition.ts";

export const flatten = defineTransform({
  name: "Flatten",
  hasSides: true,
  doc: "Flattens nested structs or objects: field b of a becomes a.b. Arrays stay as they are.",
  config: { delimiter: string().default(".").doc("What stands between the names.") },
  make: ({ delimiter }, side) => {
    const schemas = perSchema((schema: StructSchema) =>
      newStruct(
        flatFields(schema, "", delimiter, schema.optional, schema.defaultValue ?? null),
        basicsOf(schema),
      )
    );
    return {
      apply: (record) => {
        const value = partOf(record, side);
        if (value === null) return record;
        const schema = schemaOf(record, side);
        const flat: ObjectDraft = {};
        if (schema === null) {
          flattenObject(objectOf(value, side), "", delimiter, flat);
          return withPart(record, side, null, flat);
        }
        const struct = structSchemaOf(schema, side);
        const to = schemas(struct);
        flattenStruct(struct, objectOf(value, side), "", delimiter, flat);
        return withPart(record, side, to, flat);
      },
    };
  },
});

function nameOf(prefix: string, name: string, delimiter: string): string {
  return prefix === "" ? name : `${prefix}${delimiter}${name}`;
}

function flattenObject(
  object: ConnectObject,
  prefix: string,
  delimiter: string,
  flat: ObjectDraft,
): void {
  for (const key of Object.keys(object)) {
    const name = nameOf(prefix, key, delimiter);
    const value = fieldOf(object, key);
    if (isObject(value)) flattenObject(value, name, delimiter, flat);
    else if (value instanceof Map) flattenObject(objectOfMap(value, name), name, delimiter, flat);
    else setField(flat, name, value);
  }
}

function objectOfMap(map: ReadonlyMap<ConnectValue, ConnectValue>, name: string): ConnectObject {
  const object: ObjectDraft = {};
  for (const [key, value] of map) {
    if (typeof key !== "string") throw new DataError(`the map "${name}" has keys that are no text`);
    setField(object, key, value);
  }
  return object;
}

/** A field may be null where one around it may, and has the default that one around it has for it. */
function flatFields(
  schema: StructSchema,
  prefix: string,
  delimiter: string,
  isOptional: boolean,
  defaults: ConnectValue,
): SchemaField[] {
  return schema.fields.flatMap((field) => {
    const name = nameOf(prefix, field.name, delimiter);
    const of = field.schema;
    const optional = isOptional || of.optional;
    const inherited = isObject(defaults) ? structField(defaults, field, true) : null;
    const defaultValue = of.defaultValue ?? inherited;
    if (of.type === "map") throw new DataError(`a map cannot be flattened: field "${name}"`);
    if (of.type === "struct") return flatFields(of, name, delimiter, optional, defaultValue);
    const flat: Schema = { ...of, optional, defaultValue: defaultValue ?? undefined };
    return [{ name, schema: Object.freeze(flat) }];
  });
}

function flattenStruct(
  schema: StructSchema,
  value: ConnectValue,
  prefix: string,
  delimiter: string,
  flat: ObjectDraft,
): void {
  for (const field of schema.fields) {
    const name = nameOf(prefix, field.name, delimiter);
    const isInner = field.schema.type === "struct";
    const inner = isObject(value) ? structField(value, field, !isInner) : null;
    if (field.schema.type === "struct") flattenStruct(field.schema, inner, name, delimiter, flat);
    else setField(flat, name, inner);
  }
}
