/** `ExtractField` and `HoistField`: a field becomes the whole, and the whole a field. */
import { choice, string } from "../config/fields.ts";
import { DataError } from "../data/data-error.ts";
import type { Schema } from "../data/schema.ts";
import { validate } from "../data/validate.ts";
import { setField } from "../data/values.ts";
import type { ObjectDraft } from "../data/values.ts";
import { defineTransform, newStruct, objectOf, perSchema, REPLACE_NULL } from "./definition.ts";
import { partOf, schemaOf, SettingError, withPart } from "./definition.ts";
import { parseFieldPath, schemaAt, valueAt } from "./field-path.ts";

export const extractField = defineTransform({
  name: "ExtractField",
  hasSides: true,
  doc: "Takes one field in place of the whole key or value. Null stays null.",
  config: {
    field: string().doc("The field that is taken."),
    "field.syntax.version": choice("V1", "V2").default("V1").importance("HIGH").doc(
      "How fields are named: by V1 those at the top alone, by V2 `a.b` is field b of a; names with dots stand in backticks.",
    ),
    ...REPLACE_NULL,
  },
  make: (config, side) => {
    const isNested = config["field.syntax.version"] === "V2";
    const steps = isNested ? parseFieldPath(config.field) : [config.field];
    const replaceNull = config["replace.null.with.default"];
    return {
      apply: (record) => {
        const schema = schemaOf(record, side);
        const value = partOf(record, side);
        if (value !== null) objectOf(value, side);
        const field = schema === null ? null : schemaAt(schema, steps);
        if (schema !== null && field === null) {
          throw new DataError(`the ${side} has no field "${config.field}"`);
        }
        return withPart(record, side, field, valueAt(schema, value, steps, replaceNull));
      },
    };
  },
});

export const hoistField = defineTransform({
  name: "HoistField",
  hasSides: true,
  doc: "Puts the whole key or value into a field of a new struct or object.",
  config: { field: string().doc("The name of the field.") },
  make: ({ field }, side) => {
    if (field === "") throw new SettingError("field", "must name a field");
    const schemas = perSchema((schema: Schema) => newStruct([{ name: field, schema }]));
    return {
      apply: (record) => {
        const schema = schemaOf(record, side);
        const value = partOf(record, side);
        if (schema !== null) validate(schema, value, side);
        const hoisted: ObjectDraft = {};
        setField(hoisted, field, value);
        return withPart(record, side, schema === null ? null : schemas(schema), hoisted);
      },
    };
  },
});
