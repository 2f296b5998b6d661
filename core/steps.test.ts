import { expect, test } from "bun:test";
import type { Clock } from "./io.ts";
import { atOnce, inFirstOrMoreTurns, inTurns, type Steps } from "./steps.ts";

/** A clock that each step of the work moves on by a millisecond. */
function workedClock(): {
  clock: Clock;
  work: (steps: number) => Steps<number>;
  turns: () => number;
} {
  let nowMs = 0;
  let turns = 0;
  const clock: Clock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    setTimer: (_delayMs, callback) => {
      turns++;
      queueMicrotask(callback);
      return { cancel: () => {} };
    },
  };
  function* work(steps: number): Steps<number> {
    for (let done = 0; done < steps; done++) {
      nowMs++;
      yield;
    }
    return steps;
  }
  return { clock, work, turns: () => turns };
}

test("work in turns lets the event loop go on every 3 ms, and short work never waits", async () => {
  const { clock, work, turns } = workedClock();
  expect(await inTurns(clock, work(2))).toBe(2);
  expect(turns()).toBe(0);
  expect(await inTurns(clock, work(10))).toBe(10);
  expect(turns()).toBe(3);
});

test("work of one turn is done when the call returns, longer work later", async () => {
  const { clock, work, turns } = workedClock();
  const done: number[] = [];
  function* noted(steps: number): Steps<void> {
    done.push(yield* work(steps));
  }
  expect(inFirstOrMoreTurns(clock, noted(2))).toBe(null);
  expect(done).toEqual([2]);
  const rest = inFirstOrMoreTurns(clock, noted(10));
  expect(done).toEqual([2]);
  await rest;
  expect(done).toEqual([2, 10]);
  expect(turns()).toBe(3);
});

test("work at once is the same work", () => {
  const { work, turns } = workedClock();
  expect(atOnce(work(10))).toBe(10);
  expect(turns()).toBe(0);
});
