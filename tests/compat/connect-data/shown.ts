/** Values and schemas in one form of JSON, for those of Kafka Connect and ours. */
import { LOGICAL } from "../../../connect/data/schema.ts";
import type { Schema, SchemaAndValue } from "../../../connect/data/schema.ts";
import { Decimal, fieldOf, isObject } from "../../../connect/data/values.ts";
import type { ConnectValue } from "../../../connect/data/values.ts";

/** Any JSON. */
export type Shown = null | boolean | number | string | readonly Shown[] | { [name: string]: Shown };

/** A value and its schema, as `ConnectOracle` shows them. */
export function show({ schema, value }: SchemaAndValue): { schema: Shown; value: Shown } {
  return { schema: showSchema(schema), value: showValue(schema, value) };
}

function showSchema(schema: Schema | null): Shown {
  if (schema === null) return null;
  const { name, version, doc, parameters, defaultValue } = schema;
  const shown: { [name: string]: Shown } = { type: schema.type };
  if (schema.optional) shown["optional"] = true;
  if (name !== null) shown["name"] = name;
  if (version !== null) shown["version"] = version;
  if (doc !== null) shown["doc"] = doc;
  if (parameters !== null) shown["parameters"] = { ...parameters };
  if (defaultValue !== undefined && defaultValue !== null) {
    shown["default"] = showValue(schema, defaultValue);
  }
  if (schema.type === "array") shown["items"] = showSchema(schema.items);
  if (schema.type === "map") {
    shown["keys"] = showSchema(schema.keys);
    shown["values"] = showSchema(schema.values);
  }
  if (schema.type === "struct") {
    shown["fields"] = schema.fields.map((field) => [field.name, showSchema(field.schema)]);
  }
  return shown;
}

function showValue(schema: Schema | null, value: ConnectValue): Shown {
  switch (typeof value) {
    case "boolean":
    case "string":
      return value;
    case "number":
    case "bigint":
      return { number: String(Number.isInteger(value) ? BigInt(value) : value) };
    default:
      if (value === null) return null;
      if (value instanceof Date) return { date: value.getTime() };
      if (value instanceof Decimal) return { decimal: `${value.unscaled}e${value.scale}` };
      if (value instanceof Uint8Array) return { bytes: value.toBase64() };
      return showParts(schema, value);
  }
}

function showParts(schema: Schema | null, value: ConnectValue): Shown {
  if (Array.isArray(value)) {
    const list: readonly ConnectValue[] = value;
    return list.map((item) => showValue(schema?.type === "array" ? schema.items : null, item));
  }
  if (value instanceof Map) {
    const map: ReadonlyMap<ConnectValue, ConnectValue> = value;
    const [keys, values] = schema?.type === "map" ? [schema.keys, schema.values] : [null, null];
    return { map: [...map].map(([key, item]) => [showValue(keys, key), showValue(values, item)]) };
  }
  if (!isObject(value)) return null;
  if (schema?.type !== "struct") {
    return { map: Object.keys(value).map((name) => [name, showValue(null, fieldOf(value, name))]) };
  }
  return {
    struct: schema.fields.map((field) => [
      field.name,
      showValue(field.schema, fieldOf(value, field.name)),
    ]),
  };
}

/** The same form for what says the same: order of maps, and how numbers are written, do not count. */
export function normal(shown: Shown): Shown {
  if (typeof shown !== "object" || shown === null) return shown;
  if (Array.isArray(shown)) return shown.map(normal);
  const object: { [name: string]: Shown } = { ...shown } as { [name: string]: Shown };
  if (typeof object["number"] === "string") return { number: normalNumber(object["number"]) };
  const result: { [name: string]: Shown } = {};
  for (const name of Object.keys(object).sort()) {
    result[name] = normal(object[name]!);
    const entries = result[name];
    if (name === "map" && Array.isArray(entries)) {
      result[name] = entries.map((entry) => JSON.stringify(entry)).sort();
    }
  }
  return result;
}

function normalNumber(text: string): string {
  if (/^-?\d+$/.test(text)) return BigInt(text).toString();
  const value = Number(text);
  return Number.isInteger(value) ? BigInt(value).toString() : String(value);
}

/** Whether a schema names a logical type, anywhere. */
export function hasLogical(shown: Shown): boolean {
  const text = JSON.stringify(shown);
  return Object.values(LOGICAL).some((name) => text.includes(name));
}
