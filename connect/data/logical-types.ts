/**
 * Values of Connect's logical types and what they are underneath: whole numbers and bytes
 * (`org.apache.kafka.connect.data.Date`, `Time`, `Timestamp`, `Decimal`).
 */
import { DataError } from "./data-error.ts";
import { LOGICAL } from "./schema.ts";
import type { Schema } from "./schema.ts";
import { Decimal } from "./values.ts";

export const MS_PER_DAY = 86_400_000;
/** Scales beyond would make numbers of any length out of a few bytes. */
const SCALE_MAX = 32_767;

export type LogicalType = keyof typeof LOGICAL;

/** The logical type that a schema's name says; null: none. */
export function logicalTypeOf(schema: Schema): LogicalType | null {
  switch (schema.name) {
    case LOGICAL.decimal:
      return "decimal";
    case LOGICAL.date:
      return "date";
    case LOGICAL.time:
      return "time";
    case LOGICAL.timestamp:
      return "timestamp";
    default:
      return null;
  }
}

/** A date of the milliseconds since 1970. Throws `DataError` beyond what dates hold (the year 275760). */
export function dateOfMs(ms: number | bigint): Date {
  const date = new Date(Number(ms));
  if (Number.isNaN(date.getTime())) throw new DataError(`${ms} ms since 1970 is beyond all dates`);
  return date;
}

/** Days since 1970. Throws `DataError` where there is a time of day. */
export function daysOf(date: Date): number {
  const ms = msOf(date);
  if (ms % MS_PER_DAY !== 0) {
    throw new DataError(`a Date has no time of day, but this is ${date.toISOString()}`);
  }
  return ms / MS_PER_DAY;
}

/** Milliseconds of a day. Throws `DataError` where the date is another day than the first of 1970. */
export function timeOfDayMs(date: Date): number {
  const ms = msOf(date);
  if (ms < 0 || ms > MS_PER_DAY) {
    throw new DataError(`a Time is of 1970-01-01, but this is ${date.toISOString()}`);
  }
  return ms;
}

/** Milliseconds since 1970. Throws `DataError` for a date that is none. */
export function msOf(date: Date): number {
  const ms = date.getTime();
  if (Number.isNaN(ms)) throw new DataError("this is an invalid date");
  return ms;
}

/** The scale of a decimal schema. Throws `DataError` where it says none. */
export function scaleOf(schema: Schema): number {
  const { parameters } = schema;
  const text = parameters !== null && Object.hasOwn(parameters, "scale")
    ? parameters["scale"]
    : undefined;
  if (text === undefined) throw new DataError("a Decimal schema has to say its scale");
  const scale = /^[+-]?\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(Math.abs(scale) <= SCALE_MAX)) {
    throw new DataError(`a scale is from -${SCALE_MAX} to ${SCALE_MAX}, not "${text}"`);
  }
  return scale;
}

/** The unscaled number in two's complement, most significant byte first, in as few as will do. */
export function decimalBytes({ unscaled }: Decimal): Uint8Array {
  const bits = (unscaled < 0n ? ~unscaled : unscaled).toString(2).replace(/^0$/, "").length;
  const length = Math.floor(bits / 8) + 1;
  const hex = BigInt.asUintN(length * 8, unscaled).toString(16).padStart(length * 2, "0");
  return Uint8Array.fromHex(hex);
}

/** What `decimalBytes` was made of. Throws `DataError` for no bytes at all. */
export function decimalOfBytes(bytes: Uint8Array, scale: number): Decimal {
  if (bytes.length === 0) throw new DataError("a Decimal has one byte at least");
  return new Decimal(BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toHex()}`)), scale);
}
