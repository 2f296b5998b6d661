/** confluent-kafka and aiokafka. */
import { join } from "node:path";
import { withBroker } from "../../harness/broker-process.ts";
import { runOk } from "../../harness/process.ts";
import { needPython, PYTHON } from "../install.ts";
import { type CompatSuite, expectContains } from "../suite.ts";

function script(file: string, expected: string): Promise<void> {
  return withBroker(async ({ bootstrap }) => {
    const path = join(import.meta.dir, "../clients", file);
    const finished = await runOk([PYTHON, path], {
      env: { BOOTSTRAP: bootstrap },
      timeoutMs: 120_000,
    });
    expectContains(finished.stdout, expected, file);
  });
}

export const pythonClients: CompatSuite = {
  name: "python-clients",
  needs: [needPython],
  inSample: true,
  cases: [
    { name: "confluent-kafka", run: () => script("confluent.py", "5000 records") },
    {
      name: "confluent-kafka in transactions",
      run: () => script("confluent_transactions.py", "20 transactions"),
    },
    {
      name: "aiokafka in transactions",
      run: () => script("aiokafka_transactions.py", "20 transactions"),
    },
    { name: "aiokafka", run: () => script("aiokafka_client.py", "1000 records") },
  ],
};
