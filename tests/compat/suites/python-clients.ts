/** confluent-kafka and aiokafka. */
import { join } from "node:path";
import { runOk } from "../../harness/process.ts";
import { needPython, PYTHON } from "../install.ts";
import { type CompatSuite, expectContains } from "../suite.ts";
import { withTarget } from "../target.ts";

function script(file: string, expected: string): Promise<void> {
  return withTarget(async ({ bootstrap }) => {
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
  control: true,
  cases: [
    { name: "confluent-kafka", run: () => script("confluent.py", "5000 records") },
    { name: "aiokafka", run: () => script("aiokafka_client.py", "1000 records") },
    {
      name: "confluent-kafka, transactions and the new group protocol",
      run: () => script("confluent_transactions.py", "4000 records"),
    },
    {
      name: "aiokafka, transactions",
      run: () => script("aiokafka_transactions.py", "261 records"),
    },
  ],
};
