/** `HeaderFrom`, `InsertHeader` and `DropHeaders`. */
import { choice, list, string } from "../config/fields.ts";
import { DataError } from "../data/data-error.ts";
import { parseLiteral } from "../data/literals.ts";
import type { ConnectHeader } from "../data/record.ts";
import { fieldSchema } from "../data/schema.ts";
import type { StructSchema } from "../data/schema.ts";
import { validate } from "../data/validate.ts";
import { fieldOf, setField } from "../data/values.ts";
import type { ConnectObject, ConnectValue, ObjectDraft } from "../data/values.ts";
import { basicsOf, defineTransform, newStruct, objectOf, perSchema } from "./definition.ts";
import { REPLACE_NULL, schemaOf, SettingError, structField } from "./definition.ts";
import { partOf, structSchemaOf, withPart } from "./definition.ts";

const notEmpty = (names: readonly string[]) => names.length === 0 ? "must not be empty" : null;

/** An object without some of its fields. */
function without(object: ConnectObject, names: ReadonlySet<string>): ConnectValue {
  const rest: ObjectDraft = {};
  for (const name of Object.keys(object)) {
    if (!names.has(name)) setField(rest, name, fieldOf(object, name));
  }
  return rest;
}

/** The fields that a struct has by its schema. */
function fieldsOf(
  { fields }: StructSchema,
  object: ConnectObject,
  replaceNull: boolean,
): ConnectValue {
  const struct: ObjectDraft = {};
  for (const field of fields) setField(struct, field.name, structField(object, field, replaceNull));
  return struct;
}

export const headerFrom = defineTransform({
  name: "HeaderFrom",
  hasSides: true,
  doc: "Moves or copies fields of the key or value to headers.",
  config: {
    fields: list().check(notEmpty).importance("HIGH").doc("The fields."),
    headers: list().check(notEmpty).importance("HIGH").doc("Their headers, in the same order."),
    operation: choice("move", "copy").importance("HIGH").doc(
      "Whether the fields are moved, and so taken away, or copied.",
    ),
    ...REPLACE_NULL,
  },
  make: (config, side) => {
    if (config.fields.length !== config.headers.length) {
      throw new SettingError("headers", 'must name as many headers as "fields" names fields');
    }
    const isMove = config.operation === "move";
    const moved = new Set(config.fields);
    const replaceNull = config["replace.null.with.default"];
    const schemas = perSchema((schema: StructSchema) =>
      newStruct(schema.fields.filter(({ name }) => !moved.has(name)), basicsOf(schema))
    );
    const headerOf = (schema: StructSchema | null, object: ConnectObject, i: number) => {
      const field = config.fields[i]!;
      const name = config.headers[i]!;
      if (schema === null) return { name, schema: null, value: fieldOf(object, field) };
      const of = fieldSchema(schema, field);
      if (of === undefined) throw new DataError(`the ${side} has no field "${field}"`);
      const value = structField(object, { name: field, schema: of }, replaceNull);
      if (value === null) validate(of, value, `field "${field}"`);
      return { name, schema: of, value };
    };
    return {
      apply: (record) => {
        const value = objectOf(partOf(record, side), side);
        const given = schemaOf(record, side);
        const schema = given === null ? null : structSchemaOf(given, side);
        const added = config.fields.map((_name, i): ConnectHeader => headerOf(schema, value, i));
        const headers = [...record.headers, ...added];
        if (!isMove) return { ...record, headers };
        const to = schema === null ? null : schemas(schema);
        const left = to === null ? without(value, moved) : fieldsOf(to, value, replaceNull);
        const rest = withPart(record, side, to, left);
        return { ...rest, headers };
      },
    };
  },
});

export const insertHeader = defineTransform({
  name: "InsertHeader",
  doc: "Adds a header to each record.",
  config: {
    header: string().importance("HIGH").doc("The name of the header."),
    "value.literal": string().importance("HIGH").doc(
      "Its value. Numbers, booleans, dates, lists and maps are known by how they look.",
    ),
  },
  make: (config) => {
    const added: ConnectHeader = {
      name: config.header,
      ...parseLiteral(config["value.literal"]),
    };
    return { apply: (record) => ({ ...record, headers: [...record.headers, added] }) };
  },
});

export const dropHeaders = defineTransform({
  name: "DropHeaders",
  doc: "Takes headers away by their names.",
  config: { headers: list().check(notEmpty).importance("HIGH").doc("The names.") },
  make: (config) => {
    const names = new Set(config.headers);
    return {
      apply: (record) => ({
        ...record,
        headers: record.headers.filter(({ name }) => !names.has(name)),
      }),
    };
  },
});
