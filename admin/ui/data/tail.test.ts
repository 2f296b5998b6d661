import { expect, test } from "bun:test";
import type { RecordView } from "./records.ts";
import { Tail } from "./tail.ts";

function record(partition: number, offset: number, value = ""): RecordView {
  return { topic: "t", partition, offset, timestamp: 0, key: null, value, headers: [] };
}

const offsets = (tail: Tail) =>
  tail.latestFirst().map(({ partition, offset }) => `${partition}:${offset}`);

test("the latest stay in view; the others are counted, and where they began is known", () => {
  const tail = new Tail(3, 1_000_000);
  tail.add([record(0, 10), record(1, 5)]);
  expect(tail.dropped).toBe(0);
  expect(tail.firstDropped).toBe("");
  tail.add([record(0, 11), record(0, 12), record(1, 6)]);
  expect(offsets(tail)).toEqual(["1:6", "0:12", "0:11"]);
  expect([tail.dropped, tail.firstDropped]).toEqual([2, "0:10,1:5"]);
  tail.add([record(0, 13)]);
  expect([tail.dropped, tail.firstDropped]).toEqual([3, "0:10,1:5"]);
});

test("large records leave earlier, the latest never", () => {
  const tail = new Tail(1000, 10_000);
  tail.add([1, 2, 3].map((offset) => record(0, offset, "x".repeat(6000))));
  expect(offsets(tail)).toEqual(["0:3"]);
  tail.add([record(0, 4, "x".repeat(60_000))]);
  expect(offsets(tail)).toEqual(["0:4"]);
  expect(tail.dropped).toBe(3);
});
