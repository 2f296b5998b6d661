/**
 * JSON to values with a schema, as Kafka's `JsonConverter` writes them. Where Kafka's makes 0, false or
 * null of a value that has another type than its schema says, this one refuses it.
 */
import { DataError } from "../data/data-error.ts";
import { dateOfMs, decimalOfBytes, logicalTypeOf, MS_PER_DAY } from "../data/logical-types.ts";
import type { LogicalType } from "../data/logical-types.ts";
import { scaleOf } from "../data/logical-types.ts";
import type { PrimitiveSchema, Schema } from "../data/schema.ts";
import { article, isInt64, typeNameOf } from "../data/validate.ts";
import { Decimal, setField, wholeNumber } from "../data/values.ts";
import type { ConnectValue, ObjectDraft } from "../data/values.ts";
import { isJsonList, isJsonObject, memberOf } from "./json-text.ts";
import type { Json } from "./json-text.ts";
import type { JsonOptions } from "./json-write.ts";

/** A value that its schema refuses, and the way there from the outside. */
export class ReadFault extends Error {
  readonly path: (string | number)[] = [];
}

/** The value of JSON; undefined: it is not there. Throws `ReadFault`. */
export type Read = (json: Json | undefined) => ConnectValue;

/** Compiles a schema. Throws `DataError` where it makes no sense. */
export function compileRead(schema: Schema, options: JsonOptions): Read {
  const read = compileType(schema, options);
  const { defaultValue, optional } = schema;
  const ofNull = options.replaceNullWithDefault ? defaultValue ?? null : null;
  return (json) => {
    if (json !== null && json !== undefined) return read(json);
    if (ofNull !== null || optional) return ofNull;
    throw new ReadFault(`null, but ${article(typeNameOf(schema))} is required`);
  };
}

type ReadThere = (json: Json) => ConnectValue;

function compileType(schema: Schema, options: JsonOptions): ReadThere {
  switch (schema.type) {
    case "array": {
      const item = compileRead(schema.items, options);
      return (json) => isJsonList(json) ? json.map((part, i) => at(i, item, part)) : refuse(schema);
    }
    case "map":
      return compileMap(schema.keys, schema.values, options);
    case "struct": {
      const fields = schema.fields.map(({ name, schema: of }) => ({
        name,
        read: compileRead(of, options),
      }));
      return (json) => {
        if (!isJsonObject(json)) return refuse(schema);
        const struct: ObjectDraft = {};
        for (const { name, read } of fields) {
          setField(struct, name, at(name, read, memberOf(json, name)));
        }
        return struct;
      };
    }
    default: {
      const logical = logicalTypeOf(schema);
      return logical === null ? primitiveRead(schema) : logicalRead(schema, logical);
    }
  }
}

function at(step: string | number, read: Read, json: Json | undefined): ConnectValue {
  try {
    return read(json);
  } catch (error) {
    if (error instanceof ReadFault) error.path.unshift(step);
    throw error;
  }
}

function compileMap(keys: Schema, values: Schema, options: JsonOptions): ReadThere {
  const ofKey = compileRead(keys, options);
  const ofValue = compileRead(values, options);
  if (keys.type === "string") {
    return (json) => {
      if (!isJsonObject(json)) {
        throw new ReadFault("a map with strings as keys has to be an object");
      }
      return new Map(
        Object.keys(json).map((name) => [name, at(name, ofValue, memberOf(json, name))]),
      );
    };
  }
  return (json) => {
    if (!isJsonList(json)) throw new ReadFault("a map has to be an array of pairs");
    return new Map(json.map((pair, i) => {
      if (!isJsonList(pair) || pair.length !== 2) throw new ReadFault("an entry has to be a pair");
      return [at(i, ofKey, pair[0]), at(i, ofValue, pair[1])];
    }));
  };
}

function logicalRead(schema: Schema, logical: LogicalType): ReadThere {
  if (logical === "decimal") {
    const scale = scaleOf(schema);
    return (json) => {
      if (typeof json === "string") return guarded(() => decimalOfBytes(base64(json), scale));
      const decimal = decimalOf(json)?.withScale(scale);
      if (decimal === undefined) return refuse(schema);
      if (decimal !== null) return decimal;
      throw new ReadFault(`more than ${scale} digits behind the point`);
    };
  }
  return (json) => {
    const whole = wholeOf(json);
    if (whole === null || !isInt64(whole)) return refuse(schema);
    if (logical === "timestamp") return guarded(() => dateOfMs(whole));
    if (Math.abs(Number(whole)) > 2 ** 31) return refuse(schema);
    const ms = logical === "date" ? Number(whole) * MS_PER_DAY : Number(whole);
    if (logical === "time" && (ms < 0 || ms > MS_PER_DAY)) {
      throw new ReadFault(`${ms} is no time of a day in milliseconds`);
    }
    return guarded(() => dateOfMs(ms));
  };
}

function decimalOf(json: Json): Decimal | null | undefined {
  if (json instanceof Decimal) return json;
  if (typeof json === "bigint") return new Decimal(json, 0);
  return typeof json === "number" ? Decimal.parse(String(json)) ?? undefined : undefined;
}

const WHOLE = { int8: 2 ** 7, int16: 2 ** 15, int32: 2 ** 31 } as const;

function primitiveRead(schema: PrimitiveSchema): ReadThere {
  const { type } = schema;
  switch (type) {
    case "int8":
    case "int16":
    case "int32": {
      const bound = WHOLE[type];
      return (json) => {
        const whole = wholeOf(json);
        if (typeof whole !== "number") return refuse(schema);
        if (whole >= -bound && whole < bound) return whole;
        throw new ReadFault(`${whole} is beyond ${type}`);
      };
    }
    case "int64":
      return (json) => {
        const whole = wholeOf(json);
        if (whole === null) return refuse(schema);
        if (isInt64(whole)) return whole;
        throw new ReadFault("the number is beyond int64");
      };
    case "float32":
      return (json) => Math.fround(floatOf(schema, json));
    case "float64":
      return (json) => floatOf(schema, json);
    case "boolean":
      return (json) => typeof json === "boolean" ? json : refuse(schema);
    case "string":
      return (json) => typeof json === "string" ? json : refuse(schema);
    case "bytes":
      return (json) => typeof json === "string" ? guarded(() => base64(json)) : refuse(schema);
  }
}

/** A whole number exactly; null: it is none. */
function wholeOf(json: Json): number | bigint | null {
  if (typeof json === "bigint") return json;
  if (json instanceof Decimal) {
    const whole = json.withScale(0);
    return whole === null ? null : wholeNumber(whole.unscaled);
  }
  if (typeof json !== "number" || !Number.isInteger(json)) return null;
  return Number.isSafeInteger(json) ? json : BigInt(json);
}

/** As text there are the numbers that JSON lacks. */
const UNUSUAL: ReadonlyMap<Json, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

function floatOf(schema: Schema, json: Json): number {
  if (typeof json === "number") return json;
  if (typeof json === "bigint") return Number(json);
  if (json instanceof Decimal) return json.toNumber();
  return UNUSUAL.get(json) ?? refuse(schema);
}

function base64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    throw new ReadFault("it is no base64");
  }
}

function guarded<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw error instanceof DataError ? new ReadFault(error.message) : error;
  }
}

/** What is there is not named: logs are no place for data. */
function refuse(schema: Schema): never {
  throw new ReadFault(`it is not ${article(typeNameOf(schema))}`);
}
