/** Functions of expressions, by their full name. All are pure: the same arguments, the same result. */
import { crc32c } from "../crc32c.ts";
import { murmur2 } from "../murmur2.ts";
import { ELEMENT_UNITS } from "./budget.ts";
import { integerArg, numberArg, textArg } from "./callable.ts";
import type { Call, FunctionEntry } from "./callable.ts";
import { fail } from "./expression-error.ts";
import { boundedBigInt } from "./operators.ts";
import { decode, parseJson } from "./record-scope.ts";
import { RegexValue } from "./regex-value.ts";
import { parseTime, timeParts, timeText } from "./times.ts";
import {
  elementOf,
  emptyObject,
  hasProperty,
  isPlainObject,
  nameFrom,
  nameOf,
  toJson,
  toNumber,
  toPrimitive,
} from "./values.ts";

type Run = (call: Call) => unknown;

const define = (argsMin: number, argsMax: number, run: Run): FunctionEntry => ({
  argsMin,
  argsMax,
  arrow: "never",
  run,
});

/** More digits than any bigint may have. */
const BIGINT_CHARS_MAX = 400;
const DECIMAL = /^\s*(-?\d+|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)?\s*$/;

const encoder = new TextEncoder();

/** The bytes of text in UTF-8, or bytes as they are. */
function bytesArg(call: Call, index: number): Uint8Array {
  const value = call.args[index];
  if (value instanceof Uint8Array) return value;
  const text = textArg(call, index);
  call.scope.budget.take(text.length, call.span);
  return encoder.encode(text);
}

/** Charges a text or bytes about as long as what they are made of. */
function takeCopy(length: number, { scope, span }: Call): void {
  scope.budget.spend(length >> 3, span);
  scope.budget.take(length, span);
}

function toBigInt(call: Call): unknown {
  const value = toPrimitive(call.args[0], call.scope.budget, call.span);
  switch (typeof value) {
    case "bigint":
      return value;
    case "boolean":
      return BigInt(value);
    case "number":
      if (Number.isInteger(value)) return boundedBigInt(BigInt(value), call.span);
      break;
    case "string":
      if (value.length < BIGINT_CHARS_MAX && DECIMAL.test(value)) {
        return boundedBigInt(BigInt(value), call.span);
      }
      break;
    default:
  }
  return fail(`${nameOf(value)} like this is no whole number`, call.span);
}

/** The own names of an object, the places of an array, none of anything else. */
function namesOf({ args: [value], scope, span }: Call): string[] {
  const names = Array.isArray(value) || isPlainObject(value) ? Object.keys(value) : [];
  scope.budget.spend(names.length, span);
  scope.budget.take(names.length * ELEMENT_UNITS * 2, span);
  return names;
}

const keys: Run = namesOf;
const values: Run = (call) => namesOf(call).map((name) => elementOf(call.args[0], name, call.span));
const entries: Run = (call) => {
  const names = namesOf(call);
  call.scope.budget.take(names.length * ELEMENT_UNITS * 2, call.span);
  return names.map((name) => [name, elementOf(call.args[0], name, call.span)]);
};

function fromEntries(call: Call): unknown {
  const [pairs] = call.args;
  const object = emptyObject();
  if (!Array.isArray(pairs)) return fail("this takes an array of [name, value]", call.span);
  for (const pair of pairs) {
    if (!Array.isArray(pair)) return fail("this takes an array of [name, value]", call.span);
    call.scope.budget.take(ELEMENT_UNITS * 2, call.span);
    object[nameFrom(pair[0], call.span)] = pair[1];
  }
  return object;
}

const has: Run = (call) => hasProperty(call.args[0], nameFrom(call.args[1], call.span));

function parseNumber(parse: (text: string, radix: number | undefined) => number): Run {
  return (call) => {
    const text = textArg(call, 0);
    call.scope.budget.spend(text.length >> 3, call.span);
    return parse(text, call.args[1] === undefined ? undefined : numberArg(call, 1));
  };
}

/** `Math.max` and `Math.min`, of any number of arguments. */
function extreme(pick: (a: number, b: number) => number, none: number): Run {
  return ({ args, scope: { budget }, span }) => {
    let result = none;
    for (const value of args) result = pick(result, toNumber(value, budget, span));
    return result;
  };
}

function mathFunctions(): [string, FunctionEntry][] {
  const one = {
    ...{ abs: Math.abs, ceil: Math.ceil, floor: Math.floor, round: Math.round, sign: Math.sign },
    ...{ trunc: Math.trunc, sqrt: Math.sqrt, cbrt: Math.cbrt, exp: Math.exp, expm1: Math.expm1 },
    ...{ log: Math.log, log10: Math.log10, log1p: Math.log1p, log2: Math.log2, sin: Math.sin },
    ...{ cos: Math.cos, tan: Math.tan, asin: Math.asin, acos: Math.acos, atan: Math.atan },
    ...{ fround: Math.fround, clz32: Math.clz32 },
  };
  const two = { pow: Math.pow, atan2: Math.atan2, imul: Math.imul };
  return [
    ...Object.entries(one).map(([name, run]): [string, FunctionEntry] => [
      `Math.${name}`,
      define(1, 1, (call) => run(numberArg(call, 0))),
    ]),
    ...Object.entries(two).map(([name, run]): [string, FunctionEntry] => [
      `Math.${name}`,
      define(2, 2, (call) => run(numberArg(call, 0), numberArg(call, 1))),
    ]),
    ["Math.max", define(0, Infinity, extreme(Math.max, -Infinity))],
    ["Math.min", define(0, Infinity, extreme(Math.min, Infinity))],
    ["Math.hypot", define(0, Infinity, extreme(Math.hypot, 0))],
  ];
}

/** `run` of the text, or undefined if it throws what a broken encoding throws. */
function decoded<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof URIError) return undefined;
    throw error;
  }
}

function encodings(): [string, FunctionEntry][] {
  const sized = (run: (bytes: Uint8Array) => unknown): FunctionEntry =>
    define(1, 1, (call) => {
      const bytes = bytesArg(call, 0);
      takeCopy(bytes.length * 2, call);
      return run(bytes);
    });
  const ofText = (run: (text: string) => unknown): FunctionEntry =>
    define(1, 1, (call) => {
      const text = textArg(call, 0);
      takeCopy(text.length * 3, call);
      return decoded(() => run(text));
    });
  return [
    ["hex", sized((bytes) => bytes.toHex())],
    ["base64", sized((bytes) => bytes.toBase64())],
    ["text", sized((bytes) => new TextDecoder().decode(bytes))],
    ["fromHex", ofText((text) => decode(Uint8Array.fromHex(text)))],
    ["fromBase64", ofText((text) => decode(Uint8Array.fromBase64(text)))],
    ["encodeURIComponent", ofText((text) => encodeURIComponent(text))],
    ["decodeURIComponent", ofText((text) => decodeURIComponent(text))],
    ["murmur2", sized((bytes) => murmur2(bytes))],
    ["crc32c", sized((bytes) => crc32c(bytes))],
  ];
}

function jsonText(call: Call): unknown {
  const indent = call.args[2] === undefined ? 0 : integerArg(call, 2, 0, 0, 10);
  if (call.args[1] !== undefined && call.args[1] !== null) {
    return fail("the second argument has to be null", call.span);
  }
  return toJson(call.args[0], call.scope.budget, call.span, indent);
}

function jsonValue(call: Call): unknown {
  const text = textArg(call, 0);
  call.scope.budget.take(text.length * 2, call.span);
  return parseJson(text, undefined);
}

/** The named groups of the first match as an object, or null. */
function groups(call: Call): unknown {
  const [, regex] = call.args;
  if (!(regex instanceof RegexValue)) return fail("write groups(text, /(?<name>…)/)", call.span);
  const match = regex.first(textArg(call, 0), call.scope.budget, call.span);
  if (match === null) return null;
  const object = emptyObject();
  for (const [name, index] of regex.names()) object[name] = match.groups[index];
  return object;
}

/** Times: milliseconds since 1970 as numbers, text in ISO 8601, all of it in UTC. */
function times(): [string, FunctionEntry][] {
  const parse = define(1, 1, (call) => {
    const [value] = call.args;
    return typeof value === "string" ? parseTime(value) : NaN;
  });
  return [
    ["Date.parse", parse],
    [
      "Date.UTC",
      define(1, 7, (call) => {
        const part = (index: number) => numberArg(call, index, index === 2 ? 1 : 0);
        return Date.UTC(part(0), part(1), part(2), part(3), part(4), part(5), part(6));
      }),
    ],
    ["iso", define(1, 1, (call) => timeText(numberArg(call, 0)))],
    ["date", define(1, 1, (call) => timeParts(numberArg(call, 0)))],
  ];
}

function fromCodes(run: (code: number) => string): Run {
  return ({ args, scope: { budget }, span }) => {
    budget.take(args.length * 2, span);
    return args.map((code) => {
      const number = toNumber(code, budget, span);
      return Number.isInteger(number) && number >= 0 && number <= 0x10ffff
        ? run(number)
        : fail("this is no code of a character", span);
    }).join("");
  };
}

const isNumber = (test: (value: number) => boolean): FunctionEntry =>
  define(1, 1, ({ args: [value] }) => typeof value === "number" && test(value));
const number: Run = (call) => {
  const value = toPrimitive(call.args[0], call.scope.budget, call.span);
  if (typeof value === "string") call.scope.budget.spend(value.length >> 3, call.span);
  return Number(value);
};

/** All functions; `Math.max` is one name. */
export const FUNCTIONS: ReadonlyMap<string, FunctionEntry> = new Map([
  ["Array.isArray", define(1, 1, ({ args }) => Array.isArray(args[0]))],
  ["BigInt", define(1, 1, toBigInt)],
  ["Boolean", define(1, 1, ({ args }) => Boolean(args[0]))],
  ["JSON.parse", define(1, 1, jsonValue)],
  ["JSON.stringify", define(1, 3, jsonText)],
  ["Number", define(1, 1, number)],
  ["Number.isFinite", isNumber(Number.isFinite)],
  ["Number.isInteger", isNumber(Number.isInteger)],
  ["Number.isNaN", isNumber(Number.isNaN)],
  ["Number.isSafeInteger", isNumber(Number.isSafeInteger)],
  ["Number.parseFloat", define(1, 1, parseNumber(Number.parseFloat))],
  ["Number.parseInt", define(1, 2, parseNumber(Number.parseInt))],
  ["Object.entries", define(1, 1, entries)],
  ["Object.fromEntries", define(1, 1, fromEntries)],
  ["Object.hasOwn", define(2, 2, has)],
  ["Object.keys", define(1, 1, keys)],
  ["Object.values", define(1, 1, values)],
  ["String", define(1, 1, (call) => textArg(call, 0))],
  ["String.fromCharCode", define(0, Infinity, fromCodes((code) => String.fromCharCode(code)))],
  ["String.fromCodePoint", define(0, Infinity, fromCodes((code) => String.fromCodePoint(code)))],
  ["entries", define(1, 1, entries)],
  ["fromEntries", define(1, 1, fromEntries)],
  ["groups", define(2, 2, groups)],
  ["has", define(2, 2, has)],
  ["isFinite", define(1, 1, (call) => Number.isFinite(number(call)))],
  ["isNaN", define(1, 1, (call) => Number.isNaN(number(call)))],
  ["keys", define(1, 1, keys)],
  ["parseFloat", define(1, 1, parseNumber(Number.parseFloat))],
  ["parseInt", define(1, 2, parseNumber(Number.parseInt))],
  ["values", define(1, 1, values)],
  ...mathFunctions(),
  ...encodings(),
  ...times(),
]);

/** Names that stand for a value. */
export const CONSTANTS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["undefined", undefined],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["Math.E", Math.E],
  ["Math.LN10", Math.LN10],
  ["Math.LN2", Math.LN2],
  ["Math.LOG10E", Math.LOG10E],
  ["Math.LOG2E", Math.LOG2E],
  ["Math.PI", Math.PI],
  ["Math.SQRT1_2", Math.SQRT1_2],
  ["Math.SQRT2", Math.SQRT2],
  ["Number.EPSILON", Number.EPSILON],
  ["Number.MAX_SAFE_INTEGER", Number.MAX_SAFE_INTEGER],
  ["Number.MAX_VALUE", Number.MAX_VALUE],
  ["Number.MIN_SAFE_INTEGER", Number.MIN_SAFE_INTEGER],
  ["Number.MIN_VALUE", Number.MIN_VALUE],
]);

/** What stands before the dot of a function's name, and nowhere else. */
export const NAMESPACES: ReadonlySet<string> = new Set(
  [...FUNCTIONS.keys(), ...CONSTANTS.keys()].flatMap((name) =>
    name.includes(".") ? [name.slice(0, name.indexOf("."))] : []
  ),
);
