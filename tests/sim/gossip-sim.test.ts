import { expect, test } from "bun:test";
import { silentLogger } from "../../core/logger.ts";
import { GossipSim } from "./gossip-sim.ts";

test("a few seeds of the gossip simulator hold", () => {
  for (let seed = 1; seed <= 10; seed++) new GossipSim(seed, silentLogger).run();
}, 60_000);

test("the same seed gives the same run of gossip", () => {
  const traces = [1, 2].map(() => {
    const sim = new GossipSim(7, silentLogger);
    sim.run();
    return sim.trace.join("\n");
  });
  expect(traces[0]).toBe(traces[1]!);
  expect(traces[0]!.length).toBeGreaterThan(200);
}, 60_000);
