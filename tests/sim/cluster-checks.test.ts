import { expect, test } from "bun:test";
import {
  checkAppends,
  checkHandled,
  checkOffsets,
  checkReadings,
  checkTopics,
  checkTransactions,
} from "./cluster-checks.ts";
import { Acceptances } from "./cluster-history.ts";
import type { Append, OffsetEvent, Reading, TransactionOutcome } from "./cluster-history.ts";

const log = (...values: (string | null)[]) =>
  new Map([["t/0", values.flatMap((value, offset) => value === null ? [] : [{ offset, value }])]]);

function append(value: string, offset: number, isAcknowledged = true): Append {
  const sequence = Number(value.slice(1));
  return { value, partition: "t/0", writer: value[0]!, sequence, isAcknowledged, offset };
}

test("what was acknowledged has to be where it was acknowledged, once and in order", () => {
  checkAppends([append("a1", 0), append("a2", -1), append("a3", 7, false)], log("a1", "a2"));
  const check = (...values: string[]) => () =>
    checkAppends([append("a1", 0), append("a2", -1)], log(...values));
  expect(check("a1")).toThrow("a2 was acknowledged at t/0@-1 and is lost");
  expect(check("b1", "a1", "a2")).toThrow("a1 was acknowledged at t/0@0 and is at 1");
  expect(check("a1", "a2", "a2")).toThrow("a2 is at t/0@1 and at t/0@2");
  const unordered = [append("a1", -1), append("a2", -1)];
  expect(() => checkAppends(unordered, log("a2", "a1"))).toThrow("before what its writer has sent");
});

function reading(...sightings: [number, string][]): Reading {
  return {
    reader: "r",
    partition: "t/0",
    isolation: "read_uncommitted",
    sightings: sightings.map(([offset, value]) => ({ offset, value })),
  };
}

test("what was seen stays, in order and without gaps", () => {
  const final = log("a", null, "b", "c");
  const check = (...sightings: [number, string][]) => () =>
    checkReadings([reading(...sightings)], final, new Map());
  check([0, "a"], [2, "b"], [3, "c"])();
  check([2, "b"])();
  expect(check([4, "d"])).toThrow("r has seen d at t/0@4, where nothing is");
  expect(check([2, "x"])).toThrow("r has seen x at t/0@2, where b is");
  expect(check([2, "b"], [0, "a"])).toThrow("after a later offset");
  expect(check([0, "a"], [3, "c"])).toThrow("r has passed over b at t/0@2");
});

test("a reader of what is committed is held to that", () => {
  const committed = { ...reading([0, "a"]), isolation: "read_committed" as const };
  expect(() => checkReadings([committed], log("a"), log(null))).toThrow("where nothing is");
});

test("transactions are there as a whole or not at all", () => {
  const check = (outcome: TransactionOutcome, ...present: string[]) => () => {
    const values = ["x", "y"].map((value) => ({ value, partition: "t/0" }));
    checkTransactions([{ id: "t1", values, outcome }], log(...present));
  };
  check("committed", "x", "y")();
  check("aborted")();
  check("unknown")();
  check("unknown", "x", "y")();
  expect(check("committed", "x")).toThrow("1 of 2 records of t1 are lost");
  expect(check("aborted", "y")).toThrow("t1 is aborted, and y can be read");
  expect(check("unknown", "y")).toThrow("t1 is there in part");
});

test("committed offsets do not go back", () => {
  const event = (
    kind: OffsetEvent["kind"],
    offset: number,
    sentMs: number,
    answeredMs: number,
  ): OffsetEvent => ({ kind, partition: "t/0", offset, sentMs, answeredMs });
  const first = event("committed", 5, 1, 2);
  checkOffsets([first, event("began", 5, 3, 4), event("committed", 7, 3, 9)]);
  // They are under way together.
  checkOffsets([first, event("began", 0, 2, 3)]);
  expect(() => checkOffsets([first, event("began", 4, 3, 4)])).toThrow(
    "t/0@4 is what a member began after 5 was committed",
  );
  expect(() => checkOffsets([event("committed", 4, 3, 4), first])).toThrow("after 5 was committed");
});

test("what is below a committed offset has been handed out", () => {
  const check = (...offsets: number[]) => () =>
    checkHandled(new Map([["t/0", new Set(offsets)]]), new Map([["t/0", 2]]), log("a", "b", "c"));
  check(0, 1)();
  expect(check(0)).toThrow("b at t/0@1 is below the committed 2, and no member had it");
});

test("topics stay as they were left", () => {
  const known = new Map([["a", "there"], ["b", "gone"], ["c", "unknown"]] as const);
  checkTopics(known, new Set(["a"]));
  checkTopics(known, new Set(["a", "c"]));
  expect(() => checkTopics(known, new Set())).toThrow("the topic a was made and is lost");
  expect(() => checkTopics(known, new Set(["a", "b"]))).toThrow("the topic b was deleted and is");
});

test("who fetches a record after it was accepted must not have it accepted again", () => {
  const accepted = new Acceptances();
  for (const key of ["t/0@0", "t/0@1"]) accepted.add(key, 0);
  // It had the record from a leader that has been followed by another.
  accepted.add("t/0@1", 1);
  accepted.add("t/0@2", 2);
  expect(accepted.size).toBe(3);
  expect(() => accepted.add("t/0@1", 2)).toThrow("t/0@1 was accepted, and is so again");
});
