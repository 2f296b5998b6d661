/** `InsertField`: fields with what is known of the record, or with a text. */
import { string } from "../config/fields.ts";
import { DataError } from "../data/data-error.ts";
import { dateOfMs } from "../data/logical-types.ts";
import type { ConnectRecord } from "../data/record.ts";
import { optional, primitive, timestampSchema } from "../data/schema.ts";
import type { Schema, StructSchema } from "../data/schema.ts";
import { setField, wholeNumber } from "../data/values.ts";
import type { ConnectValue, ObjectDraft } from "../data/values.ts";
import { basicsOf, defineTransform, newStruct, objectOf, perSchema } from "./definition.ts";
import { REPLACE_NULL, schemaOf, SettingError, structField } from "./definition.ts";
import { partOf, structSchemaOf, withPart } from "./definition.ts";

/** A field that is added, and what it gets; undefined: the record says nothing. */
interface Insertion {
  readonly name: string;
  readonly schema: Schema;
  value(record: ConnectRecord, hasSchema: boolean): ConnectValue | undefined;
}

function nameSetting(what: string) {
  return string().optional().doc(
    `The field for ${what}; with ! behind its name it is required, with ? or nothing optional.`,
  );
}

function insertion(
  setting: string | null,
  schema: Schema,
  value: Insertion["value"],
): Insertion[] {
  if (setting === null) return [];
  const name = setting.replace(/[?!]$/, "");
  return [{ name, schema: setting.endsWith("!") ? schema : optional(schema), value }];
}

function offsetOf(record: ConnectRecord): ConnectValue {
  if ("offset" in record && typeof record.offset === "bigint") return wholeNumber(record.offset);
  throw new DataError("only records of sinks have offsets");
}

export const insertField = defineTransform({
  name: "InsertField",
  hasSides: true,
  doc: "Adds fields with topic, partition, offset or timestamp of the record, or with a text.",
  config: {
    "topic.field": nameSetting("the topic"),
    "partition.field": nameSetting("the partition"),
    "offset.field": nameSetting("the offset, in sinks alone"),
    "timestamp.field": nameSetting("the timestamp"),
    "static.field": nameSetting("a text"),
    "static.value": string().optional().doc("The text of static.field."),
    ...REPLACE_NULL,
  },
  make: (config, side) => {
    const text = config["static.value"];
    if (config["static.field"] !== null && text === null) {
      throw new SettingError("static.value", "is missing: static.field needs it");
    }
    const insertions = [
      ...insertion(config["topic.field"], primitive("string"), ({ topic }) => topic),
      ...insertion(
        config["partition.field"],
        primitive("int32"),
        ({ partition }) => partition ?? undefined,
      ),
      ...insertion(config["offset.field"], primitive("int64"), offsetOf),
      ...insertion(config["timestamp.field"], timestampSchema, ({ timestampMs }, hasSchema) => {
        if (timestampMs === null) return undefined;
        return hasSchema ? dateOfMs(timestampMs) : timestampMs;
      }),
      ...insertion(config["static.field"], primitive("string"), () => text ?? undefined),
    ];
    if (insertions.length === 0) {
      throw new SettingError("topic.field", "or another field is missing");
    }
    const replaceNull = config["replace.null.with.default"];
    const schemas = perSchema((schema: StructSchema) =>
      newStruct([...schema.fields, ...insertions], basicsOf(schema))
    );
    return {
      apply: (record) => {
        const value = partOf(record, side);
        if (value === null) return record;
        const object = objectOf(value, side);
        const given = schemaOf(record, side);
        const struct = given === null ? null : structSchemaOf(given, side);
        const draft: ObjectDraft = struct === null ? { ...object } : {};
        for (const field of struct?.fields ?? []) {
          setField(draft, field.name, structField(object, field, replaceNull));
        }
        const to = struct === null ? null : schemas(struct);
        for (const one of insertions) {
          const inserted = one.value(record, struct !== null);
          if (inserted !== undefined) setField(draft, one.name, inserted);
        }
        return withPart(record, side, to, draft);
      },
    };
  },
});
