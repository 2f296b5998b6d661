/** A value of one schema as another one wants it (Connect's `SchemaProjector`). */
import { DataError } from "./data-error.ts";
import { sameParameters } from "./same-schema.ts";
import { fieldSchema } from "./schema.ts";
import type { Schema, SchemaType, StructSchema } from "./schema.ts";
import { article, fieldPath } from "./validate.ts";
import { fieldOf, isObject, setField } from "./values.ts";
import type { ConnectValue, ObjectDraft } from "./values.ts";

/** Numbers may become wider ones. */
const WIDTHS: readonly SchemaType[] = ["int8", "int16", "int32", "int64", "float32", "float64"];

/** Throws `DataError` that names the field. */
export function project(source: Schema, value: ConnectValue, target: Schema): ConnectValue {
  try {
    return projected(source, value, target);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new DataError(`value${fieldPath(error.path)}: ${error.message}`);
  }
}

class Mismatch extends Error {
  readonly path: (string | number)[] = [];
}

function projected(source: Schema, value: ConnectValue, target: Schema): ConnectValue {
  checkCompatible(source, target);
  if (value !== null) return projectedPart(source, value, target);
  if (!source.optional || target.optional) return null;
  if (target.defaultValue !== undefined) return target.defaultValue;
  throw new Mismatch("null, but required, and the schema has no default");
}

function checkCompatible(source: Schema, target: Schema): void {
  if (source.type !== target.type && !isPromotable(source.type, target.type)) {
    throw new Mismatch(`${article(source.type)} cannot become ${article(target.type)}`);
  }
  if (source.name !== target.name) {
    throw new Mismatch(`its schema is called ${source.name}, not ${target.name}`);
  }
  if (!sameParameters(source.parameters, target.parameters)) {
    throw new Mismatch("its schema has other parameters");
  }
  if (source.optional && !target.optional && target.defaultValue === undefined) {
    throw new Mismatch("it may be null, but not in the other schema, which has no default");
  }
}

function isPromotable(source: SchemaType, target: SchemaType): boolean {
  const from = WIDTHS.indexOf(source);
  return from >= 0 && WIDTHS.indexOf(target) >= from;
}

function projectedPart(source: Schema, value: ConnectValue, target: Schema): ConnectValue {
  if (source.type === "array" && target.type === "array" && isList(value)) {
    return value.map((item, at) => within(at, () => projected(source.items, item, target.items)));
  }
  if (source.type === "map" && target.type === "map" && value instanceof Map) {
    const map: ReadonlyMap<ConnectValue, ConnectValue> = value;
    return new Map(
      [...map].map(([key, item], at) =>
        within(typeof key === "string" ? key : at, () => [
          projected(source.keys, key, target.keys),
          projected(source.values, item, target.values),
        ])
      ),
    );
  }
  if (source.type === "struct" && target.type === "struct") {
    return projectedStruct(source, value, target);
  }
  if (target.type === "float32" && typeof value === "number") return Math.fround(value);
  const isFloat = target.type === "float32" || target.type === "float64";
  return isFloat && typeof value === "bigint" ? Number(value) : value;
}

function projectedStruct(
  source: StructSchema,
  value: ConnectValue,
  target: StructSchema,
): ConnectValue {
  if (!isObject(value)) throw new Mismatch("it is no struct");
  const result: ObjectDraft = {};
  for (const { name, schema } of target.fields) {
    const of = fieldSchema(source, name);
    const part = within(name, () => {
      if (of !== undefined) {
        return projected(of, fieldOf(value, name) ?? of.defaultValue ?? null, schema);
      }
      if (schema.defaultValue !== undefined) return schema.optional ? null : schema.defaultValue;
      if (schema.optional) return null;
      throw new Mismatch("required, but missing");
    });
    setField(result, name, part);
  }
  return result;
}

function within<T>(step: string | number, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof Mismatch) error.path.unshift(step);
    throw error;
  }
}

function isList(value: ConnectValue): value is readonly ConnectValue[] {
  return Array.isArray(value);
}
