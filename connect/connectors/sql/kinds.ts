/** What columns are made for: the kind of a value, by its schema or by what it is. */
import { Decimal, LOGICAL } from "../../index.ts";
import type { ConnectValue, Schema } from "../../index.ts";

export type KindName =
  | "boolean"
  | "int16"
  | "int32"
  | "int64"
  | "float32"
  | "float64"
  | "decimal"
  | "text"
  | "bytes"
  | "json"
  | "date"
  | "time"
  | "timestamp";

export interface Kind {
  readonly name: KindName;
  /** Of a decimal: digits behind the point; null: as many as come. */
  readonly scale: number | null;
}

const kind = (name: KindName, scale: number | null = null): Kind => ({ name, scale });

/** Types of Debezium that say more than what they are made of. */
const DEBEZIUM: Readonly<Record<string, KindName>> = {
  "io.debezium.time.Date": "date",
  "io.debezium.time.Time": "time",
  "io.debezium.time.MicroTime": "time",
  "io.debezium.time.NanoTime": "time",
  "io.debezium.time.Timestamp": "timestamp",
  "io.debezium.time.MicroTimestamp": "timestamp",
  "io.debezium.time.NanoTimestamp": "timestamp",
  "io.debezium.time.ZonedTimestamp": "timestamp",
  "io.debezium.data.Json": "json",
  "io.debezium.data.VariableScaleDecimal": "decimal",
};

/** The kind of a field; null where nothing shows it: a null without a schema. */
export function kindOf(schema: Schema | null, value: ConnectValue): Kind | null {
  return schema === null ? kindOfValue(value) : kindOfSchema(schema);
}

function kindOfSchema(schema: Schema): Kind {
  const debezium = schema.name !== null && Object.hasOwn(DEBEZIUM, schema.name)
    ? DEBEZIUM[schema.name]
    : undefined;
  if (debezium !== undefined) return kind(debezium);
  switch (schema.name) {
    case LOGICAL.decimal:
      return kind("decimal", Number(schema.parameters?.["scale"] ?? 0));
    case LOGICAL.date:
      return kind("date");
    case LOGICAL.time:
      return kind("time");
    case LOGICAL.timestamp:
      return kind("timestamp");
    default:
      break;
  }
  switch (schema.type) {
    case "int8":
      return kind("int16");
    case "string":
      return kind("text");
    case "array":
    case "map":
    case "struct":
      return kind("json");
    default:
      return kind(schema.type);
  }
}

function kindOfValue(value: ConnectValue): Kind | null {
  switch (typeof value) {
    case "boolean":
      return kind("boolean");
    case "number":
      return kind(Number.isSafeInteger(value) ? "int64" : "float64");
    case "bigint":
      return kind(BigInt.asIntN(64, value) === value ? "int64" : "decimal", 0);
    case "string":
      return kind("text");
    default:
      if (value === null) return null;
      if (value instanceof Uint8Array) return kind("bytes");
      if (value instanceof Date) return kind("timestamp");
      return value instanceof Decimal ? kind("decimal", value.scale) : kind("json");
  }
}

const WHOLE: readonly KindName[] = ["int16", "int32", "int64"];

/** Whether values of it are whole numbers. */
export function isWhole(name: KindName | null): boolean {
  return name !== null && WHOLE.includes(name);
}

/** The kind that holds values of both; where there is none, the first: the others are refused then. */
export function joined(a: Kind, b: Kind): Kind {
  if (isWhole(a.name) && isWhole(b.name)) {
    return WHOLE.indexOf(a.name) >= WHOLE.indexOf(b.name) ? a : b;
  }
  const numbers: readonly KindName[] = [...WHOLE, "float32", "float64", "decimal"];
  if (!numbers.includes(a.name) || !numbers.includes(b.name)) return a;
  if (a.name === "decimal" || b.name === "decimal") {
    return kind("decimal", Math.max(a.scale ?? 0, b.scale ?? 0));
  }
  return kind("float64");
}
