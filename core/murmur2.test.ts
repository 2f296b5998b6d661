import { expect, test } from "bun:test";
import { murmur2, partitionOfKey } from "./murmur2.ts";

// From Kafka's own UtilsTest.testMurmur2, and keys put through the Java class for each length mod 4.
const GOLDEN: readonly [string, number][] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
];

test("murmur2 gives Java's values", () => {
  for (const [key, hash] of GOLDEN) expect(murmur2(Buffer.from(key))).toBe(hash);
});

test("a negative hash still gives a partition, by Java's toPositive", () => {
  expect(partitionOfKey(12, Buffer.from("21"))).toBe((-973932308 & 0x7fffffff) % 12);
});
