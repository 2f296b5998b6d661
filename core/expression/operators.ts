/** Operators over values: JavaScript's results, without its ways to run code of an object. */
import type { Budget } from "./budget.ts";
import { fail } from "./expression-error.ts";
import type { Span } from "./expression-error.ts";
import { hasProperty, kindOf, nameFrom, toPrimitive } from "./values.ts";
import type { Primitive } from "./values.ts";

/** An operator with two operands, both evaluated. */
export type BinaryOperator = (left: unknown, right: unknown, budget: Budget, span: Span) => unknown;
export type UnaryOperator = (operand: unknown, budget: Budget, span: Span) => unknown;

/** Bigints stay below this: enough for any checksum or 256-bit amount, and cheap. */
const BIGINT_BITS_MAX = 1024;
const BIGINT_END = 1n << BigInt(BIGINT_BITS_MAX);
/** Comparisons of shorter strings are free. */
const FREE_CHARS = 256;

type Numeric = number | bigint;

/** Charges what it takes to compare the two. */
function chargeComparison(left: unknown, right: unknown, budget: Budget, span: Span): void {
  if (typeof left !== "string" || typeof right !== "string") return;
  const chars = Math.min(left.length, right.length);
  if (chars > FREE_CHARS) budget.spend(chars >> 5, span);
}

function strictlyEqual(left: unknown, right: unknown, budget: Budget, span: Span): boolean {
  chargeComparison(left, right, budget, span);
  return left === right;
}

function looselyEqual(left: unknown, right: unknown, budget: Budget, span: Span): boolean {
  const isObject = (value: unknown) => typeof value === "object" && value !== null;
  if (isObject(left) === isObject(right)) {
    chargeComparison(left, right, budget, span);
    return left == right;
  }
  if (left === null || left === undefined || right === null || right === undefined) return false;
  const a = toPrimitive(left, budget, span);
  const b = toPrimitive(right, budget, span);
  chargeComparison(a, b, budget, span);
  if (typeof a === "string" && typeof b === "bigint") return equalsBigInt(a, b);
  if (typeof b === "string" && typeof a === "bigint") return equalsBigInt(b, a);
  return a == b;
}

function equalsBigInt(text: string, value: bigint): boolean {
  return text.length < BIGINT_BITS_MAX && text == (value as unknown);
}

/** `compare` over numbers, or over strings where both are. */
function relation(
  compare: (left: string | Numeric, right: string | Numeric) => boolean,
): BinaryOperator {
  return (left, right, budget, span) => {
    if (typeof left === "number" && typeof right === "number") return compare(left, right);
    const a = toPrimitive(left, budget, span);
    const b = toPrimitive(right, budget, span);
    if (typeof a === "string" && typeof b === "string") {
      chargeComparison(a, b, budget, span);
      return compare(a, b);
    }
    return compare(comparable(a), comparable(b));
  };
}

/** Strings become numbers here: one beside a bigint is compared as a number. */
function comparable(value: Primitive): Numeric {
  return typeof value === "bigint" ? value : Number(value);
}

function add(left: unknown, right: unknown, budget: Budget, span: Span): unknown {
  if (typeof left === "number" && typeof right === "number") return left + right;
  const a = toPrimitive(left, budget, span);
  const b = toPrimitive(right, budget, span);
  if (typeof a === "string" || typeof b === "string") {
    const text = String(a);
    const more = String(b);
    budget.take(text.length + more.length, span);
    return text + more;
  }
  return numeric(a, b, span, (x, y) => x + y, (x, y) => x + y);
}

/** An operator over two numbers or two bigints. */
function arithmetic(
  numbers: (left: number, right: number) => number,
  bigints: (left: bigint, right: bigint, span: Span) => bigint,
): BinaryOperator {
  return (left, right, budget, span) => {
    if (typeof left === "number" && typeof right === "number") return numbers(left, right);
    const a = toPrimitive(left, budget, span);
    const b = toPrimitive(right, budget, span);
    return numeric(a, b, span, numbers, (x, y) => bigints(x, y, span));
  };
}

function numeric(
  left: Primitive,
  right: Primitive,
  span: Span,
  numbers: (left: number, right: number) => number,
  bigints: (left: bigint, right: bigint) => bigint,
): Numeric {
  if (typeof left === "bigint" && typeof right === "bigint") {
    return boundedBigInt(bigints(left, right), span);
  }
  if (typeof left === "bigint" || typeof right === "bigint") {
    fail("a bigint and another value do not mix: use BigInt(x) or Number(x)", span);
  }
  return numbers(Number(left), Number(right));
}

/** The value, if it is not too large. */
export function boundedBigInt(value: bigint, span: Span): bigint {
  if (value >= BIGINT_END || value <= -BIGINT_END) {
    fail(`a bigint has more than ${BIGINT_BITS_MAX} bits`, span);
  }
  return value;
}

function nonZero(value: bigint, span: Span): bigint {
  return value === 0n ? fail("a bigint is divided by zero", span) : value;
}

function power(base: bigint, exponent: bigint, span: Span): bigint {
  if (exponent < 0n) fail("a bigint has no negative powers", span);
  if (base * base <= 1n) {
    // The powers of -1, 0 and 1 repeat.
    return base ** (exponent > 2n ? 2n - exponent % 2n : exponent);
  }
  const bitsAtLeast = BigInt((base.toString(16).length - 2) * 4);
  if (exponent > BigInt(BIGINT_BITS_MAX) || bitsAtLeast * exponent > BigInt(BIGINT_BITS_MAX)) {
    fail(`a bigint has more than ${BIGINT_BITS_MAX} bits`, span);
  }
  return base ** exponent;
}

function shift(value: bigint, left: bigint, span: Span): bigint {
  if (left > BigInt(BIGINT_BITS_MAX)) fail(`a bigint has more than ${BIGINT_BITS_MAX} bits`, span);
  if (left < -BigInt(BIGINT_BITS_MAX)) return value < 0n ? -1n : 0n;
  return value << left;
}

const noUnsignedShift = (_left: bigint, _right: bigint, span: Span) =>
  fail("a bigint has no >>>: use >>", span);

/** All binary operators but `&&`, `||` and `??`, which may leave out their right side. */
export const BINARY_OPERATORS: ReadonlyMap<string, BinaryOperator> = new Map<
  string,
  BinaryOperator
>([
  ["===", strictlyEqual],
  ["!==", (left, right, budget, span) => !strictlyEqual(left, right, budget, span)],
  ["==", looselyEqual],
  ["!=", (left, right, budget, span) => !looselyEqual(left, right, budget, span)],
  ["<", relation((left, right) => left < right)],
  ["<=", relation((left, right) => left <= right)],
  [">", relation((left, right) => left > right)],
  [">=", relation((left, right) => left >= right)],
  ["+", add],
  ["-", arithmetic((x, y) => x - y, (x, y) => x - y)],
  ["*", arithmetic((x, y) => x * y, (x, y) => x * y)],
  ["/", arithmetic((x, y) => x / y, (x, y, span) => x / nonZero(y, span))],
  ["%", arithmetic((x, y) => x % y, (x, y, span) => x % nonZero(y, span))],
  ["**", arithmetic((x, y) => x ** y, power)],
  ["&", arithmetic((x, y) => x & y, (x, y) => x & y)],
  ["|", arithmetic((x, y) => x | y, (x, y) => x | y)],
  ["^", arithmetic((x, y) => x ^ y, (x, y) => x ^ y)],
  ["<<", arithmetic((x, y) => x << y, shift)],
  [">>", arithmetic((x, y) => x >> y, (x, y, span) => shift(x, -y, span))],
  [">>>", arithmetic((x, y) => x >>> y, noUnsignedShift)],
  ["in", (left, right, _budget, span) => hasProperty(right, nameFrom(left, span))],
]);

/** How `typeof` names a value. */
function typeOf(value: unknown): string {
  const kind = kindOf(value);
  switch (kind) {
    case "undefined":
    case "boolean":
    case "number":
    case "bigint":
    case "string":
      return kind;
    default:
      return "object";
  }
}

export const UNARY_OPERATORS: ReadonlyMap<string, UnaryOperator> = new Map<string, UnaryOperator>([
  ["!", (operand) => !operand],
  ["typeof", typeOf],
  ["-", (operand, budget, span) => {
    const value = toPrimitive(operand, budget, span);
    return typeof value === "bigint" ? -value : -Number(value);
  }],
  ["+", (operand, budget, span) => {
    const value = toPrimitive(operand, budget, span);
    return typeof value === "bigint"
      ? fail("a bigint has no unary +: use Number(x)", span)
      : Number(value);
  }],
  ["~", (operand, budget, span) => {
    const value = toPrimitive(operand, budget, span);
    return typeof value === "bigint" ? ~value : ~Number(value);
  }],
]);
