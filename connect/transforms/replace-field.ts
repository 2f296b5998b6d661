/** `ReplaceField` and `ValueToKey`: some of the fields, by other names, or as the key. */
import { list } from "../config/fields.ts";
import { DataError } from "../data/data-error.ts";
import { fieldSchema } from "../data/schema.ts";
import type { StructSchema } from "../data/schema.ts";
import { fieldOf, setField } from "../data/values.ts";
import type { ObjectDraft } from "../data/values.ts";
import { basicsOf, defineTransform, distinct, newStruct, objectOf } from "./definition.ts";
import { perSchema, REPLACE_NULL, schemaOf, structField, structSchemaOf } from "./definition.ts";
import { partOf, withPart } from "./definition.ts";

const noneTwice = (names: readonly string[]) => names.length === 0 ? null : distinct(names);

function renameProblem(renames: readonly string[]): string | null {
  const bad = renames.find((one) => !/^[^:]+:[^:]+$/.test(one));
  return bad === undefined ? null : `has "${bad}": write old:new`;
}

export const replaceField = defineTransform({
  name: "ReplaceField",
  hasSides: true,
  doc: "Takes fields away, or keeps only some, and gives fields other names.",
  config: {
    exclude: list().default([]).check(noneTwice).doc("Fields that are taken away."),
    include: list().default([]).check(noneTwice).doc(
      "Fields that are kept; empty: all but those of exclude.",
    ),
    renames: list().default([]).check(renameProblem).example("old:new,id:number").doc(
      "Names of fields and what they become.",
    ),
    ...REPLACE_NULL,
  },
  make: (config, side) => {
    const exclude = new Set(config.exclude);
    const include = new Set(config.include);
    const renames = new Map(config.renames.map((one): [string, string] => {
      const [from = "", to = ""] = one.split(":");
      return [from, to];
    }));
    const replaceNull = config["replace.null.with.default"];
    const isKept = (name: string) =>
      !exclude.has(name) && (include.size === 0 || include.has(name));
    const renamed = (name: string) => renames.get(name) ?? name;
    const structs = perSchema((schema: StructSchema) => {
      const kept = schema.fields.filter(({ name }) => isKept(name));
      const fields = kept.map((field) => ({ ...field, name: renamed(field.name) }));
      return { kept, schema: newStruct(fields, basicsOf(schema)) };
    });
    return {
      apply: (record) => {
        const value = partOf(record, side);
        if (value === null) return record;
        const object = objectOf(value, side);
        const schema = schemaOf(record, side);
        const draft: ObjectDraft = {};
        if (schema === null) {
          for (const name of Object.keys(object)) {
            if (!isKept(name)) continue;
            const to = renamed(name);
            if (Object.hasOwn(draft, to)) throw new DataError(`two fields are called "${to}"`);
            setField(draft, to, fieldOf(object, name));
          }
          return withPart(record, side, null, draft);
        }
        const { kept, schema: to } = structs(structSchemaOf(schema, side));
        for (const field of kept) {
          setField(draft, renamed(field.name), structField(object, field, replaceNull));
        }
        return withPart(record, side, to, draft);
      },
    };
  },
});

export const valueToKey = defineTransform({
  name: "ValueToKey",
  doc: "Makes a key of fields of the value.",
  config: {
    fields: list().check(distinct).importance("HIGH").doc("The fields."),
    ...REPLACE_NULL,
  },
  make: (config) => {
    const replaceNull = config["replace.null.with.default"];
    const schemas = perSchema((schema: StructSchema) =>
      newStruct(config.fields.map((name) => {
        const of = fieldSchema(schema, name);
        if (of === undefined) throw new DataError(`the value has no field "${name}"`);
        return { name, schema: of };
      }))
    );
    return {
      apply: (record) => {
        const value = objectOf(record.value, "value");
        const given = record.valueSchema;
        const keySchema = given === null ? null : schemas(structSchemaOf(given, "value"));
        const key: ObjectDraft = {};
        for (const name of config.fields) setField(key, name, fieldOf(value, name));
        for (const field of keySchema?.fields ?? []) {
          setField(key, field.name, structField(value, field, replaceNull));
        }
        return { ...record, keySchema, key };
      },
    };
  },
});
