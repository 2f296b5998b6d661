/** `TimestampConverter`: times as text, numbers or logical types. */
import { choice, FieldError, string } from "../config/fields.ts";
import { DataError } from "../data/data-error.ts";
import { dateOfMs, logicalTypeOf, MS_PER_DAY, msOf } from "../data/logical-types.ts";
import { dateSchema, optional, primitive, timeSchema, timestampSchema } from "../data/schema.ts";
import type { Schema, SchemaField, StructSchema } from "../data/schema.ts";
import { compileDateFormat } from "../data/simple-date-format.ts";
import type { DateFormat } from "../data/simple-date-format.ts";
import { article } from "../data/validate.ts";
import { fieldOf, isObject, nameOfValue, setField, wholeNumber } from "../data/values.ts";
import type { ConnectObject, ConnectValue, ObjectDraft } from "../data/values.ts";
import { basicsOf, defineTransform, newStruct, objectOf, perSchema } from "./definition.ts";
import { REPLACE_NULL, schemaOf, SettingError, structField } from "./definition.ts";
import { partOf, structSchemaOf, withPart } from "./definition.ts";

type TimeType = "string" | "unix" | "Date" | "Time" | "Timestamp";

const SCHEMAS: Readonly<Record<TimeType, Schema>> = {
  string: primitive("string"),
  unix: primitive("int64"),
  Date: dateSchema,
  Time: timeSchema,
  Timestamp: timestampSchema,
};

const INT64_MAX = 2n ** 63n - 1n;

/** Units of Unix times by what one of them, or a millisecond, has of the other. */
const PRECISIONS = {
  seconds: { perMs: 0n, ms: 1000n },
  milliseconds: { perMs: 1n, ms: 1n },
  microseconds: { perMs: 1000n, ms: 0n },
  nanoseconds: { perMs: 1_000_000n, ms: 0n },
} as const;
type Precision = keyof typeof PRECISIONS;

function formatProblem(pattern: string): string | null {
  if (pattern.trim() === "") return null;
  const compiled = compileDateFormat(pattern);
  return compiled.ok ? null : `is no pattern of times: ${compiled.why}`;
}

/** The pattern of a setting; null: there is none. */
export function formatOf(pattern: string): DateFormat | null {
  if (pattern.trim() === "") return null;
  const compiled = compileDateFormat(pattern);
  if (!compiled.ok) throw new FieldError(compiled.why);
  return compiled.format;
}

/** From any form to the one that is wanted. */
class Times {
  constructor(
    readonly target: TimeType,
    readonly format: DateFormat | null,
    readonly precision: Precision,
  ) {}

  schema(isOptional: boolean): Schema {
    const schema = SCHEMAS[this.target];
    return isOptional ? optional(schema) : schema;
  }

  convert(schema: Schema | null, value: ConnectValue): ConnectValue {
    const from = schema === null ? null : typeOf(schema);
    return value === null ? null : this.#write(this.#read(from ?? guess(value), value));
  }

  #read(type: TimeType, value: ConnectValue): Date {
    switch (type) {
      case "string":
        return this.#parse(value);
      case "unix": {
        if (typeof value !== "number" && typeof value !== "bigint") break;
        if (!Number.isInteger(value) && typeof value === "number") break;
        const { perMs, ms } = PRECISIONS[this.precision];
        return dateOfMs(ms === 0n ? BigInt(value) / perMs : BigInt(value) * ms);
      }
      case "Date":
      case "Time":
      case "Timestamp":
        if (value instanceof Date) return value;
    }
    throw new DataError(`${nameOfValue(value)} is no time of the type ${type}`);
  }

  #parse(value: ConnectValue): Date {
    if (this.format === null) {
      throw new DataError('"format" has to say how times are written that come as text');
    }
    const date = typeof value === "string" ? this.format.parse(value) : null;
    if (date !== null) return date;
    throw new DataError('the text is no time as "format" says');
  }

  #write(date: Date): ConnectValue {
    const ms = msOf(date);
    switch (this.target) {
      case "string":
        return this.format?.format(date) ?? null;
      case "unix":
        return this.#unix(BigInt(ms));
      case "Date":
        return new Date(Math.floor(ms / MS_PER_DAY) * MS_PER_DAY);
      case "Time":
        return new Date(ms - Math.floor(ms / MS_PER_DAY) * MS_PER_DAY);
      case "Timestamp":
        return date;
    }
  }

  /** What is beyond int64 becomes its bound, as in Java's `TimeUnit`. */
  #unix(ms: bigint): ConnectValue {
    const { perMs, ms: msPer } = PRECISIONS[this.precision];
    const units = perMs === 0n ? ms / msPer : ms * perMs;
    if (units > INT64_MAX) return INT64_MAX;
    return units < -INT64_MAX ? -INT64_MAX - 1n : wholeNumber(units);
  }
}

function typeOf(schema: Schema): TimeType {
  switch (logicalTypeOf(schema)) {
    case "date":
      return "Date";
    case "time":
      return "Time";
    case "timestamp":
      return "Timestamp";
    default:
      if (schema.type === "string") return "string";
      if (schema.type === "int64") return "unix";
      throw new DataError(`${article(schema.type)} is no time`);
  }
}

function guess(value: ConnectValue): TimeType {
  if (value instanceof Date) return "Timestamp";
  if (typeof value === "string") return "string";
  if (typeof value === "bigint" || Number.isInteger(value)) return "unix";
  throw new DataError(`${nameOfValue(value)} is no time`);
}

export const timestampConverter = defineTransform({
  name: "TimestampConverter",
  hasSides: true,
  doc: "Converts times between text, Unix times and Connect's Date, Time and Timestamp.",
  config: {
    field: string().default("").importance("HIGH").doc("The field; empty: the whole is a time."),
    "target.type": choice("string", "unix", "Date", "Time", "Timestamp").importance("HIGH").doc(
      "What it becomes.",
    ),
    format: string().default("").check(formatProblem).example("yyyy-MM-dd HH:mm:ss").doc(
      "How times are written as text, as a pattern of Java's SimpleDateFormat, in UTC.",
    ),
    "unix.precision": choice("nanoseconds", "microseconds", "milliseconds", "seconds")
      .default("milliseconds").importance("LOW").doc("The unit of Unix times."),
    ...REPLACE_NULL,
  },
  make: (config, side) => {
    const { field } = config;
    const format = formatOf(config.format);
    if (config["target.type"] === "string" && format === null) {
      throw new SettingError("format", "is missing: times become text by it");
    }
    const times = new Times(config["target.type"], format, config["unix.precision"]);
    const replaceNull = config["replace.null.with.default"];
    const structs = perSchema((schema: StructSchema) =>
      convertStruct(schema, field, times, replaceNull)
    );
    return {
      apply: (record) => {
        const schema = schemaOf(record, side);
        const value = partOf(record, side);
        if (field === "" || (schema === null && value === null)) {
          const to = schema === null ? null : times.schema(schema.optional);
          return withPart(record, side, to, times.convert(schema, value));
        }
        if (schema === null) {
          const draft: ObjectDraft = { ...objectOf(value, side) };
          setField(draft, field, times.convert(null, fieldOf(objectOf(value, side), field)));
          return withPart(record, side, null, draft);
        }
        const to = structs(structSchemaOf(schema, side));
        const converted = value === null ? null : to.convert(objectOf(value, side));
        return withPart(record, side, to.schema, converted);
      },
    };
  },
});

function convertStruct(schema: StructSchema, name: string, times: Times, replaceNull: boolean) {
  const convertField = (field: SchemaField): SchemaField =>
    field.name === name ? { name, schema: times.schema(field.schema.optional) } : field;
  const convert = (value: ConnectObject): ConnectValue => {
    const draft: ObjectDraft = {};
    for (const field of schema.fields) {
      const plain = structField(value, field, replaceNull);
      const isTime = field.name === name;
      setField(draft, field.name, isTime ? times.convert(field.schema, plain) : plain);
    }
    return draft;
  };
  const { optional, defaultValue } = schema;
  const to = newStruct(schema.fields.map(convertField), {
    ...basicsOf(schema),
    optional,
    defaultValue: isObject(defaultValue) ? convert(defaultValue) : undefined,
  });
  return { schema: to, convert };
}
