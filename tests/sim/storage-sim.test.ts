import { expect, test } from "bun:test";
import { StorageSim } from "./storage-sim.ts";

test("a few seeds of the storage simulator hold", () => {
  for (let seed = 1; seed <= 12; seed++) new StorageSim(seed).run();
}, 60_000);

test("the same seed gives the same run", () => {
  const traces = [1, 2].map(() => {
    const sim = new StorageSim(77);
    sim.run();
    return sim.trace.join("\n");
  });
  expect(traces[0]).toBe(traces[1]!);
}, 60_000);
