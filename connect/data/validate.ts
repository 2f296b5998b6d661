/** Whether a value is what its schema says (`ConnectSchema.validateValue` and `Struct.validate`). */
import { DataError } from "./data-error.ts";
import { logicalTypeOf } from "./logical-types.ts";
import { fieldSchema } from "./schema.ts";
import type { PrimitiveSchema, Schema, StructSchema } from "./schema.ts";
import { Decimal, fieldOf, isObject, nameOfValue } from "./values.ts";
import type { ConnectObject, ConnectValue } from "./values.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Throws `DataError` that names the field, as `value, field "items[3].price": …`. */
export function validate(schema: Schema, value: ConnectValue, what = "value"): void {
  const problem = problemOf(schema, value);
  if (problem === null) return;
  throw new DataError(`${what}${fieldPath(problem.path)}: ${problem.why}`);
}

/** The place of a field as messages have it: `, field "items[3].price"`; empty for the whole. */
export function fieldPath(path: readonly (string | number)[]): string {
  if (path.length === 0) return "";
  const text = path.map((step, i) =>
    typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`
  );
  return `, field "${text.join("")}"`;
}

/** What does not fit, and the way there from the outside. */
interface Problem {
  readonly path: readonly (string | number)[];
  readonly why: string;
}

function problemOf(schema: Schema, value: ConnectValue | undefined): Problem | null {
  if (value === null || value === undefined) {
    if (schema.optional) return null;
    return { path: [], why: `null, but ${article(typeNameOf(schema))} is required` };
  }
  if (!isOfType(schema, value)) {
    if (schema.type === "int64" && Number.isInteger(value)) {
      return {
        path: [],
        why: `${String(value)} is beyond int64, or no exact number: use a bigint`,
      };
    }
    const named = typeof value === "number" || typeof value === "bigint"
      ? String(value)
      : nameOfValue(value);
    return { path: [], why: `${named} is not ${article(typeNameOf(schema))}` };
  }
  return partProblem(schema, value);
}

function partProblem(schema: Schema, value: ConnectValue): Problem | null {
  switch (schema.type) {
    case "array":
      return isList(value)
        ? firstProblem(value.entries(), (item) => problemOf(schema.items, item))
        : null;
    case "map": {
      if (!(value instanceof Map)) return null;
      const map: ReadonlyMap<ConnectValue, ConnectValue> = value;
      let at = 0;
      const entries = [...map].map(([key, item]): [string | number, readonly ConnectValue[]] => [
        typeof key === "string" ? key : at++,
        [key, item],
      ]);
      return firstProblem(
        entries,
        ([key, item]) => problemOf(schema.keys, key) ?? problemOf(schema.values, item),
      );
    }
    case "struct":
      return isObject(value) ? structProblem(schema, value) : null;
    default:
      return null;
  }
}

function structProblem(schema: StructSchema, value: ConnectObject): Problem | null {
  const unknown = Object.keys(value).find((name) => fieldSchema(schema, name) === undefined);
  if (unknown !== undefined) return { path: [unknown], why: "the schema has no such field" };
  return firstProblem(
    schema.fields.map(({ name, schema: of }) => [name, of] as const),
    (of, name) => {
      const field = fieldOf(value, name);
      return field === null && of.defaultValue !== undefined ? null : problemOf(of, field);
    },
  );
}

function firstProblem<K extends string | number, T>(
  entries: Iterable<readonly [K, T]>,
  check: (item: T, key: K) => Problem | null,
): Problem | null {
  for (const [key, item] of entries) {
    const problem = check(item, key);
    if (problem !== null) return { path: [key, ...problem.path], why: problem.why };
  }
  return null;
}

function isList(value: ConnectValue): value is readonly ConnectValue[] {
  return Array.isArray(value);
}

/** Whether it is of the type, not looking at parts. */
function isOfType(schema: Schema, value: ConnectValue): boolean {
  switch (schema.type) {
    case "array":
      return isList(value);
    case "map":
      return value instanceof Map;
    case "struct":
      return isObject(value);
    default:
      return isOfPrimitive(schema, value);
  }
}

function isOfPrimitive(schema: PrimitiveSchema, value: ConnectValue): boolean {
  const logical = logicalTypeOf(schema);
  if (logical !== null) {
    return logical === "decimal"
      ? value instanceof Decimal
      : value instanceof Date && !Number.isNaN(value.getTime());
  }
  switch (schema.type) {
    case "int8":
      return isWithin(value, 2 ** 7);
    case "int16":
      return isWithin(value, 2 ** 15);
    case "int32":
      return isWithin(value, 2 ** 31);
    case "int64":
      return isInt64(value);
    case "float32":
    case "float64":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string";
    case "bytes":
      return value instanceof Uint8Array;
  }
}

function isWithin(value: ConnectValue, bound: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= -bound && value < bound;
}

/** Whether it is a whole number of 64 bits, exactly. */
export function isInt64(value: ConnectValue): value is number | bigint {
  if (typeof value === "number") return Number.isSafeInteger(value);
  return typeof value === "bigint" && value >= INT64_MIN && value <= INT64_MAX;
}

/** The type as messages name it: the logical one where there is one. */
export function typeNameOf(schema: Schema): string {
  const logical = logicalTypeOf(schema);
  return logical === null ? schema.type : logical[0]!.toUpperCase() + logical.slice(1);
}

/** With "a" or "an" before it, where it is one thing. */
export function article(noun: string): string {
  if (noun === "bytes") return noun;
  return `${/^[aeiou]/i.test(noun) ? "an" : "a"} ${noun}`;
}
