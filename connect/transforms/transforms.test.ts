import { describe, expect, test } from "bun:test";
import { ConfigError } from "../config/parse.ts";
import { sourceRecord } from "../data/record.ts";
import type { PartialSourceRecord, SinkRecord, SourceRecord } from "../data/record.ts";
import {
  arrayOf,
  dateSchema,
  optional,
  primitive,
  struct,
  timestampSchema,
} from "../data/schema.ts";
import type { Schema } from "../data/schema.ts";
import { sameSchema } from "../data/same-schema.ts";
import { Decimal } from "../data/values.ts";
import type { ConnectValue } from "../data/values.ts";
import { chainFields, chainOf } from "./chain.ts";

const int32 = primitive("int32");
const text = primitive("string");

/** Applies one transform with its settings. */
function apply(
  type: string,
  settings: Record<string, string>,
  record: Partial<PartialSourceRecord>,
): SourceRecord | null {
  const own = Object.entries(settings).map(([name, value]) => [`transforms.t.${name}`, value]);
  const raw = { transforms: "t", "transforms.t.type": type, ...Object.fromEntries(own) };
  return chainOf(raw).apply(sourceRecord({ topic: "orders", value: null, ...record }));
}

interface Case {
  readonly type: string;
  readonly settings: Record<string, string>;
  readonly schema?: Schema;
  readonly value: ConnectValue;
  readonly expected: ConnectValue;
  readonly expectedSchema?: Schema | null;
}

const point = struct({ x: int32, y: optional(int32) }, { name: "point", version: 2 });

const CASES: Record<string, Case> = {
  "Cast of fields": {
    type: "Cast$Value",
    settings: { spec: "a:int8,b:string,c:boolean,d:float64,e:int64" },
    value: { a: 300, b: 1.5, c: "TRUE", d: "1e3", e: "9007199254740993", f: "kept" },
    expected: { a: 44, b: "1.5", c: true, d: 1000, e: 9007199254740993n, f: "kept" },
  },
  "Cast with a schema": {
    type: "org.apache.kafka.connect.transforms.Cast$Value",
    settings: { spec: "x:string" },
    schema: point,
    value: { x: 7, y: null },
    expected: { x: "7", y: null },
    expectedSchema: struct({ x: text, y: optional(int32) }, { name: "point", version: 2 }),
  },
  "Cast of the whole": {
    type: "Cast$Value",
    settings: { spec: "int64" },
    schema: timestampSchema,
    value: new Date(1234),
    expected: 1234,
    expectedSchema: primitive("int64"),
  },
  "ExtractField by a path": {
    type: "ExtractField$Value",
    settings: { field: "a.`b.c`", "field.syntax.version": "V2" },
    value: { a: { "b.c": 5 } },
    expected: 5,
  },
  "ExtractField of a struct": {
    type: "ExtractField$Value",
    settings: { field: "y" },
    schema: point,
    value: { x: 1, y: 2 },
    expected: 2,
    expectedSchema: optional(int32),
  },
  "HoistField": {
    type: "HoistField$Value",
    settings: { field: "line" },
    schema: text,
    value: "hello",
    expected: { line: "hello" },
    expectedSchema: struct({ line: text }),
  },
  "Flatten": {
    type: "Flatten$Value",
    settings: { delimiter: "_" },
    schema: struct({ p: optional(point), tags: arrayOf(text) }),
    value: { p: { x: 1, y: 2 }, tags: ["a"] },
    expected: { p_x: 1, p_y: 2, tags: ["a"] },
    expectedSchema: struct({ p_x: optional(int32), p_y: optional(int32), tags: arrayOf(text) }),
  },
  "Flatten of objects": {
    type: "Flatten$Value",
    settings: {},
    value: { a: { b: { c: 1 }, d: [{}] }, e: null },
    expected: { "a.b.c": 1, "a.d": [{}], e: null },
  },
  "InsertField": {
    type: "InsertField$Value",
    settings: { "topic.field": "t!", "static.field": "s", "static.value": "fixed" },
    schema: point,
    value: { x: 1, y: null },
    expected: { x: 1, y: null, t: "orders", s: "fixed" },
    expectedSchema: struct({
      ...Object.fromEntries(point.fields.map((f) => [f.name, f.schema])),
      t: text,
      s: optional(text),
    }, { name: "point", version: 2 }),
  },
  "MaskField": {
    type: "MaskField$Value",
    settings: { fields: "a,b,c,d,e" },
    value: { a: 5, b: "x", c: true, d: [1], e: Decimal.parse("1.50"), f: 1 },
    expected: { a: 0, b: "", c: false, d: [], e: Decimal.parse("0.00"), f: 1 },
  },
  "MaskField with a replacement": {
    type: "MaskField$Value",
    settings: { fields: "x", replacement: "42" },
    schema: point,
    value: { x: 1, y: null },
    expected: { x: 42, y: null },
    expectedSchema: point,
  },
  "ReplaceField": {
    type: "ReplaceField$Value",
    settings: { exclude: "c", renames: "a:b,b:a" },
    value: { a: 1, b: 2, c: 3 },
    expected: { b: 1, a: 2 },
  },
  "ReplaceField of a struct": {
    type: "ReplaceField$Value",
    settings: { include: "x", renames: "x:z" },
    schema: point,
    value: { x: 1, y: 2 },
    expected: { z: 1 },
    expectedSchema: struct({ z: int32 }, { name: "point", version: 2 }),
  },
  "SetSchemaMetadata": {
    type: "SetSchemaMetadata$Value",
    settings: { "schema.name": "other", "schema.version": "9" },
    schema: int32,
    value: 1,
    expected: 1,
    expectedSchema: primitive("int32", { name: "other", version: 9 }),
  },
  "TimestampConverter from text": {
    type: "TimestampConverter$Value",
    settings: { field: "at", "target.type": "unix", format: "dd/MM/yyyy HH:mm" },
    value: { at: "09/02/2024 13:05" },
    expected: { at: Date.UTC(2024, 1, 9, 13, 5) },
  },
  "TimestampConverter of a struct": {
    type: "TimestampConverter$Value",
    settings: { field: "at", "target.type": "Date", "unix.precision": "seconds" },
    schema: struct({ at: optional(primitive("int64")) }),
    value: { at: 1_707_484_000 },
    expected: { at: new Date(Date.UTC(2024, 1, 9)) },
    expectedSchema: struct({ at: optional(dateSchema) }),
  },
};

for (
  const [name, { type, settings, schema, value, expected, expectedSchema }] of Object.entries(CASES)
) {
  test(name, () => {
    const record = apply(type, settings, { valueSchema: schema ?? null, value });
    expect(record?.value).toEqual(expected);
    expect(sameSchema(record?.valueSchema ?? null, expectedSchema ?? null)).toBe(true);
    // The same for keys, and nothing of the value is touched.
    const key = apply(type.replace("$Value", "$Key"), settings, {
      keySchema: schema ?? null,
      key: value,
      value: "untouched",
    });
    expect(key?.key).toEqual(expected);
    expect(key?.value).toBe("untouched");
  });
}

test("names that objects inherit are fields like any other", () => {
  const value: ConnectValue = JSON.parse('{"__proto__":"5","b":1}');
  const record = apply("Cast$Value", { spec: "__proto__:int32" }, { value });
  expect(Object.entries(record?.value ?? {})).toEqual([["__proto__", 5], ["b", 1]]);
  const missing = apply("ExtractField$Value", { field: "constructor" }, { value });
  expect(missing?.value).toBeNull();
});

test("headers are inserted, dropped, copied and moved", () => {
  const headers = [{ name: "a", schema: null, value: 1 }, { name: "b", schema: null, value: 2 }];
  const names = (record: SourceRecord | null) => record?.headers.map(({ name }) => name);
  expect(names(apply("DropHeaders", { headers: "a,c" }, { headers }))).toEqual(["b"]);
  const inserted = apply("InsertHeader", { header: "c", "value.literal": "[1,2]" }, { headers });
  expect(inserted?.headers[2]).toEqual({
    name: "c",
    schema: arrayOf(primitive("int8")),
    value: [1, 2],
  });
  const settings = { fields: "x", headers: "hx", operation: "move" };
  const moved = apply("HeaderFrom$Value", settings, { value: { x: 1, y: 2 }, headers });
  expect(moved?.value).toEqual({ y: 2 });
  expect(names(moved)).toEqual(["a", "b", "hx"]);
  const schema = struct({ x: int32, by: primitive("string", { defaultValue: "nobody" }) });
  const filled = apply("HeaderFrom$Value", settings, { valueSchema: schema, value: { x: 1 } });
  expect(filled?.value).toEqual({ by: "nobody" });
});

test("topics are routed", () => {
  const routed = (type: string, settings: Record<string, string>) =>
    apply(type, settings, { timestampMs: Date.UTC(2024, 1, 9) })?.topic;
  expect(routed("RegexRouter", { regex: "(o.*)(rs)", replacement: "$2-$1" })).toBe("rs-orde");
  expect(routed("RegexRouter", { regex: "rs", replacement: "x" })).toBe("orders");
  expect(routed("TimestampRouter", {})).toBe("orders-20240209");
  expect(() => routed("RegexRouter", { regex: "orders", replacement: "$3" })).toThrow("a group");
});

test("a key is made of the value", () => {
  const record = apply("ValueToKey", { fields: "y" }, {
    valueSchema: point,
    value: { x: 1, y: 2 },
  });
  expect(record?.key).toEqual({ y: 2 });
  expect(sameSchema(record?.keySchema ?? null, struct({ y: optional(int32) }))).toBe(true);
});

test("offsets are those of sinks' records, exactly", () => {
  const raw = {
    transforms: "o",
    "transforms.o.type": "InsertField$Value",
    "transforms.o.offset.field": "o",
  };
  const sink: SinkRecord = {
    ...sourceRecord({ topic: "t", value: { a: 1 } }),
    partition: 3,
    offset: 2n ** 60n,
    timestampType: "CreateTime",
    original: { topic: "t", partition: 3, offset: 2n ** 60n },
  };
  const record = chainOf(raw).apply(sink);
  expect(record?.value).toEqual({ a: 1, o: 2n ** 60n });
  // What a sink knows besides stays.
  expect(record?.original.partition).toBe(3);
  expect(() => chainOf(raw).apply(sourceRecord({ topic: "t", value: {} })))
    .toThrow('transform "o" (InsertField$Value): only records of sinks have offsets');
});

describe("expr", () => {
  test("filters, maps, and sees the record as it came", () => {
    const settings = {
      where: "v.total > 10",
      map: "{ ...v, big: h.size === 'L' }",
      key: "v.id",
      topic: "`${topic}-${v.country}`",
      headers: "{ ...h, from: topic }",
    };
    const headers = [{ name: "size", schema: null, value: "L" }];
    const of = (total: number) =>
      apply("expr", settings, { value: { id: 7, total, country: "de" }, headers });
    expect(of(5)).toBeNull();
    const record = of(20);
    expect(record?.topic).toBe("orders-de");
    expect(record?.key).toBe(7);
    expect({ ...Object(record?.value) }).toEqual({ id: 7, total: 20, country: "de", big: true });
    expect(record?.headers.map(({ name, value }) => [name, value]))
      .toEqual([["size", "L"], ["from", "orders"]]);
  });

  test("sees dates as text, decimals as numbers, maps as objects", () => {
    const value = { at: new Date(0), price: Decimal.parse("1.50")!, m: new Map([["k", 1n]]) };
    const map = "[v.at, v.price * 2, v.m.k + 1n, valueText.length > 10]";
    expect(apply("expr", { map }, { value })?.value)
      .toEqual(["1970-01-01T00:00:00.000Z", 3, 2n, true]);
  });

  test("what fails says where", () => {
    expect(() => apply("expr", { map: "v.a.b" }, { value: {} })).toThrow(
      "map: this gives undefined",
    );
    expect(() => apply("expr", { where: "valu" }, {})).toThrow(
      /"transforms.t.where" cannot be read: unknown name "valu": did you mean "value"/,
    );
    expect(() => apply("expr", {}, {})).toThrow(ConfigError);
  });
});

describe("a chain", () => {
  const chain = {
    transforms: "drop,mark",
    "transforms.drop.type": "Filter",
    "transforms.drop.predicate": "empty",
    "transforms.mark.type": "InsertHeader",
    "transforms.mark.header": "old",
    "transforms.mark.value.literal": "true",
    "transforms.mark.predicate": "traced",
    "transforms.mark.negate": "true",
    predicates: "empty,traced",
    "predicates.empty.type": "RecordIsTombstone",
    "predicates.traced.type": "org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
    "predicates.traced.name": "trace",
  };

  test("binds transforms to predicates", () => {
    const run = (record: Partial<PartialSourceRecord>) =>
      chainOf(chain).apply(sourceRecord({ topic: "t", value: 1, ...record }));
    expect(run({ value: null })).toBeNull();
    expect(run({})?.headers.map(({ name }) => name)).toEqual(["old"]);
    const trace = { name: "trace", schema: null, value: 1 };
    expect(run({ headers: [trace] })?.headers).toEqual([trace]);
  });

  test("says all its settings", () => {
    const fields = chainFields(chain);
    expect(Object.keys(chain).every((key) => Object.hasOwn(fields, key))).toBe(true);
    expect(fields["transforms.mark.header"]?.parts.group).toBe("Transforms: mark");
  });

  const refusals: [Record<string, string>, string][] = [
    [{ "transforms.drop.predicate": "nope" }, '"transforms.drop.predicate" must be one of'],
    [{ "transforms.mark.type": "com.acme.Mark" }, '"transforms.mark.type" must be one of Cast$Key'],
    [{ "transforms.mark.type": "Cast" }, '"transforms.mark.type" must be Cast$Key or Cast$Value'],
    [{ "transforms.mark.type": "Filter$Value" }, "must be Filter alone"],
    [{ "predicates.traced.name": "" }, '"predicates.traced.name" must not be empty'],
    [{ transforms: "drop,drop" }, '"transforms" has a name twice'],
    [{ transforms: "new" }, '"transforms.new.type" is missing'],
    [
      {
        "predicates.traced.type": "TopicNameMatches",
        "predicates.traced.pattern": "a(?=b)",
      },
      "lookaround",
    ],
    [
      { "transforms.mark.type": "io.debezium.transforms.ExtractNewRecordState" },
      "take expr with map",
    ],
  ];
  for (const [change, message] of refusals) {
    test(`refuses: ${message}`, () => {
      expect(() => chainOf({ ...chain, ...change })).toThrow(message);
    });
  }
});

test("settings that do not go together are refused by name", () => {
  const refused: [string, Record<string, string>, string][] = [
    ["Cast$Value", { spec: "a:bytes" }, '"transforms.t.spec" has the type "bytes"'],
    ["Cast$Value", { spec: "int8,a:int8" }, "one type alone"],
    ["InsertField$Value", {}, '"transforms.t.topic.field" or another field is missing'],
    ["InsertField$Value", { "static.field": "a" }, '"transforms.t.static.value" is missing'],
    [
      "HeaderFrom$Key",
      { fields: "a", headers: "a,b", operation: "copy" },
      '"transforms.t.headers"',
    ],
    ["TimestampConverter$Value", { "target.type": "string" }, '"transforms.t.format" is missing'],
    ["TimestampRouter", { "timestamp.format": "b" }, "is no pattern of times"],
    ["ReplaceField$Value", { renames: "a" }, 'has "a": write old:new'],
    ["MaskField$Value", { fields: "a,a" }, "names a field twice"],
    ["SetSchemaMetadata$Key", {}, "or schema.version is missing"],
    ["ExtractField$Key", { field: "`a", "field.syntax.version": "v2" }, "is not closed"],
    ["RegexRouter", { regex: "(", replacement: "" }, "is no regular expression"],
  ];
  for (const [type, settings, message] of refused) {
    expect(() => apply(type, settings, {})).toThrow(message);
  }
});

test("values that a transform cannot work on are errors of the record", () => {
  const refused: [string, Record<string, string>, Partial<PartialSourceRecord>, string][] = [
    [
      "Cast$Value",
      { spec: "a:int8" },
      { value: { a: "300" } },
      "the text is no int8, or beyond it",
    ],
    ["Cast$Value", { spec: "a:int8" }, { value: [] }, "the value is an array, not an object"],
    ["ExtractField$Key", { field: "z" }, { keySchema: point, key: { x: 1 } }, 'no field "z"'],
    ["ValueToKey", { fields: "z" }, { valueSchema: point, value: { x: 1 } }, 'no field "z"'],
    ["SetSchemaMetadata$Value", { "schema.name": "a" }, { value: 1 }, "the value has no schema"],
    [
      "MaskField$Value",
      { fields: "a" },
      { value: { a: new Uint8Array() } },
      "bytes cannot be masked",
    ],
    ["TimestampRouter", {}, {}, "the record has no timestamp"],
    ["HoistField$Value", { field: "a" }, { valueSchema: text }, "a string is required"],
    [
      "ReplaceField$Value",
      { renames: "x:y" },
      { valueSchema: point, value: { x: 1 } },
      'called "y"',
    ],
  ];
  for (const [type, settings, record, message] of refused) {
    expect(() => apply(type, settings, record)).toThrow(message);
  }
});
