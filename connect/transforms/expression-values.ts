/** Values of records as expressions have them, and back. Dates are ISO 8601, decimals numbers, maps objects. */
import { DataError } from "../data/data-error.ts";
import { Decimal, isObject, nameOfValue } from "../data/values.ts";
import type { ConnectValue } from "../data/values.ts";
import { emptyObject, kindOf } from "../../core/expression/values.ts";

/** The same value where expressions know it as it is, which is nearly always. */
export function expressionValueOf(value: ConnectValue): unknown {
  return isKnown(value) ? value : converted(value);
}

function isKnown(value: ConnectValue | undefined): boolean {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return true;
  if (isList(value)) {
    for (const item of value) if (!isKnown(item)) return false;
    return true;
  }
  if (!isObject(value)) return false;
  for (const name in value) if (!isKnown(value[name])) return false;
  return true;
}

function converted(value: ConnectValue | undefined): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (isList(value)) return value.map(converted);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Decimal) return value.toNumber();
  const object = emptyObject();
  if (value instanceof Map) {
    const map: ReadonlyMap<ConnectValue, ConnectValue> = value;
    for (const [key, item] of map) object[keyOf(key)] = converted(item);
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) object[name] = converted(value[name]);
  }
  return object;
}

function keyOf(key: ConnectValue): string {
  if (typeof key === "object" && key !== null) {
    throw new DataError(`${nameOfValue(key)} as a key of a map is nothing for expressions`);
  }
  return String(key);
}

/** What an expression gives, as a value of a record. Throws `DataError` for what is none. */
export function connectValueOf(value: unknown): ConnectValue {
  switch (typeof value) {
    case "boolean":
    case "number":
    case "bigint":
    case "string":
      return value;
    case "undefined":
      throw new DataError("this gives undefined: write … ?? null where null is meant");
    default:
      return partsOf(value);
  }
}

function partsOf(value: unknown): ConnectValue {
  if (value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return items.map((item) => item === undefined ? null : connectValueOf(item));
  }
  if (kindOf(value) !== "object" || typeof value !== "object") {
    throw new DataError("a regular expression is no value of a record");
  }
  const object: Record<string, ConnectValue> = emptyObject() as Record<string, ConnectValue>;
  for (const [name, field] of Object.entries(value)) {
    if (field !== undefined) object[name] = connectValueOf(field);
  }
  return object;
}

function isList(value: ConnectValue): value is readonly ConnectValue[] {
  return Array.isArray(value);
}
