import { expect, test } from "bun:test";
import { silentLogger } from "../../core/logger.ts";
import { ClusterSim } from "./cluster-sim.ts";

const QUIET = { steps: 5, stepMs: 300 };
const ALONE = {
  brokers: 1,
  replicationFactor: 1,
  minInsync: 1,
  durability: "fsync",
  losesOne: false,
} as const;

test("a few seeds of the simulated cluster hold", () => {
  for (let seed = 1; seed <= 3; seed++) {
    new ClusterSim(seed, silentLogger, { ...QUIET, brokers: 3 }).run();
  }
}, 60_000);

test("the world of clusters holds for one broker", () => {
  new ClusterSim(1, silentLogger, { ...QUIET, ...ALONE }).run();
}, 60_000);

test("the same seed gives the same run of a cluster", () => {
  const traces = [1, 2].map(() => {
    const sim = new ClusterSim(3, silentLogger, { ...QUIET, ...ALONE });
    sim.run();
    return sim.trace.join("\n");
  });
  expect(traces[0]).toBe(traces[1]!);
}, 60_000);
