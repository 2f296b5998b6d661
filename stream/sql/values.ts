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
  return value.at(whole > 0 ? whole - 1 : whole) ?? null;
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
  if (value === "true" || value === "false") return value === "true";
  return null;
}

/**
 * Milliseconds since 1970 of a number that says so, or of a text in ISO 8601, UTC where it does not
 * say.
 */
export function toTimeMs(value: unknown): number | null {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "string") return null;
  const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/i.test(value) || !/\d:\d/.test(value);
  const ms = Date.parse(hasZone ? value : `${value.replace(" ", "T")}Z`);
  return Number.isNaN(ms) ? null : ms;
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
  if (operator === "/") return b === 0 ? null : a / b;
  const result = numberArithmetic(operator, a, b);
  // Beyond 2^53 whole numbers are added up as such.
  if (typeof one === "number" && typeof two === "number") {
    if (result === null || !Number.isInteger(result) || Number.isSafeInteger(result)) return result;
  }
  const [wholeOne, wholeTwo] = [wholeOf(one), wholeOf(two)];
  return wholeOne === null || wholeTwo === null
    ? result
    : bigArithmetic(operator, wholeOne, wholeTwo);
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

/** Numbers again where they are exact as such. */
function bigArithmetic(operator: "+" | "-" | "*" | "%", a: bigint, b: bigint) {
  if (operator === "%" && b === 0n) return null;
  const result = operator === "+"
    ? a + b
    : operator === "-"
    ? a - b
    : operator === "*"
    ? a * b
    : a % b;
  const number = Number(result);
  return Number.isSafeInteger(number) ? number : result;
}

/** Whether a text is like a pattern: `%` is any, `_` one character. Takes no longer than |text|·|pattern|. */
export function isLike(text: string, pattern: string, ignoresCase: boolean): boolean {
  const [subject, form] = ignoresCase
    ? [text.toLowerCase(), pattern.toLowerCase()]
    : [text, pattern];
  const letters = [...subject];
  const signs = [...form];
  let [at, sign, star, resume] = [0, 0, -1, 0];
  while (at < letters.length) {
    if (signs[sign] === "%") {
      star = sign++;
      resume = at;
    } else if (sign < signs.length && (signs[sign] === "_" || signs[sign] === letters[at])) {
      at++;
      sign++;
    } else if (star >= 0) {
      sign = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (signs[sign] === "%") sign++;
  return sign === signs.length;
}
