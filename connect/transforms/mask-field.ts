/** `MaskField`: fields become zero, empty or a replacement. */
import { list, string } from "../config/fields.ts";
import { DataError } from "../data/data-error.ts";
import type { Schema } from "../data/schema.ts";
import { Decimal, fieldOf, isObject, nameOfValue, setField, wholeNumber } from "../data/values.ts";
import type { ConnectValue, ObjectDraft } from "../data/values.ts";
import { truncated } from "./cast-value.ts";
import { defineTransform, distinct, objectOf, REPLACE_NULL, schemaOf } from "./definition.ts";
import { partOf, structField, structSchemaOf, withPart } from "./definition.ts";

/** What hides a value; null stays null. */
type Mask = (schema: Schema | null, value: ConnectValue) => ConnectValue;

export const maskField = defineTransform({
  name: "MaskField",
  hasSides: true,
  doc: "Masks fields: with 0, false or nothing, or with a replacement.",
  config: {
    fields: list().check(distinct).importance("HIGH").doc("The fields."),
    replacement: string().check((text) => text === "" ? "must not be empty" : null).optional()
      .importance("LOW").doc("What stands in their place, for numbers and text alone."),
    ...REPLACE_NULL,
  },
  make: (config, side) => {
    const names = new Set(config.fields);
    const { replacement } = config;
    const replaceNull = config["replace.null.with.default"];
    const mask: Mask = replacement === null
      ? emptyOf
      : (schema, value) => replaced(schema, value, replacement);
    return {
      apply: (record) => {
        const schema = schemaOf(record, side);
        const value = objectOf(partOf(record, side), side);
        if (schema === null) {
          const draft: ObjectDraft = { ...value };
          for (const name of names) setField(draft, name, mask(null, fieldOf(value, name)));
          return withPart(record, side, null, draft);
        }
        const draft: ObjectDraft = {};
        for (const field of structSchemaOf(schema, side).fields) {
          const plain = structField(value, field, replaceNull);
          setField(draft, field.name, names.has(field.name) ? mask(field.schema, plain) : plain);
        }
        return withPart(record, side, schema, draft);
      },
    };
  },
});

function emptyOf(schema: Schema | null, value: ConnectValue): ConnectValue {
  switch (typeof value) {
    case "boolean":
      return false;
    case "number":
    case "bigint":
      return 0;
    case "string":
      return "";
    default:
      if (value === null) return null;
      if (Array.isArray(value)) return [];
      if (value instanceof Map) return new Map();
      if (value instanceof Date) return new Date(0);
      if (value instanceof Decimal) return new Decimal(0n, value.scale);
      if (schema === null && isObject(value)) return {};
      throw new DataError(`${nameOfValue(value)} cannot be masked`);
  }
}

function replaced(schema: Schema | null, value: ConnectValue, text: string): ConnectValue {
  if (value === null) return null;
  if (typeof value === "string") return text;
  const isNumber = typeof value === "number" || typeof value === "bigint";
  if (!isNumber && !(value instanceof Decimal)) {
    throw new DataError(`${nameOfValue(value)} cannot be masked with a replacement`);
  }
  const number = Decimal.parse(text);
  if (number === null) throw new DataError("the replacement is no number, but the field is one");
  if (value instanceof Decimal) {
    const scaled = number.withScale(value.scale);
    if (scaled !== null) return scaled;
    throw new DataError(`the replacement has more than ${value.scale} digits behind the point`);
  }
  return replacedNumber(schema, value, number);
}

const BITS: Readonly<Record<string, number>> = { int8: 8, int16: 16, int32: 32, int64: 64 };

/** As Java narrows it: digits behind the point go for a whole number, and bits that have no room. */
function replacedNumber(schema: Schema | null, value: ConnectValue, number: Decimal): ConnectValue {
  const type = schema?.type ??
    (typeof value === "bigint" || Number.isInteger(value) ? "int64" : "float64");
  if (type === "float32") return Math.fround(number.toNumber());
  if (type === "float64") return number.toNumber();
  return wholeNumber(BigInt.asIntN(BITS[type] ?? 64, BigInt.asIntN(64, truncated(number))));
}
