import { expect, test } from "bun:test";
import { bytes, double, int, json, long, safeLong, string } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import { jsonOf, keyBytesOf } from "./key-forms.ts";

test("keys are given as text, as Base64 or as JSON, as their serde has them", () => {
  const unnamed: Serde<string> = {
    serialize: (value) => string().serialize(value, "t"),
    deserialize: (given) => string().deserialize(given, "t"),
  };
  const cases: readonly (readonly [string, Serde<unknown>, unknown])[] = [
    ["42", string(), "42"],
    ["42", int(), 42],
    ["9223372036854775807", long(), 2n ** 63n - 1n],
    ["7", long(), 7n],
    ["7", safeLong(), 7],
    ["1.5", double(), 1.5],
    ["_-8=", bytes(), new Uint8Array([255, 239])],
    ['{"a":1}', json(), { a: 1 }],
    ["a b", unnamed, "a b"],
  ];
  for (const [text, serde, value] of cases) {
    expect(serde.deserialize(keyBytesOf(text, serde, "t"), "t")).toEqual(value);
  }
  for (
    const [text, serde] of [["x", int()], ["1.5", int()], ["x", json()], ["é", bytes()], [
      "9007199254740993",
      safeLong(),
    ]] as const
  ) {
    expect(() => keyBytesOf(text, serde as Serde<unknown>, "t")).toThrow("is no key");
  }
});

test("values are JSON: bytes flagged as Base64, bigints as text", () => {
  expect(jsonOf({ a: 2n ** 60n, b: new Uint8Array([1]), c: Buffer.from([1]) })).toBe(
    '{"a":"1152921504606846976","b":{"base64":"AQ=="},"c":{"base64":"AQ=="}}',
  );
  const round: Record<string, unknown> = {};
  round.self = round;
  expect(() => jsonOf(round)).toThrow("cannot be written as JSON");
});
