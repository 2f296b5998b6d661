/**
 * `bun tests/connect/kit/run.ts [--only NAME,…] [--seconds 20] [--seed 1]
 * [--broker apache] [--verbose]`: every built-in connector
 * through everything that can happen (`scenario.ts`), its records counted one by one.
 */
import { parseArgs } from "node:util";
import type { Verdict } from "./ledger.ts";
import type { BrokerKind } from "./processes.ts";
import { runScenario } from "./scenario.ts";
import { SYSTEMS } from "./systems.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seconds: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    broker: { type: "string", default: "kstream" },
    verbose: { type: "boolean", default: false },
  },
});
if (values.broker !== "kstream" && values.broker !== "apache") {
  throw new Error("--broker is kstream or apache");
}
const broker: BrokerKind = values.broker;
const LOG_SHOWN = 6000;
const wanted = values.only?.split(",");
const chosen = SYSTEMS.filter(({ name }) => wanted === undefined || wanted.includes(name));
if (chosen.length === 0) {
  throw new Error(`--only has none of ${SYSTEMS.map(({ name }) => name).join(", ")}`);
}
let failures = 0;
for (const kind of chosen) {
  const missing = await kind.need();
  if (missing !== null) {
    if (process.env["CI"] !== undefined) throw new Error(`${kind.name}: ${missing}`);
    console.log(`${kind.name}: left out, ${missing}`);
    continue;
  }
  const beganMs = performance.now();
  const tell = (what: string) => {
    if (values.verbose) console.log(`${((performance.now() - beganMs) / 1000).toFixed(1)} ${what}`);
  };
  const options = { seed: Number(values.seed), seconds: Number(values.seconds), broker, tell };
  const outcome = await runScenario(kind, options).catch((error: unknown) => {
    console.log(`${kind.name}: ${error instanceof Error ? error.stack : error}`);
    return null;
  });
  if (outcome === null) {
    failures++;
    continue;
  }
  const { verdict, troubles, complaints, log } = outcome;
  const took = ((performance.now() - beganMs) / 1000).toFixed(0);
  const made = Array.from(troubles, ([name, count]) => `${count} ${name}`).join(", ");
  console.log(
    `${kind.name}: ${verdict.given} records, ${lostOf(verdict)} lost, ${verdict.doubled.length} ` +
      `doubled, ${outcome.bad} bad, ${outcome.deadLetters} dead letters; ${made}; ${took} s`,
  );
  if (complaints.length === 0) continue;
  failures++;
  const tail = log.slice(-LOG_SHOWN);
  console.log(`${kind.name}: seed ${values.seed} FAILED: ${complaints.join("; ")}\n${tail}`);
}

/** With those that may be. */
function lostOf({ lost, excused }: Verdict): string {
  return excused.length === 0
    ? String(lost.length)
    : `${lost.length} (and ${excused.length} excused)`;
}

console.log(`${chosen.length - failures} of ${chosen.length} connectors keep what they say`);
process.exit(failures === 0 ? 0 : 1);
