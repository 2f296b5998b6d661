import { expect, test } from "bun:test";
import { TopologyBuilder } from "../dsl/builder.ts";
import { TestDriver } from "../testing/test-driver.ts";
import { bytes, double, int, json, long, safeLong, string } from "./basic-serdes.ts";
import type { Serde } from "./serde.ts";

const KINDS = { bytes: bytes(), double: double(), int: int(), json: json(), long: long() };
const ALL = { ...KINDS, safeLong: safeLong(), string: string() };

test.each<readonly [keyof typeof ALL, unknown, string]>([
  ["string", undefined, "a text is to be written, but it is undefined"],
  ["string", 5, "a text is to be written, but it is number"],
  ["bytes", "x", "bytes is to be written, but it is string"],
  ["double", "1.5", "a number is to be written, but it is string"],
  ["long", 5, "a bigint is to be written, but it is number"],
  ["long", 2n ** 63n, "is no long"],
  ["int", 2 ** 31, "is no int"],
  ["int", 1.5, "is no int"],
  ["safeLong", 2 ** 53, "is no safe integer"],
  ["safeLong", "7", "is no safe integer"],
  ["json", undefined, "JSON is to be written, but it is undefined"],
  ["json", () => 1, "JSON is to be written, but it is function"],
])("%s does not write %p", (name, value, problem) => {
  // Of any type, as data is.
  const serde = ALL[name] as Serde<unknown>;
  expect(() => serde.serialize(value, "t")).toThrow(problem);
});

test.each<readonly [keyof typeof ALL, string]>([
  ["string", "ff"],
  ["string", "c3"],
  ["json", ""],
  ["json", "7b"],
  ["json", "ff"],
  ["int", "000000"],
  ["int", "0000000000"],
  ["long", "00"],
  ["double", "00"],
  ["safeLong", "7fffffffffffffff"],
])("%s does not read %s", (name, hex) => {
  expect(() => ALL[name].deserialize(Buffer.from(hex, "hex"), "t")).toThrow();
});

test("a text is what its bytes were, a byte order mark included", () => {
  for (const hex of ["efbbbf61", "61", "", "00", "f09f918d"]) {
    const read = string().deserialize(Buffer.from(hex, "hex"), "t");
    expect(Buffer.from(string().serialize(read, "t")).toString("hex")).toBe(hex);
  }
});

test("an aggregate that is undefined fails its record, not those that come later", () => {
  const builder = new TopologyBuilder();
  // As who forgets to return it, in a language that does not mind.
  const forgets = ((all: { n: number }) => void all.n++) as unknown as () => { n: number };
  builder.stream("in").groupByKey().aggregate("all", () => ({ n: 0 }), forgets);
  const driver = new TestDriver(builder.topology);
  const input = driver.input("in", string(), json());
  expect(() => input.write("k", 1)).toThrow("JSON is to be written, but it is undefined");
});
