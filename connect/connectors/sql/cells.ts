/** Values of records as columns take them. */
import { jsonText } from "../../formats/index.ts";
import { DataError, Decimal, isObject, LOGICAL } from "../../index.ts";
import type { ConnectValue, Schema } from "../../index.ts";
import type { Column } from "./dialect.ts";
import { momentOfText, semanticText, zoned } from "./times.ts";
import type { Param } from "./session.ts";

/** The value for that column. Throws `DataError`, which names both. */
export function cellOf(
  name: string,
  value: ConnectValue,
  schema: Schema | null,
  column: Column,
  zone: string,
): Param {
  switch (typeof value) {
    case "string":
      return textCell(name, value, schema, column, zone);
    case "boolean":
      if (column.form === "number") return value ? 1 : 0;
      return column.form === "text" || column.form === "json" ? String(value) : value;
    case "number":
    case "bigint":
      return numberCell(name, value, schema, column);
    default:
      return value === null ? null : objectCell(name, value, schema, column, zone);
  }
}

function misfit(name: string, what: string, column: Column): DataError {
  return new DataError(
    `field "${name}" is ${what}, which does not go into column "${column.name}" of type ${column.type}`,
  );
}

function textCell(
  name: string,
  value: string,
  schema: Schema | null,
  column: Column,
  zone: string,
): Param {
  switch (column.form) {
    case "json":
      return isJsonText(value, schema) ? value : JSON.stringify(value);
    case "bytes":
      throw misfit(name, "text", column);
    case "local":
    case "moment": {
      const moment = momentOfText(value);
      return moment === null ? value : zoned(moment, column, zone);
    }
    default:
      return value;
  }
}

/** Texts that are JSON of an object or an array go into columns of JSON as what they are. */
function isJsonText(value: string, schema: Schema | null): boolean {
  if (schema?.name === "io.debezium.data.Json") return true;
  if (!/^\s*[[{]/.test(value)) return false;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

function numberCell(
  name: string,
  value: number | bigint,
  schema: Schema | null,
  column: Column,
): Param {
  const semantic = semanticText(value, schema, column);
  if (semantic !== null) return semantic;
  switch (column.form) {
    case "number":
    case "other":
    case "array":
      return value;
    case "text":
      return String(value);
    case "json":
      return jsonText(value);
    case "boolean":
      if (Number(value) === 0 || Number(value) === 1) return Number(value) === 1;
      throw misfit(name, "a number other than 0 and 1", column);
    case "bytes":
    case "date":
    case "time":
    case "local":
    case "moment":
      throw misfit(name, "a number", column);
  }
}

function objectCell(
  name: string,
  value: Exclude<ConnectValue, string | number | bigint | boolean | null>,
  schema: Schema | null,
  column: Column,
  zone: string,
): Param {
  if (value instanceof Date) return dateCell(name, value, schema, column, zone);
  if (value instanceof Uint8Array) {
    if (column.form === "bytes") return value;
    if (column.form === "json") return jsonText(value);
    throw misfit(name, "bytes", column);
  }
  if (value instanceof Decimal) {
    if (["number", "text", "json", "other"].includes(column.form)) return value.toString();
    throw misfit(name, "a decimal number", column);
  }
  const decimal = variableDecimal(value, schema);
  if (decimal !== null) return decimal.toString();
  if (column.form === "json" || column.form === "text") return jsonText(value, schema);
  if (column.form === "array" && Array.isArray(value)) return arrayText(value);
  throw misfit(name, Array.isArray(value) ? "an array" : "an object", column);
}

/** `io.debezium.data.VariableScaleDecimal`: bytes with a scale of their own. */
function variableDecimal(value: ConnectValue, schema: Schema | null): Decimal | null {
  if (schema?.name !== "io.debezium.data.VariableScaleDecimal" || !isObject(value)) return null;
  const { scale, value: bytes } = value;
  if (typeof scale !== "number" || !(bytes instanceof Uint8Array)) return null;
  return new Decimal(BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toHex()}`)), scale);
}

/** An array of PostgreSQL as text. */
function arrayText(items: readonly ConnectValue[]): string {
  const parts = items.map((item): string => {
    if (item === null) return "NULL";
    if (Array.isArray(item)) return arrayText(item);
    const text = typeof item === "object" ? jsonText(item) : String(item);
    return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
  });
  return `{${parts.join(",")}}`;
}

function dateCell(
  name: string,
  value: Date,
  schema: Schema | null,
  column: Column,
  zone: string,
): Param {
  if (Number.isNaN(value.getTime())) throw misfit(name, "an invalid date", column);
  const iso = value.toISOString();
  switch (column.form) {
    case "date":
      return iso.slice(0, 10);
    case "time":
      return iso.slice(11, 23);
    case "local":
    case "moment":
      // A date is that day everywhere.
      if (schema?.name === LOGICAL.date) return `${iso.slice(0, 10)} 00:00:00`;
      return zoned({ ms: value.getTime(), fraction: iso.slice(19, 23) }, column, zone);
    case "json":
    case "text":
    case "other": {
      const quoted = jsonText(value, schema);
      return column.form === "json" ? quoted : quoted.slice(1, -1);
    }
    default:
      throw misfit(name, "a date", column);
  }
}
