/** The metadata log and the election of the controller on real etcds, alone and three together. */
import { join } from "node:path";
import { runOk } from "../../harness/process.ts";
import { needEtcd } from "../install.ts";
import { type CompatSuite, expectContains } from "../suite.ts";

const ROOT = join(import.meta.dir, "../../..");
const FOLDER = "tests/compat/etcd";

/** The tests share what unit tests have, so they are such, too. */
async function runTests(file: string): Promise<void> {
  const command = [process.execPath, "test", "--timeout", "120000", `${FOLDER}/${file}`];
  const { stderr } = await runOk(command, { cwd: ROOT, timeoutMs: 300_000 });
  expectContains(stderr, "\n 0 fail", file);
}

export const etcd: CompatSuite = {
  name: "etcd",
  needs: [needEtcd],
  inSample: true,
  cases: [
    { name: "metadata log", run: () => runTests("log.test.ts") },
    { name: "TLS, users and passwords", run: () => runTests("security.test.ts") },
    { name: "kills, stops and lost quorums", run: () => runTests("faults.test.ts") },
  ],
};
