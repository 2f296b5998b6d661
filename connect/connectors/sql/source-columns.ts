/** Columns of tables as Connect's schemas have them, and how their values are read exactly. */
import {
  arrayOf,
  dateSchema,
  Decimal,
  decimalSchema,
  optional,
  primitive,
  timeSchema,
  timestampSchema,
} from "../../index.ts";
import type { ConnectValue, Schema } from "../../index.ts";
import type { TableName } from "./dialect.ts";
import type { Row, Session } from "./session.ts";
import { offsetMs } from "./times.ts";

/** How decimal numbers are read. */
export type NumericMapping = "none" | "best_fit";

/** How a table of the catalog describes a column. */
export interface DescribedColumn {
  readonly name: string;
  readonly type: string;
  readonly isNullable: boolean;
  /** Its place in the primary key, from 1; 0: not of it. */
  readonly keyPlace: number;
  readonly precision: number | null;
  readonly scale: number | null;
  readonly isUnsigned: boolean;
}

/** How values of a column are asked for and read. */
export interface Reading {
  readonly schema: Schema;
  /** Asked for as text, which says more than the client's own form of it. */
  readonly asText: boolean;
  read(value: unknown, zone: string): ConnectValue;
}

const INT64_DIGITS = 18;

const QUERIES = {
  postgresql: `
    SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, -1) AS type,
      NOT a.attnotnull AS nullable,
      COALESCE(pg_catalog.array_position(i.indkey::int2[], a.attnum) + 1, 0)::int AS key_place,
      CASE WHEN a.atttypid = 1700 AND a.atttypmod > 0 THEN (a.atttypmod - 4) >> 16 END AS num_precision,
      CASE WHEN a.atttypid = 1700 AND a.atttypmod > 0 THEN (a.atttypmod - 4) & 2047 END AS num_scale
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum`,
  mysql: `
    SELECT c.column_name AS name,
      CASE WHEN c.column_type = 'tinyint(1)' THEN 'boolean' WHEN c.column_type = 'bit(1)' THEN 'boolean'
        ELSE c.data_type END AS type,
      c.is_nullable = 'YES' AS nullable, COALESCE(k.ordinal_position, 0) AS key_place,
      c.numeric_precision AS num_precision, c.numeric_scale AS num_scale,
      c.column_type LIKE '%unsigned%' AS is_unsigned
    FROM information_schema.columns c
    LEFT JOIN information_schema.key_column_usage k
      ON k.table_schema = c.table_schema AND k.table_name = c.table_name
        AND k.column_name = c.column_name AND k.constraint_name = 'PRIMARY'
    WHERE c.table_schema = COALESCE(?, DATABASE()) AND c.table_name = ?
    ORDER BY c.ordinal_position`,
  sqlite: `
    SELECT name, type, "notnull" = 0 AND pk = 0 AS nullable, pk AS key_place
    FROM pragma_table_xinfo(?, ?)`,
};

/** The columns of a table; none: it is not there. */
export async function describeColumns(
  session: Session,
  table: TableName,
  quotedTable: string,
): Promise<DescribedColumn[]> {
  const params = {
    postgresql: [quotedTable],
    mysql: [table.schema, table.name],
    sqlite: [table.name, table.schema ?? "main"],
  };
  const { dialect } = session;
  const { rows } = await session.query(QUERIES[dialect], params[dialect]);
  return rows.map((row) => ({
    name: String(row["name"]),
    type: dialect === "sqlite"
      ? sqliteType(String(row["type"]))
      : String(row["type"]).toLowerCase(),
    isNullable: isTrue(row["nullable"]),
    keyPlace: Number(row["key_place"]),
    precision: wholeOf(row, "num_precision"),
    scale: wholeOf(row, "num_scale"),
    isUnsigned: isTrue(row["is_unsigned"]),
  }));
}

function wholeOf(row: Row, name: string): number | null {
  const value = row[name];
  return value === null || value === undefined ? null : Number(value);
}

function isTrue(value: unknown): boolean {
  return value === true || Number(value) === 1;
}

function sqliteType(declared: string): string {
  const upper = declared.toUpperCase();
  if (upper.includes("BOOL")) return "boolean";
  if (upper.includes("INT")) return "bigint";
  if (/REAL|FLOA|DOUB/.test(upper)) return "double";
  return upper.includes("BLOB") ? "blob" : "any";
}

const TIMESTAMPS = ["timestamp without time zone", "datetime"];
const MOMENTS = ["timestamp with time zone", "timestamp"];
const BYTES = /^(bytea|.*blob|.*binary|bit)$/;

/** The schema of a column. */
export function readingOf(column: DescribedColumn, mapping: NumericMapping): Reading {
  const reading = plainReading(column, mapping);
  return column.isNullable ? { ...reading, schema: optional(reading.schema) } : reading;
}

function plainReading(column: DescribedColumn, mapping: NumericMapping): Reading {
  const { type, isUnsigned } = column;
  const is = (schema: Schema, read: Reading["read"], asText = false) => ({ schema, asText, read });
  if (type.endsWith("[]")) return arrayReading(column, mapping);
  if (TIMESTAMPS.includes(type)) return is(timestampSchema, readLocal, true);
  if (MOMENTS.includes(type)) return is(timestampSchema, (value) => readMoment(value), true);
  if (BYTES.test(type)) return is(primitive("bytes"), readBytes);
  switch (type) {
    case "boolean":
      return is(primitive("boolean"), readBoolean);
    case "tinyint":
    case "smallint":
    case "year":
      return is(primitive(isUnsigned ? "int32" : "int16"), readWhole);
    case "integer":
    case "int":
    case "mediumint":
      return is(primitive(isUnsigned ? "int64" : "int32"), readWhole);
    case "bigint":
      return isUnsigned ? is(decimalSchema(0), readDecimal(0)) : is(primitive("int64"), readWhole);
    case "real":
    case "float":
      return is(primitive("float32"), readNumber);
    case "double precision":
    case "double":
      return is(primitive("float64"), readNumber);
    case "numeric":
    case "decimal":
      return decimalReading(column, mapping);
    case "date":
      return is(dateSchema, (value) => dateOf(`${textOf(value)}T00:00:00Z`), true);
    case "time":
    case "time without time zone":
      return is(timeSchema, (value) => dateOf(`1970-01-01T${textOf(value)}Z`), true);
    case "any":
      return is(primitive("string"), readAny);
    default:
      return is(primitive("string"), textOf, true);
  }
}

function decimalReading({ precision, scale }: DescribedColumn, mapping: NumericMapping): Reading {
  // Without a scale each number has its own, which Connect's schema cannot say.
  if (precision === null || scale === null) {
    return mapping === "best_fit"
      ? { schema: primitive("float64"), asText: false, read: readNumber }
      : { schema: primitive("string"), asText: true, read: textOf };
  }
  if (mapping === "best_fit") {
    return scale === 0 && precision <= INT64_DIGITS
      ? { schema: primitive("int64"), asText: true, read: readWhole }
      : { schema: primitive("float64"), asText: true, read: readNumber };
  }
  return { schema: decimalSchema(scale), asText: true, read: readDecimal(scale) };
}

const ITEMS =
  /^(boolean|smallint|integer|bigint|real|double precision|text|character varying)\[\]$/;

/** Arrays of simple items are arrays, others the text that the database has for them. */
function arrayReading(column: DescribedColumn, mapping: NumericMapping): Reading {
  const of = ITEMS.exec(column.type)?.[1];
  if (of === undefined) return { schema: primitive("string"), asText: true, read: textOf };
  const item = plainReading({ ...column, type: of }, mapping);
  return {
    schema: arrayOf(optional(item.schema)),
    asText: false,
    read(value, zone) {
      // Typed arrays stand for arrays of numbers.
      const items: readonly unknown[] = Array.isArray(value) || ArrayBuffer.isView(value)
        ? Array.from(value as ArrayLike<unknown>)
        : refuse(value, "an array");
      return items.map((one) => one === null ? null : item.read(one, zone));
    },
  };
}

function refuse(value: unknown, wanted: string): never {
  throw new Error(
    `${value instanceof Uint8Array ? "bytes" : `a ${typeof value}`} is not ${wanted}`,
  );
}

/** A whole number as records have it. */
export function readWhole(value: unknown): ConnectValue {
  const whole = typeof value === "string" && /^-?\d+$/.test(value) ? BigInt(value) : value;
  if (typeof whole === "number" && Number.isInteger(whole)) return whole;
  if (typeof whole !== "bigint") return refuse(value, "a whole number");
  return BigInt(Number(whole)) === whole && Number.isSafeInteger(Number(whole))
    ? Number(whole)
    : whole;
}

function readNumber(value: unknown): ConnectValue {
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "string") return Number(value);
  return refuse(value, "a number");
}

function readBoolean(value: unknown): ConnectValue {
  if (typeof value === "boolean") return value;
  if (typeof value === "number" || typeof value === "bigint") return Number(value) !== 0;
  if (value instanceof Uint8Array) return value.some((byte) => byte !== 0);
  return refuse(value, "a boolean");
}

function readBytes(value: unknown): ConnectValue {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  return typeof value === "string" ? new TextEncoder().encode(value) : refuse(value, "bytes");
}

function readDecimal(scale: number): Reading["read"] {
  return (value) => {
    const parsed = Decimal.parse(String(value));
    return parsed?.withScale(scale) ?? refuse(value, `a decimal number with ${scale} digits`);
  };
}

/** SQLite has values of any type in a column that says nothing of it. */
function readAny(value: unknown): ConnectValue {
  return value instanceof Uint8Array ? value.toBase64() : String(value);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : String(value);
}

function dateOf(iso: string): ConnectValue {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) throw new Error("this is no date that Connect knows");
  return date;
}

/** `2024-02-29 12:00:00.123456` by the clocks of a zone. */
function readLocal(value: unknown, zone: string): ConnectValue {
  const clock = dateOf(`${textOf(value).replace(" ", "T")}Z`);
  if (!(clock instanceof Date) || zone === "UTC") return clock;
  const guess = clock.getTime() - offsetMs(clock.getTime(), zone);
  return new Date(clock.getTime() - offsetMs(guess, zone));
}

/** `2024-02-29 12:00:00.123456+00`, or without the zone that is always UTC here. */
function readMoment(value: unknown): ConnectValue {
  const text = textOf(value).replace(" ", "T").replace(/\+00$/, "");
  return dateOf(`${text}Z`);
}
