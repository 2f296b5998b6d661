import { expect, test } from "bun:test";
import type { Clock } from "../../core/io.ts";
import { MemoryKeeper } from "./memory-keeper.ts";

const MB = 1024 * 1024;

test("garbage is collected when the process has grown, the larger it is the more seldom", () => {
  let due: (() => void) | null = null;
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    setTimer: (_delayMs, callback) => {
      due = callback;
      return { cancel: () => due = null };
    },
  };
  let used = 100 * MB;
  let garbage = 0;
  let collections = 0;
  const memory = {
    residentBytes: () => used + garbage,
    collect: () => {
      collections++;
      garbage = 0;
    },
  };
  const keeper = new MemoryKeeper(clock, memory);
  keeper.start();
  const after = (grown: number) => {
    garbage += grown * MB;
    due!();
    return collections;
  };
  expect([after(30), after(9), after(1)]).toEqual([0, 0, 1]);
  expect([after(39), after(1)]).toEqual([1, 2]);
  used = 1000 * MB;
  expect([after(0), after(200), after(49), after(1)]).toEqual([3, 3, 3, 4]);
  // What the system has taken back counts from then on.
  used = 100 * MB;
  expect([after(0), after(40)]).toEqual([4, 5]);
  keeper.stop();
  expect(due).toBeNull();
});
