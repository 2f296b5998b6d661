/** Whether schemas, and values, say the same (`equals` of Connect's `ConnectSchema`). */
import type { Schema } from "./schema.ts";
import { Decimal, fieldOf, isObject } from "./values.ts";
import type { ConnectObject, ConnectValue } from "./values.ts";

/** Whether both are the same type with the same details, and so are all their parts. */
export function sameSchema(a: Schema | null, b: Schema | null): boolean {
  if (a === b) return true;
  if (a === null || b === null || !sameDetails(a, b)) return false;
  switch (a.type) {
    case "array":
      return b.type === "array" && sameSchema(a.items, b.items);
    case "map":
      return b.type === "map" && sameSchema(a.keys, b.keys) && sameSchema(a.values, b.values);
    case "struct":
      return b.type === "struct" && a.fields.length === b.fields.length &&
        a.fields.every(({ name, schema }, i) =>
          name === b.fields[i]!.name && sameSchema(schema, b.fields[i]!.schema)
        );
    default:
      return true;
  }
}

function sameDetails(a: Schema, b: Schema): boolean {
  return a.type === b.type && a.optional === b.optional && a.name === b.name &&
    a.version === b.version && a.doc === b.doc && sameParameters(a.parameters, b.parameters) &&
    sameValue(a.defaultValue ?? null, b.defaultValue ?? null);
}

/** Whether both have the same parameters. */
export function sameParameters(a: Schema["parameters"], b: Schema["parameters"]): boolean {
  if (a === null || b === null) return a === b;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && a[name] === b[name]);
}

/** Whether both are the same value, to the depths. A field that is not there is null. */
export function sameValue(a: ConnectValue, b: ConnectValue): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return isWhole(a) && isWhole(b) && BigInt(a) === BigInt(b);
  }
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (a instanceof Decimal) {
    return b instanceof Decimal && a.unscaled === b.unscaled && a.scale === b.scale;
  }
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (isList(a)) {
    return isList(b) && a.length === b.length && a.every((value, i) => sameValue(value, b[i]!));
  }
  if (a instanceof Map) return b instanceof Map && sameMap(a, b);
  return isObject(a) && isObject(b) && sameObject(a, b);
}

function isWhole(value: ConnectValue): value is number | bigint {
  return typeof value === "bigint" || Number.isInteger(value);
}

function isList(value: ConnectValue): value is readonly ConnectValue[] {
  return Array.isArray(value);
}

type ValueMap = ReadonlyMap<ConnectValue, ConnectValue>;

/** Keys that are objects are the same where they say the same, so all have to be looked at. */
function sameMap(a: ValueMap, b: ValueMap): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([key, value]) => {
    if (b.has(key)) return sameValue(value, b.get(key)!);
    return [...b].some(([other, otherValue]) =>
      sameValue(key, other) && sameValue(value, otherValue)
    );
  });
}

function sameObject(a: ConnectObject, b: ConnectObject): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => sameValue(fieldOf(a, name), fieldOf(b, name)));
}
