import { expect, test } from "bun:test";
import { decodePartitionTime, encodePartitionTime } from "./partition-time.ts";

test("a time comes back as it went", () => {
  for (const timeMs of [-1, 0, 1_700_000_000_123]) {
    expect(decodePartitionTime(encodePartitionTime(timeMs))).toBe(timeMs);
  }
});

test("Kafka's bytes are read, and what is none of them is no time", () => {
  // Version 1, and version 2 with metadata of a processor behind.
  expect(decodePartitionTime(Buffer.from("01000000000000002a", "hex").toString("base64"))).toBe(42);
  expect(decodePartitionTime(Buffer.from("02000000000000002a00000000", "hex").toString("base64")))
    .toBe(42);
  for (const text of ["", "AQ==", "not base64!", "CQAAAAAAAAAq"]) {
    expect(decodePartitionTime(text)).toBe(-1);
  }
});
