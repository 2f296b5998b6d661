import { expect, test } from "bun:test";
import { SimClock } from "../tests/sim/sim-clock.ts";
import { fit } from "./fit.ts";
import { duration, Progress } from "./progress.ts";

test("rate and time left are of the last seconds", () => {
  const clock = new SimClock(0);
  const shown: string[] = [];
  let done = 0;
  const progress = new Progress(clock, (text) => shown.push(text), () => ({
    ...{ done, total: 10_000_000, bytes: done, records: done / 100, counts: ["sent 1"] },
  }));
  for (const atMs of [500, 1000]) {
    done += 500_000;
    clock.step(atMs);
  }
  expect(shown.at(-1)).toBe("10 %, 9 s left, 1.0 MB/s, 10,000 records/s, sent 1");
  progress.stop();
  expect(shown.at(-1)).toBe("");
  clock.step(10_000);
  expect(shown).toHaveLength(3);
});

test("without an end there is no share, and nothing to show it to is no work", () => {
  const clock = new SimClock(0);
  const shown: string[] = [];
  const state = () => ({ done: 1, total: null, bytes: 0, records: null, counts: [] });
  new Progress(clock, (text) => shown.push(text), state);
  clock.step(500);
  expect(shown).toEqual(["0 B/s"]);
  new Progress(clock, null, () => expect.unreachable()).stop();
});

test("durations, and what fits a narrow terminal", () => {
  expect([0.2, 59.1, 187, 8100].map(duration)).toEqual(["1 s", "1:00 min", "3:07 min", "2:15 h"]);
  expect(fit("42 %, 3 s left, 1 MB/s", 40)).toBe("42 %, 3 s left, 1 MB/s");
  expect(fit("42 %, 3 s left, 1 MB/s", 16)).toBe("42 %, 3 s left");
  expect(fit("42 %, 3 s left", 3)).toBe("42 ");
});
