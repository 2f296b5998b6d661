/**
 * The admin API of the built binary against programs that know OpenAPI: its document is valid, and what
 * schemathesis draws from it gets no 5xx and nothing that the document does not say.
 *
 *     bun tests/admin/run.ts [--examples 100] [--seed 1]
 *
 * Reads end where the topic ends, for this alone (`bounded.py`). Left out is the clock: that would make
 * all that is under way expire.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { needOpenApiPrograms, OPENAPI_PROGRAMS } from "../compat/install.ts";
import { type BrokerProcess, freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import { run } from "../harness/process.ts";

const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
];
const LEFT_OUT = "/v1/dev/clock";
const LINES_SHOWN = 120;
const TIMEOUT_MS = 1_200_000;

const { values } = parseArgs({
  options: {
    examples: { type: "string", default: "100" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    phases: { type: "string", default: "coverage,fuzzing" },
    "max-time": { type: "string" },
  },
});

async function validate(admin: string): Promise<void> {
  const path = join(freshDir("openapi"), "openapi.json");
  writeFileSync(path, await (await fetch(`${admin}/openapi.json`)).text());
  const command = [join(OPENAPI_PROGRAMS, "openapi-spec-validator"), path];
  const { exitCode, stdout, stderr } = await run(command, { timeoutMs: 60_000 });
  if (exitCode !== 0) throw new Error(`the document is not valid: ${stdout}${stderr}`);
  console.log("the document is valid OpenAPI 3.1");
}

async function fuzz(admin: string): Promise<void> {
  const limit = values["max-time"] === undefined ? [] : ["--max-time", values["max-time"]];
  const command = [
    join(OPENAPI_PROGRAMS, "st"),
    "run",
    `${admin}/openapi.json`,
    ...["-H", "X-Kstream-Request: 1"],
    ...["-c", CHECKS.join()],
    ...["--phases", values.phases],
    ...["--max-examples", values.examples],
    ...["--seed", values.seed],
    ...["--exclude-path-regex", LEFT_OUT],
    ...["--request-timeout", "30"],
    ...["--warnings", "off"],
    ...limit,
  ];
  const { exitCode, stdout, stderr } = await run(command, {
    timeoutMs: TIMEOUT_MS,
    // It keeps what it found there.
    cwd: freshDir("schemathesis"),
    env: { SCHEMATHESIS_HOOKS: "bounded", PYTHONPATH: import.meta.dir },
  });
  const shown = (stdout + stderr).split("\n").map((line) => line.slice(0, 300));
  console.log(shown.slice(-LINES_SHOWN).join("\n"));
  if (exitCode !== 0) throw new Error(`schemathesis has found something (--seed ${values.seed})`);
}

async function main(broker: BrokerProcess): Promise<void> {
  const { admin } = broker;
  if (admin === null) throw new Error("the broker has no admin API");
  await validate(admin);
  await fuzz(admin);
  if (/internal error/.test(broker.output())) {
    throw new Error(`the broker tells of an internal error: ${broker.output().slice(-3000)}`);
  }
}

const missing = await needOpenApiPrograms();
if (missing !== null) {
  console.log(`skipped: ${missing}`);
  process.exit(process.env["CI"] === undefined ? 0 : 1);
}
const broker = await startBrokerProcess({
  args: ["--memory", "--dev", "--admin", "127.0.0.1:0", "--topic", "orders:2"],
});
try {
  await main(broker);
} finally {
  await broker.stop();
}
