import { expect, test } from "bun:test";
import { CleanerSim } from "./cleaner-sim.ts";

test("a few seeds of the cleaner's simulator hold", () => {
  for (let seed = 1; seed <= 6; seed++) new CleanerSim(seed).run();
}, 60_000);

test("the same seed gives the same run of the cleaner", () => {
  const traces = [1, 2].map(() => {
    const sim = new CleanerSim(7);
    sim.run();
    return sim.trace.join("\n");
  });
  expect(traces[0]).toBe(traces[1]!);
}, 60_000);
