/** kafkajs on Node and on Bun, @platformatic/kafka on Bun (on Node it needs 22 or later). */
import { join } from "node:path";
import { runOk } from "../../harness/process.ts";
import { needNode } from "../install.ts";
import { type CompatSuite, expectContains } from "../suite.ts";
import { withTarget } from "../target.ts";

const CLIENTS = join(import.meta.dir, "../clients");

function script(runtime: string, file: string, expected = "1000 records"): Promise<void> {
  return withTarget(async ({ bootstrap }) => {
    const finished = await runOk([runtime, join(CLIENTS, file)], {
      env: { BOOTSTRAP: bootstrap },
      timeoutMs: 90_000,
    });
    expectContains(finished.stdout, expected, file);
  });
}

export const javascriptClients: CompatSuite = {
  name: "javascript-clients",
  needs: [needNode],
  inSample: true,
  control: true,
  cases: [
    { name: "kafkajs on Node", run: () => script("node", "kafkajs.mjs") },
    { name: "kafkajs on Bun", run: () => script("bun", "kafkajs.mjs") },
    { name: "@platformatic/kafka on Bun", run: () => script("bun", "platformatic.mjs") },
    {
      name: "kafkajs, transactions",
      run: () => script("node", "kafkajs-transactions.mjs", "261 records"),
    },
    {
      name: "@platformatic/kafka, transactions and the new group protocol",
      run: () => script("bun", "platformatic-transactions.mjs", "380 records"),
    },
  ],
};
