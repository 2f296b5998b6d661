/**
 * The values of connectors' records, as JavaScript has them:
 *
 *     int8 … int32, float32, float64   number
 *     int64                            number where that is exact, else bigint
 *     boolean, string                  boolean, string
 *     bytes                            Uint8Array
 *     array                            array
 *     map                              Map
 *     struct                           plain object by the names of fields
 *     Date, Time, Timestamp            Date (in UTC)
 *     Decimal                          Decimal
 *
 * Without a schema an object is a plain object. Null is null: of a record it is a tombstone. Values
 * are never changed: who wants another one makes a new one.
 */
export type ConnectValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Date
  | Decimal
  | readonly ConnectValue[]
  | ReadonlyMap<ConnectValue, ConnectValue>
  | ConnectObject;

/** A struct, or an object without a schema. Only own properties count. */
export interface ConnectObject {
  readonly [field: string]: ConnectValue | undefined;
}

/** A number of any size with `scale` digits behind the point: `unscaled` × 10^−scale. */
export class Decimal {
  constructor(readonly unscaled: bigint, readonly scale: number) {}

  /** Null for what is no decimal number. An exponent is taken too: `1.5e3`. */
  static parse(text: string): Decimal | null {
    const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/.exec(text.trim());
    if (match === null) return null;
    const [, sign, whole = "", fraction = "", exponent = "0"] = match;
    if (whole === "" && fraction === "") return null;
    const digits = BigInt(whole + fraction);
    const scale = fraction.length - Number(exponent);
    return new Decimal(sign === "-" ? -digits : digits, scale);
  }

  /** With another number of digits behind the point; null if digits would be lost. */
  withScale(scale: number): Decimal | null {
    if (scale >= this.scale) {
      return new Decimal(this.unscaled * 10n ** BigInt(scale - this.scale), scale);
    }
    const factor = 10n ** BigInt(this.scale - scale);
    return this.unscaled % factor === 0n ? new Decimal(this.unscaled / factor, scale) : null;
  }

  /** Plain digits, without an exponent. */
  toString(): string {
    if (this.scale <= 0) return (this.unscaled * 10n ** BigInt(-this.scale)).toString();
    const negative = this.unscaled < 0n;
    const digits = (negative ? -this.unscaled : this.unscaled).toString().padStart(
      this.scale + 1,
      "0",
    );
    const point = digits.length - this.scale;
    return `${negative ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}`;
  }

  toNumber(): number {
    return Number(this.toString());
  }
}

/** Whether a value is an object by names: a struct or a schemaless object. */
export function isObject(value: ConnectValue | undefined): value is ConnectObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return !(value instanceof Uint8Array || value instanceof Date || value instanceof Map ||
    value instanceof Decimal);
}

/** The field of an object; null where it has none: what objects inherit is no field of theirs. */
export function fieldOf(object: ConnectObject, name: string): ConnectValue {
  return Object.hasOwn(object, name) ? object[name] ?? null : null;
}

/** An object that is being made. */
export type ObjectDraft = Record<string, ConnectValue | undefined>;

/** Sets a field of an object that is being made; `__proto__` is a field like any other. */
export function setField(object: ObjectDraft, name: string, value: ConnectValue): void {
  if (name !== "__proto__") object[name] = value;
  else Object.defineProperty(object, name, { value, ...OWN });
}

const OWN = { enumerable: true, configurable: true, writable: true };

/** What a value is, for messages: "a string". */
export function nameOfValue(value: ConnectValue | undefined): string {
  switch (typeof value) {
    case "boolean":
    case "number":
    case "string":
      return `a ${typeof value}`;
    case "bigint":
      return "a whole number";
    case "undefined":
      return "null";
    default:
      if (value === null) return "null";
      if (Array.isArray(value)) return "an array";
      if (value instanceof Uint8Array) return "bytes";
      if (value instanceof Date) return "a date";
      if (value instanceof Decimal) return "a decimal number";
      return value instanceof Map ? "a map" : "an object";
  }
}

/** A whole number as values have it: `number` where that is exact, else `bigint`. */
export function wholeNumber(value: bigint): number | bigint {
  return value >= MIN_SAFE && value <= MAX_SAFE ? Number(value) : value;
}

const MIN_SAFE = BigInt(Number.MIN_SAFE_INTEGER);
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
