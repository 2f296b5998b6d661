import { expect, test } from "bun:test";
import { complaints, Ledger } from "./ledger.ts";

const of = (text: string) =>
  text.split(" ").map((name) => ({ key: name[0]!, n: Number(name.slice(1)) }));

test("the ledger sees what is lost, doubled, out of order or from nowhere", () => {
  const ledger = new Ledger();
  for (const key of ["a", "b", "a", "b", "a"]) ledger.next(key);
  const say = (found: string, claim: "at-least-once" | "exactly-once") =>
    complaints(ledger.judge(of(found)), claim, true);
  expect(say("a0 b0 a1 b1 a2", "exactly-once")).toEqual([]);
  expect(say("a0 a1 b0 a0 a1 a2 b1", "at-least-once")).toEqual([]);
  expect(say("a0 a1 b0 a0 a1 a2 b1", "exactly-once")).toEqual(["2 doubled: a:0, a:1"]);
  expect(say("a0 b0 b1 a2", "exactly-once")).toEqual(["1 lost: a:1"]);
  expect(say("a0 b1 b0 a1 a2", "at-least-once")).toEqual(["1 out of order: b:0"]);
  expect(say("a0 b0 a1 b1 a2 a3 c0", "at-least-once")).toEqual([
    "2 that nobody has given: a:3, c:0",
  ]);
});

test("what is lost is held against at-most-once from some time on alone, what is doubled always", () => {
  const ledger = new Ledger();
  for (const key of ["a", "b", "a"]) ledger.next(key);
  ledger.excuse();
  for (const key of ["a", "b", "c"]) ledger.next(key);
  const verdict = ledger.judge(of("b0 a1 a1 a2 b1"));
  expect(verdict.excused).toEqual(["a:0"]);
  expect(complaints(verdict, "at-most-once", true)).toEqual(["1 lost: c:0", "1 doubled: a:1"]);
});
