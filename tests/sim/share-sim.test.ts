import { expect, test } from "bun:test";
import { silentLogger } from "../../core/logger.ts";
import { ShareSim } from "./share-sim.ts";

test("a few seeds of the share groups' simulator hold", () => {
  for (let seed = 1; seed <= 10; seed++) new ShareSim(seed, silentLogger).run();
}, 60_000);

test("the same seed gives the same run of a share group", () => {
  const traces = [1, 2].map(() => {
    const sim = new ShareSim(7, silentLogger);
    sim.run();
    return sim.trace.join("\n");
  });
  expect(traces[0]).toBe(traces[1]!);
}, 60_000);
