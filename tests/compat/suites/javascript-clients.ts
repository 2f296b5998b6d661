/** kafkajs on Node and on Bun, @platformatic/kafka on Bun (on Node it needs 22 or later). */
import { join } from "node:path";
import { withBroker } from "../../harness/broker-process.ts";
import { runOk } from "../../harness/process.ts";
import { needNode } from "../install.ts";
import { type CompatSuite, expectContains } from "../suite.ts";

const CLIENTS = join(import.meta.dir, "../clients");

function script(runtime: string, file: string, said = "1000 records"): Promise<void> {
  return withBroker(async ({ bootstrap }) => {
    const finished = await runOk([runtime, join(CLIENTS, file)], {
      env: { BOOTSTRAP: bootstrap },
      timeoutMs: 90_000,
    });
    expectContains(finished.stdout, said, file);
  });
}

export const javascriptClients: CompatSuite = {
  name: "javascript-clients",
  needs: [needNode],
  inSample: true,
  cases: [
    { name: "kafkajs on Node", run: () => script("node", "kafkajs.mjs") },
    { name: "kafkajs on Bun", run: () => script("bun", "kafkajs.mjs") },
    {
      name: "kafkajs in transactions",
      run: () => script("bun", "kafkajs-transactions.mjs", "20 transactions"),
    },
    { name: "@platformatic/kafka on Bun", run: () => script("bun", "platformatic.mjs") },
  ],
};
