/** Values as JSON that people and other programs read: without schemas, nothing lost that JSON has. */
import { Decimal, isObject, LOGICAL } from "../index.ts";
import type { ConnectValue, Schema } from "../index.ts";

/**
 * One line of JSON. Integers of any size and decimals are numbers, bytes base64, times ISO 8601 (by the
 * schema only the date or the time of day), maps objects; NaN and infinities are null.
 */
export function jsonText(value: ConnectValue, schema: Schema | null = null): string {
  return isPlain(value) ? JSON.stringify(value) : text(value, schema);
}

/** Whether `JSON.stringify` says all of it: true of nearly everything, and sooner known than written. */
function isPlain(value: ConnectValue | undefined): boolean {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "undefined":
      return true;
    case "object":
      if (value === null) return true;
      if (Array.isArray(value)) return value.every(isPlain);
      if (Object.getPrototypeOf(value) !== Object.prototype) return false;
      // Its own toJSON would be called.
      if ("toJSON" in value) return false;
      for (const name in value) {
        if (!isPlain((value as Record<string, ConnectValue>)[name])) return false;
      }
      return true;
    default:
      return false;
  }
}

function text(value: ConnectValue | undefined, schema: Schema | null): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "bigint" || value instanceof Decimal) return value.toString();
  if (typeof value !== "object") return JSON.stringify(value);
  if (value instanceof Uint8Array) return `"${value.toBase64()}"`;
  if (value instanceof Date) return `"${timeText(value, schema)}"`;
  if (Array.isArray(value)) {
    const items = schema?.type === "array" ? schema.items : null;
    return `[${value.map((item: ConnectValue) => text(item, items)).join(",")}]`;
  }
  if (value instanceof Map) return mapText(value, schema);
  if (!isObject(value)) return "null";
  const fields = schema?.type === "struct" ? schema.fields : [];
  const parts = Object.entries(value).filter(([, field]) => field !== undefined).map(
    ([name, field]) => {
      const known = fields.find((other) => other.name === name)?.schema ?? null;
      return `${JSON.stringify(name)}:${text(field, known)}`;
    },
  );
  return `{${parts.join(",")}}`;
}

function mapText(map: ReadonlyMap<ConnectValue, ConnectValue>, schema: Schema | null): string {
  const values = schema?.type === "map" ? schema.values : null;
  const parts = [...map].map(([key, value]) => {
    const name = typeof key === "string" ? key : text(key, null);
    return `${JSON.stringify(name)}:${text(value, values)}`;
  });
  return `{${parts.join(",")}}`;
}

function timeText(value: Date, schema: Schema | null): string {
  if (Number.isNaN(value.getTime())) return "invalid";
  const iso = value.toISOString();
  if (schema?.name === LOGICAL.date) return iso.slice(0, 10);
  if (schema?.name === LOGICAL.time) return iso.slice(11, 23);
  return iso;
}
