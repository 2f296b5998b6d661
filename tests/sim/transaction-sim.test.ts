import { expect, test } from "bun:test";
import { silentLogger } from "../../core/logger.ts";
import { TransactionSim } from "./transaction-sim.ts";

test("a few seeds of the transactions' simulator hold", () => {
  for (let seed = 1; seed <= 8; seed++) new TransactionSim(seed, silentLogger).run();
}, 60_000);

test("the same seed gives the same run of transactions", () => {
  const traces = [1, 2].map(() => {
    const sim = new TransactionSim(17, silentLogger);
    sim.run();
    return sim.trace.join("\n");
  });
  expect(traces[0]).toBe(traces[1]!);
}, 60_000);
