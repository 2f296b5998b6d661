/**
 * The examples of the client library (`docs/client.md`, `client/package/README.md`): each runs as a
 * program of its own against a broker in memory that has some orders, and prints what the `text`
 * block behind it says. `scripts/package.ts` checks their types against the package as it is built.
 */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Producer } from "../../client/package/bun.ts";
import { startBroker } from "../../testing/index.ts";
import { freshDir } from "../harness/broker-process.ts";

const ROOT = join(import.meta.dir, "../..");
const EXAMPLE = /^```ts\n([^]*?)^```$(?:\n\n^```text\n([^]*?)^```$)?/gm;
const ORDERS = [
  ["7", `{"item":"tea","count":2}`],
  ["7", `{"item":"milk","count":1}`],
  ["8", `{"item":"rice","count":5}`],
] as const;
const RUN_MS = 30_000;

function examplesOf(path: string) {
  return [...readFileSync(join(ROOT, path), "utf8").matchAll(EXAMPLE)]
    .map(([, source = "", output], index) => ({ name: `${path} ${index + 1}`, source, output }));
}

/** Runs a program; one that ends at SIGTERM gets it once it has printed what it should. */
async function runExample(source: string, output: string | undefined): Promise<string> {
  const dir = freshDir("example");
  const paths = {
    kstream: [join(ROOT, "client/package/bun.ts")],
    "kstream/testing": [join(ROOT, "testing/index.ts")],
  };
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions: { paths } }));
  writeFileSync(join(dir, "example.ts"), source);
  const child = Bun.spawn([process.execPath, "example.ts"], {
    cwd: dir,
    stdout: "pipe",
    stderr: "pipe",
    timeout: RUN_MS,
    killSignal: "SIGKILL",
  });
  const errors = new Response(child.stderr).text();
  let printed = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    printed += decoder.decode(chunk, { stream: true });
    if (source.includes("SIGTERM") && printed === output) child.kill("SIGTERM");
  }
  const exitCode = await child.exited;
  return exitCode === 0 ? printed : `${printed}exit code ${exitCode}\n${await errors}`;
}

for (const path of ["docs/client.md", "client/package/README.md"]) {
  for (const { name, source, output } of examplesOf(path)) {
    // Nobody listens there.
    if (source.includes("kafka.example.com")) continue;
    test(name, async () => {
      await using broker = await startBroker({ topics: ["orders"] });
      const producer = new Producer({ brokers: broker.brokers });
      for (const [key, value] of ORDERS) await producer.send({ topic: "orders", key, value });
      await producer.close();
      const printed = await runExample(
        source.replaceAll("localhost:9092", broker.bootstrap),
        output,
      );
      if (output === undefined) expect(printed).not.toContain("exit code");
      else expect(printed).toBe(output);
    }, RUN_MS + 5000);
  }
}
