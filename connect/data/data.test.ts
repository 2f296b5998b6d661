import { describe, expect, test } from "bun:test";
import { decimalText, doubleText, floatText } from "./java-text.ts";
import { literalText, parseLiteral } from "./literals.ts";
import { decimalBytes, decimalOfBytes } from "./logical-types.ts";
import { project } from "./project.ts";
import { sameSchema, sameValue } from "./same-schema.ts";
import {
  arrayOf,
  dateSchema,
  decimalSchema,
  mapOf,
  optional,
  primitive,
  struct,
  timeSchema,
  timestampSchema,
} from "./schema.ts";
import type { Schema } from "./schema.ts";
import { compileDateFormat } from "./simple-date-format.ts";
import { validate } from "./validate.ts";
import { Decimal } from "./values.ts";
import type { ConnectValue } from "./values.ts";

const int8 = primitive("int8");
const text = primitive("string");

describe("validate", () => {
  const order = struct({
    id: primitive("int64"),
    items: arrayOf(struct({ price: decimalSchema(2), note: optional(text) })),
    counts: optional(mapOf(text, int8)),
    by: primitive("string", { defaultValue: "me" }),
  });

  test("takes what fits", () => {
    validate(order, {
      id: 2n ** 62n,
      items: [{ price: Decimal.parse("1.20")!, note: null }],
      counts: new Map([["a", 1]]),
    });
  });

  const refusals: [ConnectValue, string][] = [
    [null, "value: null, but a struct is required"],
    [{ id: 1.5, items: [] }, 'value, field "id": 1.5 is not an int64'],
    [
      { id: 2 ** 60, items: [] },
      'value, field "id": 1152921504606847000 is beyond int64, or no exact number: use a bigint',
    ],
    [{ id: 1, items: [{ price: 1 }] }, 'value, field "items[0].price": 1 is not a Decimal'],
    [
      { id: 1, items: [], counts: new Map([["a", 300]]) },
      'value, field "counts.a": 300 is not an int8',
    ],
    [{ id: 1, items: [], more: 1 }, 'value, field "more": the schema has no such field'],
    [{ items: [] }, 'value, field "id": null, but an int64 is required'],
  ];
  for (const [value, message] of refusals) {
    test(message, () => expect(() => validate(order, value)).toThrow(message));
  }
});

test("schemas and values are the same where they say the same", () => {
  const make = (doc: string): Schema =>
    struct({ a: arrayOf(mapOf(text, int8)), b: primitive("bytes", { doc }) }, { name: "n" });
  expect(sameSchema(make("x"), make("x"))).toBe(true);
  expect(sameSchema(make("x"), make("y"))).toBe(false);
  expect(sameSchema(int8, optional(int8))).toBe(false);
  expect(sameSchema(decimalSchema(1), decimalSchema(2))).toBe(false);
  expect(sameValue({ a: 1, b: null }, { a: 1n })).toBe(true);
  expect(sameValue(new Map([[[1], 2]]), new Map([[[1], 2]]))).toBe(true);
  expect(sameValue([new Date(1)], [new Date(2)])).toBe(false);
});

test("a value is projected to a wider schema, with defaults, and the field is named if not", () => {
  const from = struct({ n: int8, old: text, deep: arrayOf(optional(primitive("float32"))) });
  const to = struct({
    n: primitive("int64"),
    deep: arrayOf(optional(primitive("float64"))),
    added: primitive("string", { defaultValue: "new" }),
  });
  expect(project(from, { n: 1, old: "x", deep: [1.5, null] }, to))
    .toEqual({ n: 1, deep: [1.5, null], added: "new" });
  expect(() => project(from, { n: 1, old: "x", deep: [] }, struct({ n: text })))
    .toThrow('field "n": an int8 cannot become a string');
  expect(() => project(from, { n: 1, old: "x", deep: [] }, struct({ z: text })))
    .toThrow('field "z": required, but missing');
});

test("numbers are written as Java writes them", () => {
  expect([1, 1e7, 1e-3, 9e-4, 1e21, -0, 123456.789, NaN].map(doubleText)).toEqual(
    ["1.0", "1.0E7", "0.001", "9.0E-4", "1.0E21", "-0.0", "123456.789", "NaN"],
  );
  expect([Math.fround(0.1), Math.fround(16777216), Math.fround(3.4e38)].map(floatText))
    .toEqual(["0.1", "1.6777216E7", "3.4E38"]);
  const decimal = (unscaled: bigint, scale: number) => decimalText(new Decimal(unscaled, scale));
  expect([decimal(-1250n, 2), decimal(1n, 8), decimal(12n, -3), decimal(0n, 0)])
    .toEqual(["-12.50", "1E-8", "1.2E+4", "0"]);
});

test("decimals keep sign and size in as few bytes as will do", () => {
  for (const n of [0n, 1n, -1n, 127n, 128n, -128n, -129n, 255n, 10n ** 30n, -(10n ** 30n)]) {
    expect(decimalOfBytes(decimalBytes(new Decimal(n, 2)), 2)).toEqual(new Decimal(n, 2));
  }
  expect(decimalBytes(new Decimal(127n, 0)).toHex()).toBe("7f");
  expect(decimalBytes(new Decimal(128n, 0)).toHex()).toBe("0080");
  expect(decimalBytes(new Decimal(-128n, 0)).toHex()).toBe("80");
});

describe("SimpleDateFormat", () => {
  const time = new Date(Date.UTC(2024, 1, 9, 13, 5, 7, 45));
  const cases: [string, string][] = [
    ["yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "2024-02-09T13:05:07.045Z"],
    ["EEE, d MMM yyyy h:mm:ss.SSS a z", "Fri, 9 Feb 2024 1:05:07.045 PM UTC"],
    ["yyyyMMddHHmmssSSS", "20240209130507045"],
    ["yy/D HH''mm:ss.SSS X", "24/40 13'05:07.045 Z"],
    ["EEEE MMMM dd HH:mm:ss.SSS Z yyyy", "Friday February 09 13:05:07.045 +0000 2024"],
  ];
  for (const [pattern, expected] of cases) {
    test(`${pattern} writes and reads`, () => {
      const compiled = compileDateFormat(pattern);
      if (!compiled.ok) throw new Error(compiled.why);
      expect(compiled.format.format(time)).toBe(expected);
      expect(compiled.format.parse(`${expected} and more`)).toEqual(time);
      expect(compiled.format.parse("no time")).toBeNull();
    });
  }

  test("reading is lenient, and knows zones", () => {
    const read = (pattern: string, source: string) => {
      const compiled = compileDateFormat(pattern);
      return compiled.ok ? compiled.format.parse(source)?.toISOString() ?? null : compiled.why;
    };
    expect(read("yyyy-MM-dd", "2023-13-01")).toBe("2024-01-01T00:00:00.000Z");
    expect(read("yyyy-MM-dd HH:mm Z", "2024-01-01 00:30 +0100")).toBe("2023-12-31T23:30:00.000Z");
    expect(read("yyyy-ww", "2024-01")).toContain("locale");
    expect(read("yyyy-bb", "2024-01")).toContain("no letter");
    expect(read("yyyy'", "2024")).toContain("not closed");
  });
});

describe("literals", () => {
  const cases: [string, Schema | null, ConnectValue][] = [
    ["42", int8, 42],
    ["-129", primitive("int16"), -129],
    ["9007199254740993", primitive("int64"), 9007199254740993n],
    ["1.5", primitive("float32"), 1.5],
    ["1e300", primitive("float64"), 1e300],
    ["12345678901234567890", decimalSchema(0), new Decimal(12345678901234567890n, 0)],
    ["true", primitive("boolean"), true],
    ["null", null, null],
    ["2024-02-29", dateSchema, new Date(Date.UTC(2024, 1, 29))],
    ["01:02:03.004Z", timeSchema, new Date(3_723_004)],
    ["2024-02-29T01:02:03.004Z", timestampSchema, new Date(Date.UTC(2024, 1, 29, 1, 2, 3, 4))],
    ["[1, 300]", arrayOf(primitive("int16")), [1, 300]],
    ['{"a": 1, "b": 2}', mapOf(text, int8), new Map([["a", 1], ["b", 2]])],
    ['[1, "a"]', null, [1, "a"]],
    ["[1, null]", text, "[1, null]"],
    ["[1, 2", text, "[1, 2"],
    ["truely", text, "truely"],
    ["5, 6", text, "5, 6"],
    ["", text, ""],
    ["[".repeat(10_000), text, "[".repeat(10_000)],
  ];
  for (const [source, schema, value] of cases) {
    test(source.slice(0, 40), () => {
      const literal = parseLiteral(source);
      expect(literal.value).toEqual(value);
      expect(sameSchema(literal.schema, schema)).toBe(true);
    });
  }

  test("are written as they are read", () => {
    expect(literalText(null, { a: [1, 'x"y'], at: new Date(0) }))
      .toBe('{"a":[1,"x\\"y"],"at":00:00:00.000Z}');
    expect(literalText(primitive("float32"), Math.fround(0.1))).toBe("0.1");
    expect(literalText(null, Decimal.parse("1.50"))).toBe("1.50");
  });
});
