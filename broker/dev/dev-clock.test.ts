/** In which order and how often timers fire while the time is moved. */
import { expect, test } from "bun:test";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { DevClock } from "./dev-clock.ts";

const DAY_MS = 86_400_000;
const HOOKS = { settled: () => Promise.resolve(), arrived: () => Promise.resolve() };

test("each timer fires at its own time, in order, and sets others that do", () => {
  const base = new SimClock(1_000_000);
  const clock = new DevClock(base);
  const fired: [string, number][] = [];
  const note = (name: string) => fired.push([name, Math.round(clock.clock.wallMs() / 60_000)]);
  const startMinutes = Math.round(clock.clock.wallMs() / 60_000);
  clock.sessions.setTimer(2 * 60_000, () => {
    note("session");
    clock.sessions.setTimer(60_000, () => note("rebalance"));
  });
  clock.housekeeping.setTimer(2.5 * 3_600_000, () => note("old"));
  const cancelled = clock.sessions.setTimer(60_000, () => note("never"));
  cancelled.cancel();
  const io = base.setTimer(60_000, () => note("io"));
  base.run(clock.advance(DAY_MS, HOOKS, true));
  expect(fired.map(([name, at]) => [name, at - startMinutes]))
    .toEqual([["session", 2], ["rebalance", 3], ["old", 150]]);
  expect(clock.aheadMs).toBe(DAY_MS);
  io.cancel();
});

test("what is done again and again is done more rarely in a long move, and once at its end", () => {
  const base = new SimClock(0);
  const clock = new DevClock(base);
  let times = 0;
  let lastMs = 0;
  const repeat = () => {
    times++;
    lastMs = clock.clock.wallMs();
    clock.housekeeping.setTimer(10_000, repeat);
  };
  clock.housekeeping.setTimer(10_000, repeat);
  base.run(clock.advance(365 * DAY_MS, HOOKS));
  expect(times).toBeGreaterThan(60);
  expect(times).toBeLessThan(70);
  expect(lastMs).toBeGreaterThanOrEqual(365 * DAY_MS);
  // And as often as before, once it is over.
  times = 0;
  base.advance(100_000);
  expect(times).toBeGreaterThanOrEqual(9);
});

test("sessions stay as they are unless they are meant; moves go one after the other", () => {
  const base = new SimClock(0);
  const clock = new DevClock(base);
  let isOver = false;
  clock.sessions.setTimer(60_000, () => (isOver = true));
  base.run(Promise.all([clock.advance(DAY_MS, HOOKS), clock.advance(DAY_MS, HOOKS)]));
  expect(isOver).toBe(false);
  expect(clock.aheadMs).toBe(2 * DAY_MS);
  expect(clock.sessions.monotonicMs()).toBeLessThan(60_000);
  base.advance(60_000);
  expect(isOver).toBe(true);
});
