/**
 * Values of queries: those of JSON. What is missing is null, and what is done with null is null, as in
 * SQL. What does not fit (the sum of a text) is null as well: data of streams is as it is.
 */

import { exactJsonText } from "./exact-json.ts";

/** An own property of an object; null where there is none. */
export function property(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return null;
  return Reflect.get(value, name) ?? null;
}

/** The nth of a list, from 1; negative: from its end. */
export function element(value: unknown, index: unknown): unknown {
  if (!Array.isArray(value)) return typeof index === "string" ? property(value, index) : null;
  const at = toNumber(index);
  if (at === null) return null;
  const whole = Math.trunc(Number(at));
  return whole === 0 ? null : value.at(whole > 0 ? whole - 1 : whole) ?? null;
}

/** As text: JSON of what is none. */
export function toText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (typeof value === "object") return exactJsonText(value);
  return String(value);
}

/** A number, also one that is written in a text; null: it is none. */
export function toNumber(value: unknown): number | bigint | null {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value !== "string" || !/^\s*[+-]?(?:\d|\.\d)/.test(value)) return null;
  const number = Number(value);
  if (!Number.isFinite(number)) return null;
  return /^\s*[+-]?\d+\s*$/.test(value) && !Number.isSafeInteger(number) ? BigInt(value) : number;
}

/** True, false, or null: who knows. */
export function toBoolean(value: unknown): boolean | null {
  if (typeof value === "boolean") return value;
  if (typeof value === "number" || typeof value === "bigint") return value != 0;
  if (typeof value !== "string" || value.length > "false".length) return null;
  const text = value.toLowerCase();
  return text === "true" ? true : text === "false" ? false : null;
}

/** Below 0, 0 or above, as in a sort; null: they cannot be compared. Numbers are, with texts of numbers. */
export function compare(left: unknown, right: unknown): number | null {
  if (left === null || right === null || left === undefined || right === undefined) return null;
  if (typeof left === "string" && typeof right === "string") {
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (typeof left === "boolean" && typeof right === "boolean") return Number(left) - Number(right);
  if (isNumeric(left) || isNumeric(right)) {
    const [one, two] = [toNumber(left), toNumber(right)];
    if (one === null || two === null) return null;
    return one < two ? -1 : one > two ? 1 : 0;
  }
  if (typeof left === "object" && typeof right === "object") {
    return toText(left) === toText(right) ? 0 : null;
  }
  return null;
}

function isNumeric(value: unknown): boolean {
  return typeof value === "number" || typeof value === "bigint";
}

/** `+ - * / %`; null where one is no number, or is divided by zero. */
export function arithmetic(
  operator: "+" | "-" | "*" | "/" | "%",
  left: unknown,
  right: unknown,
): number | bigint | null {
  const [one, two] = [toNumber(left), toNumber(right)];
  if (one === null || two === null) return null;
  const [a, b] = [Number(one), Number(two)];
  if (operator === "/") return divided(one, two);
  const result = numberArithmetic(operator, a, b);
  // Beyond 2^53 whole numbers are added up as such.
  if (typeof one === "number" && typeof two === "number") {
    if (result === null || Number.isSafeInteger(result)) return result;
    if (!Number.isInteger(result)) return Number.isFinite(result) ? result : null;
  }
  const [wholeOne, wholeTwo] = [wholeOf(one), wholeOf(two)];
  return wholeOne === null || wholeTwo === null
    ? result
    : bigArithmetic(operator, wholeOne, wholeTwo);
}

/** A whole number where it is one, also of those that no number holds. */
function divided(one: number | bigint, two: number | bigint): number | bigint | null {
  if (typeof one === "bigint" || typeof two === "bigint") {
    const [a, b] = [wholeOf(one), wholeOf(two)];
    if (a !== null && b !== null && b !== 0n && a % b === 0n) return exact(a / b);
  }
  const quotient = Number(one) / Number(two);
  return Number.isFinite(quotient) ? quotient : null;
}

/** To so many digits behind the point, or before it where that is below 0; halves away from zero. */
export function rounded(value: unknown, digits: number): number | bigint | null {
  const number = toNumber(value);
  if (typeof number !== "number" || Number.isInteger(number) && digits >= 0) return number;
  const scale = 10 ** Math.max(-15, Math.min(15, Math.trunc(digits)));
  const scaled = Math.round(Math.abs(number) * scale);
  return Number.isFinite(scaled) ? Math.sign(number) * scaled / scale : number;
}

function numberArithmetic(operator: "+" | "-" | "*" | "%", a: number, b: number): number | null {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "%":
      return b === 0 ? null : a % b;
  }
}

function wholeOf(value: number | bigint): bigint | null {
  if (typeof value === "bigint") return value;
  return Number.isSafeInteger(value) ? BigInt(value) : null;
}

function bigArithmetic(operator: "+" | "-" | "*" | "%", a: bigint, b: bigint) {
  if (operator === "%" && b === 0n) return null;
  const result = operator === "+"
    ? a + b
    : operator === "-"
    ? a - b
    : operator === "*"
    ? a * b
    : a % b;
  return exact(result);
}

/** A number where it is exact as such. */
function exact(whole: bigint): number | bigint {
  const number = Number(whole);
  return Number.isSafeInteger(number) ? number : whole;
}
