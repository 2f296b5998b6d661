import { expect, test } from "bun:test";
import {
  decodePartitionTime,
  decodeProcessorTimes,
  encodePartitionTime,
} from "./partition-time.ts";

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

test("times of processors come back as they went, in Kafka's bytes", () => {
  const times = new Map([["counts", 1_700_000_000_123], ["ü", 0]]);
  const text = encodePartitionTime(5, times);
  expect(decodePartitionTime(text)).toBe(5);
  expect(decodeProcessorTimes(text)).toEqual(times);
  const one = Buffer.from(encodePartitionTime(5, new Map([["ab", 258]])), "base64");
  expect(one.toString("hex")).toBe(
    "020000000000000005" + "00000001" + "00000002" + "6162" + "0000000000000102",
  );
  for (const cut of [9, 12, 14, 18, one.length - 1]) {
    expect(decodeProcessorTimes(one.subarray(0, cut).toString("base64")).size).toBe(0);
  }
});
