import { expect, test } from "bun:test";
import { parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { zstdDecompressSync } from "node:zlib";
import {
  arrayOf,
  dateSchema,
  Decimal,
  decimalSchema,
  mapOf,
  optional,
  primitive,
  struct,
  timestampSchema,
} from "../index.ts";
import type { ConnectValue, Schema } from "../index.ts";
import { jsonText } from "./json-text.ts";
import { ParquetRows } from "./parquet-writer.ts";
import { CsvWriter } from "./writer.ts";

async function parquet(
  rows: readonly ConnectValue[],
  schema: Schema | null = null,
  groupBytes = 1e6,
) {
  return (await parquetFile(rows, schema, groupBytes)).read;
}

async function parquetFile(
  rows: readonly ConnectValue[],
  schema: Schema | null,
  groupBytes: number,
) {
  const writer = new ParquetRows("zstd", groupBytes);
  const parts: Uint8Array[] = [];
  for (const value of rows) {
    writer.add({ value, schema });
    parts.push(writer.drain("ready"));
  }
  parts.push(writer.drain("end"));
  const file = Buffer.concat(parts).buffer;
  const compressors = { ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes) };
  return { file, read: await parquetReadObjects({ file, compressors }) };
}

test("values that JSON lacks are written so that they are not lost", () => {
  expect(jsonText({ a: 1, b: [null, "x"], __proto__: undefined })).toBe('{"a":1,"b":[null,"x"]}');
  const value = {
    big: 2n ** 70n,
    d: new Decimal(-1234n, 2),
    bytes: new Uint8Array([1, 2, 255]),
    at: new Date(0),
    map: new Map<ConnectValue, ConnectValue>([["a", 1n], [2, null]]),
    nothing: undefined,
  };
  expect(jsonText(value)).toBe(
    '{"big":1180591620717411303424,"d":-12.34,"bytes":"AQL/","at":"1970-01-01T00:00:00.000Z",' +
      '"map":{"a":1,"2":null}}',
  );
  expect(jsonText({ day: new Date(0) }, struct({ day: dateSchema }))).toBe('{"day":"1970-01-01"}');
});

test("CSV quotes what it must, and refuses fields that would be lost", () => {
  const writer = new CsvWriter(null, ",");
  const add = (value: ConnectValue) => writer.add({ value, schema: null });
  add({ a: 1, b: 'say "x"', c: null });
  add({ c: "", a: "1,2", b: { x: [1] } });
  expect(() => add({ d: 1 })).toThrow('"d" is none of the columns a, b, c');
  expect(() => add("text")).toThrow("is an object");
  expect(Buffer.from(writer.drain("end")).toString()).toBe(
    'a,b,c\n1,"say ""x""",\n"1,2","{""x"":[1]}",""\n',
  );
});

test("rows without a schema come back from Parquet as they were, over row groups", async () => {
  const rows = Array.from({ length: 500 }, (_, i) => ({
    id: i,
    half: i / 2,
    name: `n${i % 7}`,
    ok: i % 2 === 0,
    tags: i % 3 === 0 ? [] : ["a", null, "b"],
    at: { x: i, deep: { y: null, z: "z" } },
    gone: i % 2 === 0 ? null : "here",
  }));
  const read = await parquet(rows, null, 5000);
  expect(read.length).toBe(500);
  const plain = JSON.parse(
    JSON.stringify(read, (_key, value) => typeof value === "bigint" ? Number(value) : value),
  );
  expect(plain).toEqual(rows);
});

test("types grow within the first row group; what has none in common is JSON", async () => {
  const read = await parquet([
    { n: 1, mixed: 1, empty: {}, late: null },
    { n: 1.5, mixed: "a", empty: {}, more: true },
    JSON.parse('{"n":null,"mixed":{"x":[1]},"__proto__":5,"constructor":"c"}'),
  ]);
  expect(read.map((row) => [row["n"], row["mixed"], row["more"], row["empty"]])).toEqual([
    [1, "1", null, "{}"],
    [1.5, '"a"', true, "{}"],
    [null, '{"x":[1]}', null, null],
  ]);
  expect(read.map((row): unknown => row["constructor"])).toEqual([null, null, "c"]);
});

test("numbers, texts and nulls of every kind come back, with bounds that readers can trust", async () => {
  const words = ["", "é", "z", "日本", "\u{1f600}", "\uffff", "x".repeat(100), "ü".repeat(60)];
  const rows = Array.from({ length: 40_000 }, (_, i) => ({
    whole: i % 3 === 0 ? null : (i - 20_000) * 2 ** 35,
    big: i % 2 === 0 ? -(2n ** 63n) + BigInt(i) : i,
    half: i === 5 ? -0 : i / 2 - 1000,
    word: words[i % words.length]!,
    text: i % 5 === 0 ? null : `${i}`.padStart(60, "t"),
    flag: i % 7 === 0 ? null : i % 2 === 0,
    same: "s",
    never: null,
  }));
  const { read, file } = await parquetFile(rows, null, 2e6);
  expect(read.length).toBe(rows.length);
  expect(Object.is(read[5]?.["half"], -0)).toBe(true);
  const number = (value: unknown) => typeof value === "bigint" ? Number(value) : value;
  for (const [i, row] of rows.entries()) {
    const { whole, big, ...others } = read[i]!;
    expect(number(whole)).toBe(row.whole);
    expect(big).toBe(BigInt(row.big));
    expect(others).toEqual({
      half: row.half,
      word: row.word,
      text: row.text,
      flag: row.flag,
      same: "s",
      never: null,
    });
  }
  const { row_groups } = await parquetMetadataAsync(file);
  expect(row_groups.length).toBeGreaterThan(1);
  const statistics = row_groups.at(-1)!.columns.map(({ meta_data }) => meta_data!.statistics!);
  const from = rows.length - Number(row_groups.at(-1)!.num_rows);
  const last = rows.slice(from);
  const [whole, big, half, word, , flag, , never] = statistics;
  const wholes = last.flatMap((row) => row.whole ?? []);
  expect([whole!.min_value, whole!.max_value].map(number)).toEqual([wholes[0]!, wholes.at(-1)!]);
  expect(whole!.null_count).toBe(BigInt(last.length - wholes.length));
  const bigs = last.map((row) => BigInt(row.big)).sort((a, b) => a < b ? -1 : 1);
  expect([big!.min_value, big!.max_value]).toEqual([bigs[0]!, bigs.at(-1)!]);
  expect([half!.min_value, half!.max_value]).toEqual([last[0]!.half, last.at(-1)!.half]);
  expect([word!.min_value, word!.max_value]).toEqual(["", "\u{1f600}"]);
  expect([flag!.min_value, flag!.max_value]).toEqual([false, true]);
  expect([never!.min_value, never!.null_count]).toEqual([undefined, BigInt(last.length)]);
});

test("schemas give Parquet's types", async () => {
  const schema = struct({
    i: primitive("int32"),
    l: primitive("int64"),
    f: primitive("float64"),
    b: primitive("bytes"),
    day: dateSchema,
    at: timestampSchema,
    money: decimalSchema(2),
    list: arrayOf(struct({ x: optional(primitive("int32")) })),
    map: mapOf(primitive("string"), primitive("int64")),
  });
  const rows = [{
    i: 5,
    l: 2n ** 60n,
    f: 3,
    b: new Uint8Array([9]),
    day: new Date(86_400_000),
    at: new Date(1_700_000_000_123),
    money: new Decimal(12345n, 2),
    list: [{ x: 1 }, { x: null }],
    map: new Map<ConnectValue, ConnectValue>([["k", 7]]),
  }];
  const [row] = await parquet(rows, schema);
  expect(row?.["l"]).toBe(2n ** 60n);
  expect(row?.["f"]).toBe(3);
  expect(row?.["day"]).toEqual(new Date(86_400_000));
  expect(row?.["at"]).toEqual(new Date(1_700_000_000_123));
  expect(row?.["money"]).toBe(123.45);
  expect(row?.["list"]).toEqual([{ x: 1 }, { x: null }]);
  expect(row?.["map"]).toEqual({ k: 7n });
});

test("a row that goes with no schema any more needs another file", () => {
  const writer = new ParquetRows("none", 10);
  writer.add({ value: { a: 1 }, schema: null });
  const row = { value: { a: "x" }, schema: null };
  writer.drain("ready");
  expect(writer.add({ value: { a: 3 }, schema: null })).toBe(true);
  expect(writer.add(row)).toBe(false);
  expect(writer.add({ value: { a: 3, b: 3 }, schema: null })).toBe(false);
  expect(writer.add({ value: { a: 4 }, schema: null })).toBe(true);
});
