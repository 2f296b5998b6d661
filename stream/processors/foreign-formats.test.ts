import { expect, test } from "bun:test";
import { string } from "../serdes/basic-serdes.ts";
import {
  answerSerde,
  Instruction,
  type Subscription,
  subscriptionSerde,
} from "./foreign-formats.ts";
import { murmur3 } from "./murmur3.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const hash = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const serde = subscriptionSerde(string());

test("subscriptions of both versions are read as they were written, with a hash and without", () => {
  const all: [Subscription, string][] = [
    [
      { hash, instruction: Instruction.answerAlways, primaryKey: "ab", partition: 3 },
      `0102${hex(hash)}616200000003`,
    ],
    [
      { hash: null, instruction: Instruction.deleteOnly, primaryKey: "ab", partition: 3 },
      "8100616200000003",
    ],
    [
      { hash, instruction: Instruction.answerIfThere, primaryKey: "ab", partition: null },
      `0003${hex(hash)}6162`,
    ],
  ];
  for (const [subscription, written] of all) {
    expect(hex(serde.serialize(subscription, "t"))).toBe(written);
    expect(serde.deserialize(Buffer.from(written, "hex"), "t")).toEqual(subscription);
  }
});

test("answers are read as they were written, of something and of nothing", () => {
  const answers = answerSerde(string());
  for (const [value, written] of [["x", `00${hex(hash)}78`], [null, `00${hex(hash)}`]] as const) {
    expect(hex(answers.serialize({ hash, value, partition: 5 }, "t"))).toBe(written);
    expect(answers.deserialize(Buffer.from(written, "hex"), "t"))
      .toEqual({ hash, value, partition: null });
  }
});

test("bytes that are no subscription are refused", () => {
  for (const bad of ["", "01", "0200616200000003", "8109616200000003", "810061", "0102aa"]) {
    expect(() => serde.deserialize(Buffer.from(bad, "hex"), "t")).toThrow();
  }
});

test("hashes differ by each byte, within a block and behind one", () => {
  const hashes = Array.from({ length: 40 }, (_, length) => hex(murmur3(new Uint8Array(length))));
  const changed = Array.from({ length: 40 }, (_, at) => {
    return hex(murmur3(Uint8Array.from({ length: 40 }, (_, i) => i === at ? 1 : 0)));
  });
  expect(new Set([...hashes, ...changed]).size).toBe(80);
});
