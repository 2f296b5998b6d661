import { expect, test } from "bun:test";
import { coordinatorPartition, javaStringHash } from "./java-hash.ts";

test("hashes are those of Java's String.hashCode", () => {
  const known: [string, number][] = [
    ["", 0],
    ["hello", 99_162_322],
    ["console-consumer-1", 35_782_224],
    ["polygenelubricants", -2_147_483_648],
    ["héllo€😀", 403_414_657],
  ];
  for (const [text, hash] of known) expect([text, javaStringHash(text)]).toEqual([text, hash]);
});

test("the one hash without an absolute value goes to partition 0", () => {
  expect(coordinatorPartition("polygenelubricants", 50)).toBe(0);
  expect(coordinatorPartition("hello", 50)).toBe(22);
});
