/** Schemas as JSON and back, as they stand in Kafka's envelope: `{"schema": …, "payload": …}`. */
import { DataError } from "../data/data-error.ts";
import { arrayOf, mapOf, primitive, struct } from "../data/schema.ts";
import type { Schema, SchemaDetails, SchemaField, SchemaType } from "../data/schema.ts";
import { compileRead, ReadFault } from "./json-read.ts";
import { isJsonList, isJsonObject, memberOf } from "./json-text.ts";
import type { Json, JsonObject } from "./json-text.ts";
import { compileWrite } from "./json-write.ts";
import type { JsonOptions } from "./json-write.ts";

/** The types by their names in JSON. */
const TYPES: ReadonlyMap<string, SchemaType> = new Map<string, SchemaType>([
  ["boolean", "boolean"],
  ["int8", "int8"],
  ["int16", "int16"],
  ["int32", "int32"],
  ["int64", "int64"],
  ["float", "float32"],
  ["double", "float64"],
  ["bytes", "bytes"],
  ["string", "string"],
  ["array", "array"],
  ["map", "map"],
  ["struct", "struct"],
]);

const NAMES: ReadonlyMap<SchemaType, string> = new Map(
  [...TYPES].map(([name, type]) => [type, name]),
);

/** The schema that JSON says; null: none. Throws `DataError`. */
export function schemaOfJson(json: Json | undefined, options: JsonOptions): Schema | null {
  return json === null ? null : required(json, options);
}

function required(json: Json | undefined, options: JsonOptions): Schema {
  if (!isJsonObject(json)) throw new DataError("a schema has to be an object");
  const name = memberOf(json, "type");
  const type = typeof name === "string" ? TYPES.get(name) : undefined;
  if (type === undefined) {
    const given = typeof name === "string" ? `, not "${name}"` : "";
    throw new DataError(
      `a schema's "type" has to be one of ${[...TYPES.keys()].join(", ")}${given}`,
    );
  }
  const schema = ofType(type, json, detailsOf(json), options);
  const byDefault = memberOf(json, "default");
  if (byDefault === undefined || byDefault === null) return schema;
  return Object.freeze({ ...schema, defaultValue: readDefault(schema, byDefault, options) });
}

function readDefault(schema: Schema, json: Json, options: JsonOptions) {
  try {
    return compileRead(schema, options)(json);
  } catch (error) {
    if (!(error instanceof ReadFault)) throw error;
    throw new DataError(`a default does not fit its schema: ${error.message}`);
  }
}

function ofType(
  type: SchemaType,
  json: JsonObject,
  details: SchemaDetails,
  options: JsonOptions,
): Schema {
  switch (type) {
    case "array":
      return arrayOf(required(memberOf(json, "items"), options), details);
    case "map":
      return mapOf(
        required(memberOf(json, "keys"), options),
        required(memberOf(json, "values"), options),
        details,
      );
    case "struct":
      return structOf(memberOf(json, "fields"), details, options);
    default:
      return primitive(type, details);
  }
}

function structOf(
  fields: Json | undefined,
  details: SchemaDetails,
  options: JsonOptions,
): Schema {
  if (!isJsonList(fields)) throw new DataError('a struct has to have "fields"');
  const list = fields.map((field): SchemaField => {
    const name = isJsonObject(field) ? memberOf(field, "field") : undefined;
    if (typeof name !== "string" || name === "") {
      throw new DataError('a field of a struct has to have its name as "field"');
    }
    return { name, schema: required(field, options) };
  });
  try {
    return struct(list, details);
  } catch (error) {
    throw error instanceof TypeError ? new DataError(error.message) : error;
  }
}

function detailsOf(json: JsonObject): SchemaDetails {
  const text = (name: string) => {
    const value = memberOf(json, name);
    return typeof value === "string" ? value : null;
  };
  const version = memberOf(json, "version");
  return {
    optional: memberOf(json, "optional") === true,
    name: text("name"),
    version: typeof version === "number" && Number.isInteger(version) ? version : null,
    doc: text("doc"),
    parameters: parametersOf(memberOf(json, "parameters")),
  };
}

function parametersOf(json: Json | undefined): SchemaDetails["parameters"] & unknown {
  if (!isJsonObject(json)) return null;
  return Object.fromEntries(
    Object.keys(json).map((name) => {
      const value = memberOf(json, name);
      if (typeof value !== "string") {
        throw new DataError("a parameter of a schema has to be a string");
      }
      return [name, value];
    }),
  );
}

/** The JSON of a schema. Throws `DataError` for a default that does not fit. */
export function jsonOfSchema(schema: Schema | null, options: JsonOptions): string {
  return schema === null ? "null" : `{${membersOf(schema, options).join(",")}}`;
}

function membersOf(schema: Schema, options: JsonOptions): string[] {
  const members = [`"type":${JSON.stringify(NAMES.get(schema.type))}`];
  const add = (name: string, json: string) => members.push(`"${name}":${json}`);
  if (schema.type === "array") add("items", jsonOfSchema(schema.items, options));
  if (schema.type === "map") {
    add("keys", jsonOfSchema(schema.keys, options));
    add("values", jsonOfSchema(schema.values, options));
  }
  if (schema.type === "struct") {
    const fields = schema.fields.map(({ name, schema: of }) =>
      `{${[...membersOf(of, options), `"field":${JSON.stringify(name)}`].join(",")}}`
    );
    add("fields", `[${fields.join(",")}]`);
  }
  add("optional", String(schema.optional));
  if (schema.name !== null) add("name", JSON.stringify(schema.name));
  if (schema.version !== null) add("version", String(schema.version));
  if (schema.doc !== null) add("doc", JSON.stringify(schema.doc));
  if (schema.parameters !== null) add("parameters", JSON.stringify(schema.parameters));
  const { defaultValue } = schema;
  if (defaultValue !== undefined && defaultValue !== null) {
    add("default", compileWrite(schema, options)(defaultValue));
  }
  return members;
}
