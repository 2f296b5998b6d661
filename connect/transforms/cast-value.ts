/** A value as another primitive type, as Java casts and parses it. */
import { DataError } from "../data/data-error.ts";
import { numberText, temporalText } from "../data/literals.ts";
import { decimalText } from "../data/java-text.ts";
import { daysOf, logicalTypeOf, msOf, timeOfDayMs } from "../data/logical-types.ts";
import type { Schema } from "../data/schema.ts";
import { article } from "../data/validate.ts";
import { Decimal, nameOfValue, wholeNumber } from "../data/values.ts";
import type { ConnectValue } from "../data/values.ts";

/** The types that `Cast` knows. */
export const CAST_TYPES = [
  ...["int8", "int16", "int32", "int64"] as const,
  ...["float32", "float64", "boolean", "string"] as const,
];
export type CastType = (typeof CAST_TYPES)[number];

const BITS = { int8: 8, int16: 16, int32: 32, int64: 64 } as const;
const INT64_BOUND = 2 ** 63;

/** The value cast; null stays null. Throws `DataError`. */
export function castValue(schema: Schema | null, value: ConnectValue, to: CastType): ConnectValue {
  if (value === null) return null;
  if (to === "string") return textOf(schema, value);
  const plain = value instanceof Date && schema !== null ? underneath(schema, value) : value;
  switch (typeof plain) {
    case "number":
      return castNumber(plain, isFloating(schema, plain), to);
    case "bigint":
      return castNumber(plain, false, to);
    case "boolean":
      return to === "boolean" ? plain : Number(plain);
    case "string":
      return parseAs(plain, to);
    default:
      if (plain instanceof Decimal) return castDecimal(plain, to);
      throw new DataError(`${nameOfValue(plain)} cannot be cast to ${article(to)}`);
  }
}

function underneath(schema: Schema, date: Date): ConnectValue {
  switch (logicalTypeOf(schema)) {
    case "date":
      return daysOf(date);
    case "time":
      return timeOfDayMs(date);
    case "timestamp":
      return msOf(date);
    default:
      return date;
  }
}

/** Without a schema, a number without a fraction is a whole one, as JSON is read. */
function isFloating(schema: Schema | null, value: number): boolean {
  if (schema !== null) return schema.type.startsWith("float");
  return !Number.isInteger(value) || Math.abs(value) >= INT64_BOUND;
}

/** Whole numbers lose bits at the front; floating ones go to the nearest bound of int64 or int32. */
function castNumber(
  value: number | bigint,
  isFloat: boolean,
  to: Exclude<CastType, "string">,
): ConnectValue {
  switch (to) {
    case "float32":
      return Math.fround(Number(value));
    case "float64":
      return Number(value);
    case "boolean":
      return isFloat
        ? Math.trunc(Number(value)) !== 0 && !Number.isNaN(value)
        : Number(value) !== 0;
    default: {
      const whole = isFloat ? saturate(Number(value), to === "int64" ? 64 : 32) : BigInt(value);
      return wholeNumber(BigInt.asIntN(BITS[to], whole));
    }
  }
}

function saturate(value: number, bits: number): bigint {
  if (Number.isNaN(value)) return 0n;
  const bound = 2 ** (bits - 1);
  if (value >= bound) return BigInt(bound) - 1n;
  return value <= -bound ? -BigInt(bound) : BigInt(Math.trunc(value));
}

/** The whole part of a decimal number. */
export function truncated({ unscaled, scale }: Decimal): bigint {
  return scale > 0 ? unscaled / 10n ** BigInt(scale) : unscaled * 10n ** BigInt(-scale);
}

function castDecimal(value: Decimal, to: Exclude<CastType, "string">): ConnectValue {
  if (to === "float32" || to === "float64") return castNumber(value.toNumber(), true, to);
  const whole = BigInt.asIntN(64, truncated(value));
  return to === "boolean" ? whole !== 0n : castNumber(whole, false, to);
}

function parseAs(text: string, to: Exclude<CastType, "string">): ConnectValue {
  switch (to) {
    case "boolean":
      return text.toLowerCase() === "true";
    case "float32":
    case "float64": {
      const value = parseFloating(text);
      return to === "float32" ? Math.fround(value) : value;
    }
    default: {
      const isNumber = /^[+-]?\d{1,30}$/.test(text);
      const value = isNumber ? BigInt(text.replace("+", "")) : 0n;
      if (isNumber && BigInt.asIntN(BITS[to], value) === value) return wholeNumber(value);
      throw new DataError(`the text is no ${to}, or beyond it`);
    }
  }
}

const FLOATING = /^[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?)$/;

/** As `Double.parseDouble`, but for hexadecimal numbers. */
function parseFloating(text: string): number {
  const trimmed = text.trim();
  if (!FLOATING.test(trimmed)) throw new DataError("the text is no number");
  return Number(/[fFdD]$/.test(trimmed) ? trimmed.slice(0, -1) : trimmed);
}

function textOf(schema: Schema | null, value: ConnectValue): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return numberText(schema, value);
    case "bigint":
    case "boolean":
      return String(value);
    default:
      if (value instanceof Date) return temporalText(value);
      if (value instanceof Uint8Array) return value.toBase64();
      if (value instanceof Decimal) return decimalText(value);
      throw new DataError(`${nameOfValue(value)} cannot be cast to a string`);
  }
}
