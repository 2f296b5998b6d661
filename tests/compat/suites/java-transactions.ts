/** Transactions and exactly-once by Kafka's own Java clients and tools. */
import { needJavaPrograms, runScenarios } from "../java-programs.ts";
import { copyWhileKilled } from "../exactly-once-copy.ts";
import { hangingTransaction } from "../hanging-transaction.ts";
import type { CompatSuite } from "../suite.ts";
import { withTarget } from "../target.ts";

/** So that what is due to be aborted is aborted soon. */
const SETTINGS = { "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500" };

function scenarios(...names: string[]) {
  return () =>
    withTarget(({ bootstrap }) => runScenarios("Transactions", bootstrap, names), SETTINGS);
}

export const javaTransactions: CompatSuite = {
  name: "java-transactions",
  needs: [needJavaPrograms],
  inSample: true,
  control: true,
  cases: [
    {
      name: "fencing, isolation, offsets, errors, timeouts",
      run: scenarios(
        "isolation",
        "fencing",
        "zombie-commit",
        "interleaved",
        "abort-after-error",
        "epoch-bump",
        "offsets",
        "group-fencing-classic",
        "group-fencing-consumer",
        "timeout",
        "admin",
        "many-partitions",
      ),
    },
    {
      name: "kafka-transactions finds and aborts a hanging transaction",
      inSample: false,
      run: hangingTransaction,
    },
    {
      name: "a copy loop killed with kill -9, and its broker too (classic)",
      inSample: false,
      run: () => copyWhileKilled("classic"),
    },
    {
      name: "a copy loop killed with kill -9, and its broker too (consumer)",
      inSample: false,
      run: () => copyWhileKilled("consumer"),
    },
  ],
};
