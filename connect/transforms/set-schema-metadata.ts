/** `SetSchemaMetadata`: the name and version of a schema. */
import { int, string } from "../config/fields.ts";
import { DataError } from "../data/data-error.ts";
import type { Schema } from "../data/schema.ts";
import { isObject, setField } from "../data/values.ts";
import type { ConnectValue, ObjectDraft } from "../data/values.ts";
import { defineTransform, perSchema, REPLACE_NULL, schemaOf } from "./definition.ts";
import { partOf, SettingError, structField, withPart } from "./definition.ts";

export const setSchemaMetadata = defineTransform({
  name: "SetSchemaMetadata",
  hasSides: true,
  doc: "Sets name or version of the schema of the key or value.",
  config: {
    "schema.name": string().optional().importance("HIGH").doc("The name."),
    "schema.version": int().optional().importance("HIGH").doc("The version."),
    ...REPLACE_NULL,
  },
  make: (config, side) => {
    const name = config["schema.name"];
    const version = config["schema.version"];
    if (name === null && version === null) {
      throw new SettingError("schema.name", "or schema.version is missing");
    }
    const replaceNull = config["replace.null.with.default"];
    const schemas = perSchema((schema: Schema): Schema =>
      Object.freeze({
        ...schema,
        name: name ?? schema.name,
        version: version ?? schema.version,
      })
    );
    return {
      apply: (record) => {
        const schema = schemaOf(record, side);
        const value = partOf(record, side);
        if (schema === null && value === null) return record;
        if (schema === null) throw new DataError(`the ${side} has no schema`);
        const filled = replaceNull ? withDefaults(schema, value) : value;
        return withPart(record, side, schemas(schema), filled);
      },
    };
  },
});

/** A struct with defaults in place of nulls. */
function withDefaults(schema: Schema, value: ConnectValue): ConnectValue {
  if (schema.type !== "struct" || !isObject(value)) return value;
  const draft: ObjectDraft = {};
  for (const field of schema.fields) setField(draft, field.name, structField(value, field, true));
  return draft;
}
