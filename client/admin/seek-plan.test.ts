import { expect, test } from "bun:test";
import { type Destination, planMove, type SeekFacts } from "./seek-plan.ts";

const FACTS: SeekFacts = {
  topic: "a",
  partition: 0,
  currentOffset: 50,
  startOffset: 10,
  endOffset: 100,
  timeOffset: 30,
  fileOffset: 70,
};

function move(destination: Destination, facts: Partial<SeekFacts> = {}) {
  const planned = planMove({ ...FACTS, ...facts }, destination);
  return planned === null ? null : [planned.newOffset, planned.note];
}

test("places in a partition", () => {
  expect(move({ kind: "start", plus: 0n })).toEqual([10, null]);
  expect(move({ kind: "start", plus: 5n })).toEqual([15, null]);
  expect(move({ kind: "end", minus: 0n })).toEqual([100, null]);
  expect(move({ kind: "end", minus: 7n })).toEqual([93, null]);
  expect(move({ kind: "offset", offset: 42n })).toEqual([42, null]);
  expect(move({ kind: "time", timestampMs: 1 })).toEqual([30, null]);
  expect(move({ kind: "shift", by: -20 })).toEqual([30, null]);
  expect(move({ kind: "file" })).toEqual([70, null]);
});

test("what lies outside becomes the start or the end, and is said", () => {
  expect(move({ kind: "offset", offset: 9n })).toEqual([10, "9 is before the start"]);
  expect(move({ kind: "shift", by: 51 })).toEqual([100, "101 is beyond the end"]);
  expect(move({ kind: "end", minus: 91n })).toEqual([10, "9 is before the start"]);
  expect(move({ kind: "time", timestampMs: 1 }, { timeOffset: null }))
    .toEqual([100, "no record that young: the end"]);
});

test("nothing can be shifted from nowhere, but anything else is possible", () => {
  expect(move({ kind: "shift", by: 1 }, { currentOffset: null })).toBeNull();
  expect(move({ kind: "start", plus: 0n }, { currentOffset: null })).toEqual([10, null]);
});
