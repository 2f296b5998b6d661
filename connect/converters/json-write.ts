/** Values with a schema as JSON, as Kafka's `JsonConverter` writes them. */
import { DataError } from "../data/data-error.ts";
import { shortestFloat } from "../data/java-text.ts";
import { daysOf, decimalBytes, logicalTypeOf } from "../data/logical-types.ts";
import type { LogicalType } from "../data/logical-types.ts";
import { msOf, scaleOf, timeOfDayMs } from "../data/logical-types.ts";
import type { PrimitiveSchema, Schema, StructSchema } from "../data/schema.ts";
import { isInt64, typeNameOf } from "../data/validate.ts";
import { Decimal, fieldOf, isObject, nameOfValue } from "../data/values.ts";
import type { ConnectValue } from "../data/values.ts";
import { numberJson, pairsJson } from "./json-text.ts";

/** How the converter was told to write and read. */
export interface JsonOptions {
  readonly decimalFormat: "BASE64" | "NUMERIC";
  /** Null becomes the default of its field, where that has one. */
  readonly replaceNullWithDefault: boolean;
}

/** The JSON of a value. Throws `DataError`. */
export type Write = (value: ConnectValue) => string;

/** Compiles a schema. Throws `DataError` where it makes no sense. */
export function compileWrite(schema: Schema, options: JsonOptions): Write {
  const write = compileType(schema, options);
  const ofNull = nullJson(schema, write, options);
  return (value) => value === null ? ofNull() : write(value);
}

function nullJson(schema: Schema, write: Write, options: JsonOptions): () => string {
  const { defaultValue, optional } = schema;
  if (options.replaceNullWithDefault && defaultValue !== undefined && defaultValue !== null) {
    return () => write(defaultValue);
  }
  if (optional) return () => "null";
  return () => {
    throw new DataError(`null, but ${typeNameOf(schema)} is required`);
  };
}

function compileType(schema: Schema, options: JsonOptions): Write {
  switch (schema.type) {
    case "array": {
      const item = compileWrite(schema.items, options);
      return (value) => isList(value) ? `[${value.map(item).join(",")}]` : refuse(schema, value);
    }
    case "map": {
      const ofKey = compileWrite(schema.keys, options);
      const ofValue = compileWrite(schema.values, options);
      const isObjectMode = schema.keys.type === "string";
      return (value) => {
        if (!(value instanceof Map)) return refuse(schema, value);
        const map: ReadonlyMap<ConnectValue, ConnectValue> = value;
        if (!isObjectMode) return pairsJson(map, ofKey, ofValue);
        return `{${[...map].map(([key, item]) => `${ofKey(key)}:${ofValue(item)}`).join(",")}}`;
      };
    }
    case "struct":
      return compileStruct(schema, options);
    default: {
      const logical = logicalTypeOf(schema);
      return logical === null ? primitiveWrite(schema) : logicalWrite(schema, logical, options);
    }
  }
}

function compileStruct(schema: StructSchema, options: JsonOptions): Write {
  const fields = schema.fields.map(({ name, schema: of }, i) => ({
    name,
    head: `${i === 0 ? "" : ","}${JSON.stringify(name)}:`,
    write: compileWrite(of, options),
  }));
  return (value) => {
    if (!isObject(value)) return refuse(schema, value);
    let json = "{";
    for (const { name, head, write } of fields) json += head + write(fieldOf(value, name));
    return `${json}}`;
  };
}

function logicalWrite(schema: Schema, logical: LogicalType, options: JsonOptions): Write {
  if (logical === "decimal") {
    const scale = scaleOf(schema);
    return (value) => {
      if (!(value instanceof Decimal)) return refuse(schema, value);
      if (options.decimalFormat === "NUMERIC") return value.toString();
      if (value.scale !== scale) {
        throw new DataError(`the scale of ${value} is ${value.scale}, not ${scale}`);
      }
      return `"${decimalBytes(value).toBase64()}"`;
    };
  }
  const underneath = { date: daysOf, time: timeOfDayMs, timestamp: msOf }[logical];
  return (value) => value instanceof Date ? String(underneath(value)) : refuse(schema, value);
}

const WHOLE = { int8: 2 ** 7, int16: 2 ** 15, int32: 2 ** 31 } as const;

function primitiveWrite(schema: PrimitiveSchema): Write {
  const { type } = schema;
  switch (type) {
    case "int8":
    case "int16":
    case "int32": {
      const bound = WHOLE[type];
      return (value) =>
        typeof value === "number" && Number.isInteger(value) && value >= -bound && value < bound
          ? String(value)
          : refuse(schema, value);
    }
    case "int64":
      return (value) => isInt64(value) ? String(value) : refuse(schema, value);
    case "float32":
      return (value) =>
        typeof value === "number" ? numberJson(shortestFloat(value)) : refuse(schema, value);
    case "float64":
      return (value) => typeof value === "number" ? numberJson(value) : refuse(schema, value);
    case "boolean":
      return (value) => typeof value === "boolean" ? String(value) : refuse(schema, value);
    case "string":
      return (value) => typeof value === "string" ? JSON.stringify(value) : refuse(schema, value);
    case "bytes":
      return (value) =>
        value instanceof Uint8Array ? `"${value.toBase64()}"` : refuse(schema, value);
  }
}

function refuse(schema: Schema, value: ConnectValue): never {
  throw new DataError(`${nameOfValue(value)} is no ${typeNameOf(schema)}`);
}

function isList(value: ConnectValue): value is readonly ConnectValue[] {
  return Array.isArray(value);
}
