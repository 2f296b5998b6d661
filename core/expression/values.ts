/**
 * The values of expressions: undefined, null, booleans, numbers, bigints, strings, arrays, plain
 * objects, bytes (`Uint8Array`: what is no UTF-8) and regular expressions. No function is a value,
 * and only own properties are seen, so nothing leads from a value to the program. None is ever
 * changed.
 */
import { ELEMENT_UNITS } from "./budget.ts";
import type { Budget } from "./budget.ts";
import { fail } from "./expression-error.ts";
import type { Span } from "./expression-error.ts";
import { RegexValue } from "./regex-value.ts";

export type Primitive = undefined | null | boolean | number | bigint | string;

/** An object made by an expression or parsed from JSON. */
export type PlainObject = Record<string, unknown>;

/** What methods are looked up by. */
export type Kind =
  | "undefined"
  | "null"
  | "boolean"
  | "number"
  | "bigint"
  | "string"
  | "array"
  | "object"
  | "bytes"
  | "regex";

const NAMES: Readonly<Record<Kind, string>> = {
  undefined: "undefined",
  null: "null",
  boolean: "a boolean",
  number: "a number",
  bigint: "a bigint",
  string: "a string",
  array: "an array",
  object: "an object",
  bytes: "bytes",
  regex: "a regular expression",
};

/** Values nested deeper are not written out or flattened. */
const DEPTH_MAX = 500;

export function kindOf(value: unknown): Kind {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "bigint":
    case "undefined":
      return typeof value as Kind;
    default:
      if (value === null) return "null";
      if (Array.isArray(value)) return "array";
      if (value instanceof Uint8Array) return "bytes";
      return value instanceof RegexValue ? "regex" : "object";
  }
}

/** How messages name what the value is: "a string". */
export function nameOf(value: unknown): string {
  return NAMES[kindOf(value)];
}

export function isPlainObject(value: unknown): value is PlainObject {
  return kindOf(value) === "object";
}

/** The own property, or undefined: also of what has none, such as null. */
export function propertyOf(value: unknown, name: string): unknown {
  if (typeof value === "string" || Array.isArray(value) || value instanceof Uint8Array) {
    if (name === "length") return value.length;
    return isIndex(name, value.length) ? value[Number(name)] : undefined;
  }
  if (!isPlainObject(value)) return undefined;
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

/** `value[key]`, where the key is a value too. */
export function elementOf(value: unknown, key: unknown, span: Span): unknown {
  if (typeof key === "number" && (Array.isArray(value) || typeof value === "string")) {
    return Number.isInteger(key) && key >= 0 && key < value.length ? value[key] : undefined;
  }
  return propertyOf(value, nameFrom(key, span));
}

/** A value as the name of a property. */
export function nameFrom(key: unknown, span: Span): string {
  if (typeof key === "string") return key;
  if (typeof key === "object" && key !== null) fail(`${nameOf(key)} is no property name`, span);
  return String(key);
}

/** Whether `name in value`. */
export function hasProperty(value: unknown, name: string): boolean {
  if (Array.isArray(value) || value instanceof Uint8Array) {
    return name === "length" || isIndex(name, value.length);
  }
  return isPlainObject(value) && Object.hasOwn(value, name);
}

function isIndex(name: string, length: number): boolean {
  const index = Number(name);
  return Number.isInteger(index) && index >= 0 && index < length && String(index) === name;
}

/** An object without prototype, so that no name means anything but itself. */
export function emptyObject(): PlainObject {
  const object: PlainObject = Object.create(null);
  return object;
}

/** As operators see a value: arrays as their elements with commas, objects as [object Object]. */
export function toPrimitive(value: unknown, budget: Budget, span: Span): Primitive {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "bigint":
    case "undefined":
      return value;
    default:
      if (value === null) return null;
      if (Array.isArray(value)) return joinText(value, ",", budget, span, 0);
      if (value instanceof RegexValue) return value.toString();
      if (value instanceof Uint8Array) {
        fail("bytes are no text: use hex(), base64() or text()", span);
      }
      return "[object Object]";
  }
}

/** As `String(value)`. */
export function toText(value: unknown, budget: Budget, span: Span): string {
  return typeof value === "string" ? value : String(toPrimitive(value, budget, span));
}

/** As `Number(value)`. */
export function toNumber(value: unknown, budget: Budget, span: Span): number {
  if (typeof value === "number") return value;
  const primitive = toPrimitive(value, budget, span);
  if (typeof primitive === "string") budget.spend(primitive.length >> 3, span);
  return Number(primitive);
}

/** As `array.join(separator)`. */
export function joinText(
  array: readonly unknown[],
  separator: string,
  budget: Budget,
  span: Span,
  depth: number,
): string {
  if (depth > DEPTH_MAX) fail("the array is nested too deeply", span);
  budget.spend(array.length, span);
  const parts: string[] = [];
  for (const element of array) {
    const text = element === undefined || element === null
      ? ""
      : Array.isArray(element)
      ? joinText(element, ",", budget, span, depth + 1)
      : toText(element, budget, span);
    budget.take(text.length + separator.length, span);
    parts.push(text);
  }
  return parts.join(separator);
}

/** As `array.flat(levels)`. */
export function flatten(
  array: readonly unknown[],
  levels: number,
  budget: Budget,
  span: Span,
): unknown[] {
  const flat: unknown[] = [];
  const add = (elements: readonly unknown[], left: number, depth: number) => {
    if (depth > DEPTH_MAX) fail("the array is nested too deeply", span);
    budget.spend(elements.length + 1, span);
    for (const element of elements) {
      if (left > 0 && Array.isArray(element)) add(element, left - 1, depth + 1);
      else {
        budget.take(ELEMENT_UNITS, span);
        flat.push(element);
      }
    }
  };
  add(array, levels, 0);
  return flat;
}

/**
 * As `JSON.stringify(value, null, indent)`, with bytes as `{"base64": "…"}`; undefined where that is
 * the answer.
 */
export function toJson(
  value: unknown,
  budget: Budget,
  span: Span,
  indent = 0,
): string | undefined {
  const text = JSON.stringify(jsonTree(value, budget, span, indent, 0), null, indent);
  return text;
}

/** The value without bytes; charges what its text takes before there is any. */
function jsonTree(
  value: unknown,
  budget: Budget,
  span: Span,
  indent: number,
  depth: number,
): unknown {
  if (depth > DEPTH_MAX) fail("the value is nested too deeply for JSON", span);
  budget.spend(1, span);
  budget.take(ELEMENT_UNITS + indent * depth, span);
  switch (kindOf(value)) {
    case "string":
      budget.take(String(value).length, span);
      return value;
    case "bigint":
      return fail("a bigint has no JSON: use String(x) or Number(x)", span);
    case "bytes":
      if (!(value instanceof Uint8Array)) return value;
      budget.take(value.length * 2, span);
      return { base64: value.toBase64() };
    case "regex":
      return {};
    case "array": {
      if (!Array.isArray(value)) return value;
      const array: readonly unknown[] = value;
      return array.map((element) => jsonTree(element, budget, span, indent, depth + 1));
    }
    case "object": {
      if (!isPlainObject(value)) return value;
      const copy = emptyObject();
      for (const name of Object.keys(value)) {
        budget.take(name.length, span);
        copy[name] = jsonTree(value[name], budget, span, indent, depth + 1);
      }
      return copy;
    }
    default:
      return value;
  }
}
