/** Numbers as Java writes them, which is what Kafka's converters and transforms make of them as text. */
import { Decimal } from "./values.ts";

/** `Double.toString` (as of JDK 19: the fewest digits that say which number it is). */
export function doubleText(value: number): string {
  return floatingText(value, value);
}

/** `Float.toString`. */
export function floatText(value: number): string {
  return floatingText(value, shortestFloat(value));
}

/** The number with the fewest digits that is this float of 32 bits: 0.1 for 0.10000000149011612. */
export function shortestFloat(value: number): number {
  if (!Number.isFinite(value) || Math.fround(value) !== value) return value;
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** With an exponent below 10⁻³ and from 10⁷, and always with a digit behind the point. */
function floatingText(value: number, digitsOf: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const magnitude = Math.abs(digitsOf);
  if (magnitude >= 1e-3 && magnitude < 1e7) {
    const text = String(digitsOf);
    return text.includes(".") ? text : `${text}.0`;
  }
  const [mantissa = "", exponent = ""] = digitsOf.toExponential().split("e");
  return `${mantissa.includes(".") ? mantissa : `${mantissa}.0`}E${Number(exponent)}`;
}

/** `BigDecimal.toString`: with an exponent for a negative scale and for many zeros behind the point. */
export function decimalText(value: Decimal): string {
  const { unscaled, scale } = value;
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString();
  const exponent = digits.length - 1 - scale;
  if (scale >= 0 && exponent >= -6) return value.toString();
  const sign = unscaled < 0n ? "-" : "";
  const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
  return `${sign}${mantissa}${exponent === 0 ? "" : `E${exponent < 0 ? "" : "+"}${exponent}`}`;
}
