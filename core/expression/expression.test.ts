import { describe, expect, test } from "bun:test";
import { compileExpression, RecordScope } from "./expression.ts";
import { errorOf, evaluate, scopeOf } from "./expression.test-helper.ts";
import type { TextRecord } from "./expression.test-helper.ts";

const ORDER: TextRecord = {
  key: "42",
  value: JSON.stringify({
    total: 120.5,
    name: "Ada Lovelace",
    tags: ["new", "paid"],
    items: [{ sku: "a", qty: 2, price: 10 }, { sku: "b", qty: 1, price: 100.5 }],
    nothing: null,
    at: "2026-01-31T10:00:00Z",
  }),
  headers: [["trace", "x"], ["trace", "y"], ["empty", null], ["bin", new Uint8Array([0xff])]],
};

/** The source and its value for the order above. */
const TABLE: readonly (readonly [string, unknown])[] = [
  ["v.total", 120.5],
  ['v.total>100 && h.trace==="y"', true],
  ["topic + '/' + partition + '@' + offset", "orders/3@42"],
  ["iso(timestamp)", "2023-11-14T22:13:20.000Z"],
  ["k === '42' && key === k && typeof k", "string"],
  ["value === v && headers.trace === h.trace", true],
  ["h.missing", undefined],
  ["h.empty", null],
  ["h['trace']", "y"],
  ["headers.all('trace')", ["x", "y"]],
  ["h.all('none').length", 0],
  ["headerList.map(([name, value]) => name)", ["trace", "trace", "empty", "bin"]],
  ["keys(h)", ["trace", "empty", "bin"]],
  ["hex(h.bin)", "ff"],
  ["'trace' in h", true],
  // What is missing is undefined, also further down and when a method is called on it.
  ["v.a.b.c", undefined],
  ["v.nothing.x", undefined],
  ["v.missing.startsWith('x')", undefined],
  ["v.missing?.x ?? 'none'", "none"],
  ["v?.['name']?.length", 12],
  ["v.tags[0] + v.tags[-1] + v.tags[9]", "newundefinedundefined"],
  ["v.tags.at(-1)", "paid"],
  ["v.name[0]", "A"],
  ["`${v.name}: ${v.total.toFixed(2)}`", "Ada Lovelace: 120.50"],
  ["v.total > 100 ? 'big' : 'small'", "big"],
  ["!v.paid", true],
  ["-v.total + +'1'", -119.5],
  ["~5 & 7 | 8 ^ 1", (~5 & 7) | (8 ^ 1)],
  ["1 << 4 >> 1 >>> 1", 4],
  ["2 ** 10 % 1000", 24],
  ["[1, ...v.tags, ...'ab']", [1, "new", "paid", "a", "b"]],
  ["({...v, items: undefined, [`x${1}`]: 2}).x1", 2],
  ["entries({a: 1, 'b c': 2})", [["a", 1], ["b c", 2]]],
  ["v.items.map(i => i.qty * i.price).reduce((a, b) => a + b, 0)", 120.5],
  ["v.items.filter(({qty}) => qty > 1).map((item, i) => item.sku + i)", ["a0"]],
  ["v.items.some(i => v.tags.every(t => t !== i.sku))", true],
  ["v.items.find(i => i.sku === 'b').price", 100.5],
  ["v.items.findIndex(i => i.sku === 'z')", -1],
  ["v.items.flatMap(i => [i.sku, i.qty]).join('-')", "a-2-b-1"],
  ["[3, 1, 10].sort()", [1, 10, 3]],
  ["[3, 1, 10].toSorted((a, b) => a - b)", [1, 3, 10]],
  ["[1, [2, [3]]].flat(Infinity)", [1, 2, 3]],
  ["['1', '', 'x'].filter(Boolean).map(Number)", [1, NaN]],
  ["v.name.toUpperCase().split(' ').reverse().join(', ')", "LOVELACE, ADA"],
  ["v.name.replace('Ada', \"$&m\")", "Adam Lovelace"],
  ["v.name.replaceAll(/(\\w)(\\w)/g, '$2$1')", "dAa oLevalec"],
  ["/^ada/i.test(v.name)", true],
  ["v.name.match(/(\\w+) (\\w+)/)", ["Ada Lovelace", "Ada", "Lovelace"]],
  ["v.name.match(/[A-Z]/g)", ["A", "L"]],
  ["v.name.match(/[0-9]/)", null],
  ["v.name.matchAll(/(.)a/g).length", 2],
  ["v.name.search(/L/)", 4],
  ["'a1b22c'.split(/\\d+/)", ["a", "b", "c"]],
  ["groups(v.name, /(?<first>\\w+)/).first", "Ada"],
  ["Math.max(...v.items.map(i => i.price), 5)", 100.5],
  ["Math.round(Math.PI * 100)", 314],
  ["JSON.parse('[1, 2').length", undefined],
  ["JSON.stringify({a: [1, null, undefined], b: undefined})", '{"a":[1,null,null]}'],
  ["Number(k) + parseInt('10', 2) + parseFloat('1.5x')", 45.5],
  ["String(BigInt('9007199254740993') + 2n)", "9007199254740995"],
  ["Boolean('') || String(null)", "null"],
  ["Array.isArray(v.items) && !Array.isArray(v)", true],
  ["Object.keys(v).length === keys(v).length", true],
  ["has(v, 'total') && !has(v, 'toString') && !('constructor' in v)", true],
  ["fromEntries([['a', 1]]).a", 1],
  ["Date.parse(v.at) - Date.parse('2026-01-31')", 36_000_000],
  ["Date.parse('2026-01-31T10:00') === Date.parse(v.at)", true],
  ["Date.parse('next tuesday')", NaN],
  ["date(0)?.weekday", 4],
  ["base64('abc') + fromBase64('YWJj') + hex('a') + fromHex('61')", "YWJjabc61a"],
  ["fromBase64('!')", undefined],
  ["murmur2('21') + crc32c('123456789')", -973932308 + 0xe3069283],
  ["encodeURIComponent('a b&')", "a%20b%26"],
  ["decodeURIComponent('%')", undefined],
  ["'x'.padStart(3, 'ab') + 'x'.repeat(2)", "abxxx"],
  [
    "typeof v + typeof v.tags + typeof v.nope + typeof null + typeof 1n",
    "objectobjectundefinedobjectbigint",
  ],
  ["null == undefined && null !== undefined && '1' == 1", true],
  ["v.tags + ''", "new,paid"],
  ["v + ''", "[object Object]"],
  ["/* a comment */ 1 // another", 1],
  ["{a: 1}.a", 1],
];

describe("the language", () => {
  for (const [source, value] of TABLE) {
    test(source, () => expect(evaluate(source, ORDER)).toEqual(value));
  }
});

test("a value is what its JSON says, else text, else bytes", () => {
  const of = (value: string | Uint8Array | null) => evaluate("v", { value });
  expect(of("42")).toBe(42);
  expect(of(' {"a":1} ')).toEqual({ a: 1 });
  expect(of("null")).toBeNull();
  expect(of(null)).toBeNull();
  expect(of("")).toBe("");
  expect(of("{broken")).toBe("{broken");
  expect(of("plain")).toBe("plain");
  expect(of(new Uint8Array([0xc3, 0x28]))).toEqual(new Uint8Array([0xc3, 0x28]));
  expect(evaluate("valueText", { value: '{"a":1}' })).toBe('{"a":1}');
  expect(evaluate("v.length + hex(v)", { value: new Uint8Array([0xff, 1]) })).toBe("2ff01");
});

test("a key is text, unless it is an object or array in JSON", () => {
  expect(evaluate("k", { key: "42" })).toBe("42");
  expect(evaluate("k.id", { key: '{"id":7}' })).toBe(7);
  expect(evaluate("k", { key: "[broken" })).toBe("[broken");
  expect(evaluate("k")).toBeNull();
});

test("it says which parts of the record it looks at", () => {
  expect([...compileExpression("h.a === k || valueText").uses]).toEqual([
    "headers",
    "key",
    "value",
  ]);
  expect([...compileExpression("offset > 1").uses]).toEqual(["offset"]);
});

test("a condition on headers that fails spares the value", () => {
  let parsed = 0;
  const scope = new RecordScope();
  scope.set({
    ...{ offset: 1, timestamp: 1, key: () => null, headers: () => [] },
    value: () => {
      parsed++;
      return null;
    },
  }, { topic: "t", partition: 0 });
  const where = compileExpression('(v === null && topic === "t") && h.trace === "x"');
  expect(where.test(scope)).toBe(false);
  expect(parsed).toBe(0);
  expect(compileExpression('v === null && topic === "t"').test(scope)).toBe(true);
  expect(compileExpression('topic === "t" && v').test(scope)).toBe(false);
  expect(compileExpression('topic === "u" || v === null').test(scope)).toBe(true);
  expect(parsed).toBe(1);
});

test("bytes are text as it is, JSON of other values, null for null", () => {
  const of = (source: string) => {
    const bytes = compileExpression(source).bytes(scopeOf(ORDER));
    return bytes === null ? null : new TextDecoder().decode(bytes);
  };
  expect(of("v.name")).toBe("Ada Lovelace");
  expect(of("v.total")).toBe("120.5");
  expect(of("({b: [1, true]})")).toBe('{"b":[1,true]}');
  expect(of("({raw: h.bin})")).toBe('{"raw":{"base64":"/w=="}}');
  expect(of("v.nothing")).toBeNull();
  expect(compileExpression("h.bin").bytes(scopeOf(ORDER))).toEqual(new Uint8Array([0xff]));
  expect(() => of("v.missing")).toThrow("?? null");
  expect(() => of("1n")).toThrow("bigint");
});

/** What does not compile or run, what is said of it, and what it points at. */
const ERRORS: readonly (readonly [string, string, string])[] = [
  ["", "empty", ""],
  ["valu.total > 1", 'unknown name "valu": did you mean "value"?', "valu"],
  [
    "v.name.startWith('a')",
    'unknown method "startWith": did you mean "startsWith"?',
    "v.name.startWith",
  ],
  ["Math.rond(1)", 'unknown function "Math.rond": did you mean "Math.round"?', "Math.rond"],
  ["Math.TAU", 'unknown name "Math.TAU"', "Math.TAU"],
  ["v.a = 1", "use === to compare", "v.a = 1"],
  ["v.total > ", "ends too early", ""],
  ["1 2", "ends before this", "2"],
  ["(1", "ends too early", ""],
  ["v.tags.map(1)", "map takes an arrow", "v.tags.map(1)"],
  ["v.tags.map(x => { return x })", "no block", "{ return x }"],
  ["v.name.includes()", "includes takes 1 to 2 arguments", "v.name.includes()"],
  ["Math.abs(1, 2)", "Math.abs takes 1 argument", "Math.abs(1, 2)"],
  ["v.total.trim()", 'a number has no method "trim"', "v.total.trim()"],
  ["1n + 1", "do not mix", "1n + 1"],
  ["Math.abs", "is a function: call it", "Math.abs"],
  ["/(?=a)/.test(k)", "regular expression cannot be used", "/(?=a)/"],
  ["/(a)\\1/.test(k)", "back references", "/(a)\\1/"],
  ["/a/y.test(k)", 'flag "y"', "/a/y"],
  ["1 +\n  bad", 'unknown name "bad"', "bad"],
  ["BigInt(1.5)", "no whole number", "BigInt(1.5)"],
  ["[].reduce((a, b) => a)", "empty array", "[].reduce((a, b) => a)"],
];

describe("errors point into the source", () => {
  for (const [source, message, place] of ERRORS) {
    test(JSON.stringify(source), () => {
      const error = errorOf(source, ORDER);
      expect(error?.message).toContain(message);
      if (place === "" || error === null) return;
      expect(source.slice(error.span.start, error.span.end)).toBe(place);
    });
  }

  test("with a caret under the place", () => {
    expect(errorOf("1 +\n  bad.x")?.render()).toBe(
      'unknown name "bad"\n    bad.x\n    ^^^',
    );
    const long = `${"k + ".repeat(100)}bad`;
    const [, shown, carets] = errorOf(long)!.render().split("\n");
    expect(shown!.length).toBeLessThan(105);
    expect(shown!.slice(carets!.indexOf("^"))).toBe("bad");
  });
});
