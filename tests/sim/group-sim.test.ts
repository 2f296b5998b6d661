import { expect, test } from "bun:test";
import { silentLogger } from "../../core/logger.ts";
import { GroupSim } from "./group-sim.ts";

test("a few seeds of the groups' simulator hold", () => {
  for (let seed = 1; seed <= 8; seed++) new GroupSim(seed, silentLogger).run();
}, 60_000);

test("the same seed gives the same run of a group", () => {
  const traces = [1, 2].map(() => {
    const sim = new GroupSim(3, silentLogger);
    sim.run();
    return sim.trace.join("\n");
  });
  expect(traces[0]).toBe(traces[1]!);
}, 60_000);
