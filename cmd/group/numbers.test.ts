import { expect, test } from "bun:test";
import { formatNumbers, formatPartitions, parseNumbers, parseTopicPartitions } from "./numbers.ts";

test("numbers are written as runs and read back", () => {
  expect(formatNumbers([5, 0, 2, 1, 7, 8])).toBe("0-2,5,7-8");
  expect(parseNumbers("0-2,5,7-8")).toEqual([0, 1, 2, 5, 7, 8]);
  expect(parseNumbers(" 3 , 1-1,3")).toEqual([1, 3]);
  expect(formatPartitions([{ topic: "b", partitions: [] }, { topic: "a", partitions: [1, 0] }]))
    .toBe("a:0-1");
});

test("what is no list of partitions is null, also where it would be endless", () => {
  for (const text of ["", "a", "1-", "-1", "3-1", "1,,2", "0-9999999"]) {
    expect(parseNumbers(text)).toBeNull();
  }
});

test("a topic may have partitions", () => {
  expect(parseTopicPartitions("orders")).toEqual({ topic: "orders", partitions: null });
  expect(parseTopicPartitions("orders:0,2")).toEqual({ topic: "orders", partitions: [0, 2] });
  for (const text of ["", ":0", "orders:", "orders:x"]) {
    expect(parseTopicPartitions(text)).toBeNull();
  }
});
