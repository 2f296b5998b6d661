/** Attempts to get out of an expression, to change the program, to hang it or to eat its memory. */
import { describe, expect, test } from "bun:test";
import { compileExpression, ExpressionError } from "./expression.ts";
import { errorOf, evaluate, scopeOf } from "./expression.test-helper.ts";

/** What does not even compile. */
const REFUSED: readonly string[] = [
  'value.constructor.constructor("return process")()',
  '(() => {}).constructor("return process")()',
  "[].map.constructor('return 1')()",
  "''.at.call.call(v)",
  "v[`constructor`](1)",
  "v['map'](x => x)",
  "v?.['constructor']?.('return 1')",
  "this",
  "this.process",
  "globalThis",
  "process.exit(1)",
  "Bun.file('x')",
  "require('fs')",
  "eval('1')",
  "Function('return 1')()",
  "new Function('return 1')()",
  "new Date()",
  "Date.now()",
  "Math.random()",
  "Math.constructor",
  "JSON.constructor('return 1')",
  "Object.prototype",
  "Object.getPrototypeOf(v)",
  "Object.assign(v, {})",
  "Object.defineProperty(v, 'x', {})",
  "Reflect.get(v, 'x')",
  "Symbol.iterator",
  "import('fs')",
  "import.meta",
  "new.target",
  "super.x",
  "async () => 1",
  "await v",
  "yield",
  "function f() {}",
  "(function () { return this })()",
  "class A {}",
  "v.x = 1",
  "v.x++",
  "delete v.x",
  "void 0",
  "v, k",
  "String.raw`x`",
  "v.map`x`",
  "v instanceof Object",
  "v.#secret",
  "#x in v",
  "({ get x() { return 1 } }).x",
  "({ set x(y) {} }).x",
  "({ m() { return 1 } }).m()",
  "({ __proto__: v, ['a']: x => x })",
  "v.map(async x => x)",
  "v.map(function (x) { return x })",
  "v.map((...x) => x)",
  "v.map((x = 1) => x)",
  "v.map(({ [k]: x }) => x)",
  "v.map(({ ...x }) => x)",
  "v.map(v.map)",
  "v.map(eval)",
  "v.filter(keys)",
  "[1].toString.apply(v)",
  "v.toString().constructor('x')",
  "v.valueOf()",
  "v.hasOwnProperty('x')",
  "v.__defineGetter__('x', x => 1)",
  "'x'.localeCompare('y')",
  "[].push(1)",
  "[].concat.apply(v)",
  "v.then(x => x)",
  "let x = 1",
  "1; 2",
  "{ return 1 }",
  "1) + (2",
  "debugger",
  "while (true) {}",
];

describe("does not compile", () => {
  for (const source of REFUSED) {
    test(source, () => expect(() => compileExpression(source)).toThrow(ExpressionError));
  }
});

/** What names nothing that is its own: undefined, also where JavaScript has something. */
const UNDEFINED: readonly string[] = [
  "value.constructor",
  "value.__proto__",
  "value['__proto__']",
  "value['con' + 'structor']",
  "value[['constructor']?.[0]]",
  "[].constructor",
  "''.constructor",
  "(1).constructor",
  "1n.constructor",
  "true.constructor",
  "/x/.constructor",
  "/x/.source",
  "value.toString",
  "value.hasOwnProperty",
  "[].map",
  "[]['length2']",
  "''['trim']",
  "h.constructor",
  "headers['__proto__']",
  "({}).constructor",
  "({a: 1}).__proto__",
  "v.bytes.buffer",
  "fromBase64('/w==').buffer",
  "fromBase64('/w==').constructor",
  "date(0).constructor",
  "JSON.parse('{}').constructor",
  "groups('x', /(?<a>x)/).constructor",
  "[1]['-1']",
  "[1]['01']",
  "[1][1e9]",
  "'x'[0.5]",
];

describe("is undefined", () => {
  for (const source of UNDEFINED) {
    test(source, () => expect(evaluate(source, { value: "{}" })).toBeUndefined());
  }
});

test("an own property named __proto__ is one like any other", () => {
  const value = '{"__proto__":{"polluted":true},"constructor":{"prototype":1}}';
  expect(evaluate("v.__proto__.polluted", { value })).toBe(true);
  expect(evaluate("({...v}).__proto__.polluted", { value })).toBe(true);
  expect(evaluate("({...v}).polluted", { value })).toBeUndefined();
  expect(evaluate("fromEntries(entries(v)).polluted", { value })).toBeUndefined();
  expect(evaluate("({['__proto__']: {polluted: 1}}).polluted")).toBeUndefined();
  expect(evaluate("({__proto__: {polluted: 1}}).polluted")).toBeUndefined();
  expect(evaluate("h.polluted", { headers: [["__proto__", "x"]] })).toBeUndefined();
  expect(evaluate("h['__proto__']", { headers: [["__proto__", "x"]] })).toBe("x");
  expect(evaluate("groups('x', /(?<__proto__>x)/).__proto__")).toBe("x");
  expect(evaluate("v.constructor.prototype", { value })).toBe(1);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("objects that look like code are data", () => {
  const value = '{"toString":1,"valueOf":2,"toJSON":3,"length":9,"then":4,"0":"zero"}';
  expect(evaluate("v + ''", { value })).toBe("[object Object]");
  expect(evaluate("`${v}` + v.length + v[0]", { value })).toBe("[object Object]9zero");
  expect(evaluate("v == 2 || v > 1 || +v", { value })).toBeNaN();
  expect(evaluate("JSON.stringify(v)", { value })).toBe(JSON.stringify(JSON.parse(value)));
  expect(errorOf("v[{}]", { value })?.message).toBe("an object is no property name");
  expect(errorOf("v[v]", { value })?.message).toBe("an object is no property name");
  expect(errorOf("({[v]: 1})", { value })?.message).toBe("an object is no property name");
  expect(errorOf("[...v]", { value })?.message).toBe("only arrays and strings are spread here");
});

test("a record is not changed by what is done with it", () => {
  const scope = scopeOf({ value: "[3,1,2]" });
  for (const source of ["v.sort()", "v.reverse()", "v.toSorted((a, b) => b - a)", "[...v, 4]"]) {
    compileExpression(source).evaluate(scope);
  }
  expect(compileExpression("v").evaluate(scope)).toEqual([3, 1, 2]);
});

const LIST = JSON.stringify(Array.from({ length: 1000 }, (_, i) => i));
const LONG = "x".repeat(100_000);

/** Sources that take or make too much of their record, and must end all the same. */
const GREEDY: readonly (readonly [string, string, string])[] = [
  ["repeat", "'x'.repeat(1e9)", ""],
  ["repeat of a repeat", "'x'.repeat(4000).repeat(4000).repeat(4000)", ""],
  ["padStart", "'x'.padStart(1e9)", ""],
  ["padEnd", "'x'.padEnd(1e15, 'ab')", ""],
  ["nested maps", "v.map(a => v.map(b => v.map(c => v.map(d => 1))))", LIST],
  ["nested some", "v.some(a => v.some(b => v.some(c => v.some(d => false))))", LIST],
  ["flatMap", "v.flatMap(a => v.flatMap(b => v.flatMap(c => v)))", LIST],
  ["reduce to a string", "v.reduce((a, b) => a + a, 'x')", LIST],
  ["reduce of templates", "v.reduce((a, b) => `${a}${a}`, 'x')", LIST],
  ["reduce of arrays", "v.reduce((a, b) => [...a, ...a], [1])", LIST],
  ["reduce of concat", "v.reduce((a, b) => a.concat(a), [1])", LIST],
  ["reduce of objects", "v.reduce((a, b) => ({...a, [b]: JSON.stringify(a)}), {})", LIST],
  ["laughs in JSON", "JSON.stringify(v.reduce((a, b) => [a, a], 'lol'))", LIST],
  ["laughs in text", "String(v.slice(0, 400).reduce((a, b) => [a, a], 'lol'))", LIST],
  ["laughs in an operator", "v.slice(0, 400).reduce((a, b) => [a, a], 'lol') + ''", LIST],
  ["laughs flattened", "v.slice(0, 400).reduce((a, b) => [a, a], 'lol').flat(Infinity)", LIST],
  ["deep JSON", "JSON.stringify(v.reduce((a, b) => [a], 1))", LIST],
  ["deep text", "String(v.reduce((a, b) => [a], 1))", LIST],
  ["deep flat", "v.reduce((a, b) => [a], 1).flat(1000)", LIST],
  ["join", "v.map(x => 'x'.repeat(9000)).join('y'.repeat(9000))", LIST],
  ["replaceAll by a long text", "v.replaceAll('x', v)", LONG],
  ["replaceAll by what is behind", "v.replaceAll('x', \"$'\")", LONG],
  ["replaceAll by what is before", "v.replaceAll(/x/g, '$`')", LONG],
  ["replaceAll with many dollars", "v.replaceAll('x', '$&'.repeat(9000))", LONG],
  ["sort by long texts", "v.map(a => 'x'.repeat(9000) + a).sort()", LIST],
  ["comparing long texts", "[...v].some(a => [...v].some(b => v + a === v + b && false))", LONG],
  ["searching", "[...v].some(a => v.includes(v.slice(1) + 'y'))", LONG],
  ["spread arguments", "v.some(a => v.some(b => Math.max(...v) < 0))", LIST],
  ["split and join", "[...v].map(a => v.split('').join('yy'))", LONG],
  ["entries", "[...v].map(a => entries([...v]))", LONG],
  ["JSON.parse", "[...v].map(a => JSON.parse('[' + '1,'.repeat(9000) + '1]'))", LONG],
  ["hex", "[...v].map(a => hex(v))", LONG],
  ["a squared bigint", "v.reduce((a, b) => a * a, 3n)", LIST],
  ["a shifted bigint", "1n << 1000000000n", ""],
  ["a bigint's power", "2n ** 100000000n", ""],
  ["a power of powers", "(7n ** 300n) ** 300n", ""],
  ["a long bigint", "BigInt('9'.repeat(9000))", ""],
  ["a regular expression", "[...v].some(a => /(x+x+)+y?z$|[ab]$/.test(v))", LONG],
  ["overlong matches", "v.match(/x*[yz]|x/g)", LONG],
  ["a matched replacement", "v.replace(/x*[yz]|x/g, '')", LONG],
];

describe("ends with an error", () => {
  for (const [name, source, value] of GREEDY) {
    test(name, () => {
      const start = performance.now();
      const error = errorOf(source, { value });
      expect(error?.message).toMatch(/more than|too deep|too much|nested|whole number/);
      // Ten times what the slowest takes on an idle machine.
      expect(performance.now() - start).toBeLessThan(10_000);
    });
  }
});

/** What backtracking engines take exponential time for. */
const BACKTRACKING: readonly string[] = [
  "/^(a+)+$/.test(v)",
  "/(a|a)*b/.test(v)",
  "/(a|aa)+$/.test(v)",
  "/(.*)*x/.test(v)",
  "/^(([a-z])+.)+[A-Z]([a-z])+$/.test(v)",
];

test("regular expressions take linear time", () => {
  const value = "a".repeat(5000) + "!";
  for (const source of BACKTRACKING) {
    expect(evaluate(source, { value })).toBe(false);
  }
});

test("sources that are too large or too deep are refused", () => {
  for (
    const source of [
      "(".repeat(9000),
      "(".repeat(4000) + "1" + ")".repeat(4000),
      "!".repeat(9000) + "1",
      "[".repeat(4000) + "]".repeat(4000),
      "-".repeat(1) + "- ".repeat(4000) + "1",
      "1" + "+1".repeat(4000),
      "v" + ".a".repeat(4000),
      "v" + "?.[0]".repeat(1500),
      "1?".repeat(2000) + "1" + ":1".repeat(2000),
      "v.map(x=>".repeat(900) + "1" + ")".repeat(900),
      "`${".repeat(2000) + "1" + "}`".repeat(2000),
      "1 || ".repeat(2500),
      "k + ".repeat(2500) + "k",
      "/(((a{99}){99}){99})/.test(k)",
      `/${"(a|b)?".repeat(1000)}/.test(k)`,
    ]
  ) {
    expect(() => compileExpression(source)).toThrow(ExpressionError);
  }
  // What people write is far below.
  expect(
    evaluate(Array.from({ length: 300 }, (_, i) => `k === "${i}"`).join(" || "), { key: "299" }),
  )
    .toBe(true);
});

test("values that are deep do not exhaust the stack", () => {
  const value = "[".repeat(50_000) + "]".repeat(50_000);
  expect(errorOf("JSON.stringify(v)", { value })?.message).toContain("nested too deeply");
  expect(errorOf("String(v)", { value })?.message).toContain("nested too deeply");
  expect(errorOf("v.flat(Infinity)", { value })?.message).toContain("nested too deeply");
  expect(evaluate("v[0][0][0].length", { value })).toBe(1);
  expect(() => compileExpression("v").bytes(scopeOf({ value }))).toThrow(ExpressionError);
});

test("the budget is the caller's, and each record has its own", () => {
  const limits = { stepsMax: 1000, unitsMax: 1000 };
  expect(errorOf("v.map(x => x)", { value: LIST }, limits)?.message).toContain("1000");
  const scope = scopeOf({ value: "[1,2,3]" }, limits);
  const expression = compileExpression("v.map(x => 'x'.repeat(50)).length");
  for (let i = 0; i < 100; i++) expect(expression.evaluate(scope)).toBe(3);
});
