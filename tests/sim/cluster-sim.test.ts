import { expect, test } from "bun:test";
import { silentLogger } from "../../core/logger.ts";
import { ClusterSim } from "./cluster-sim.ts";

const QUIET = { steps: 5, stepMs: 300 };

test("the world of clusters holds for one broker", () => {
  const alone = { brokers: 1, replicationFactor: 1, minInsync: 1 };
  new ClusterSim(1, silentLogger, { ...QUIET, ...alone }).run();
}, 60_000);

test("the same seed gives the same run of a cluster", () => {
  const traces = [1, 2].map(() => {
    const alone = { brokers: 1, replicationFactor: 1, minInsync: 1 };
    const sim = new ClusterSim(3, silentLogger, { ...QUIET, ...alone });
    sim.run();
    return sim.trace.join("\n");
  });
  expect(traces[0]).toBe(traces[1]!);
}, 60_000);
