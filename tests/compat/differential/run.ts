/**
 * The differential test by hand:
 *
 *     bun tests/compat/differential/run.ts [--area NAME,…] [--seed N] [--episodes N] [--length N]
 *       [--steps I,J,…] [--findings N] [--whole] [--kafka HOST:PORT] [--kstream HOST:PORT]
 *       [--codes]
 *
 * `--seed --area --steps` replay what a difference was shrunk to. Brokers that already run can be
 * named; else fresh ones are started. `--whole` does not shrink what it finds. `--codes` lists
 * the codes that were met, by API.
 */
import { parseArgs } from "node:util";
import { needKafka } from "../install.ts";
import { AREAS } from "./areas/index.ts";
import { withBrokers } from "./brokers.ts";
import { playPlan } from "./differential.ts";

const { values } = parseArgs({
  options: {
    area: { type: "string" },
    seed: { type: "string", default: "1" },
    episodes: { type: "string" },
    length: { type: "string", default: "40" },
    steps: { type: "string" },
    findings: { type: "string", default: "1" },
    whole: { type: "boolean", default: false },
    kafka: { type: "string" },
    kstream: { type: "string" },
    codes: { type: "boolean", default: false },
  },
});

async function main(): Promise<number> {
  const names = values.area?.split(",");
  const unknown = names?.find((name) => !AREAS.some((area) => area.name === name));
  if (unknown !== undefined) {
    console.error(`no area ${unknown}; there are ${AREAS.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  const reason = values.kafka === undefined ? await needKafka() : null;
  if (reason !== null) throw new Error(reason);
  return await withBrokers(values, async (pair) => {
    const start = performance.now();
    const outcome = await playPlan(pair, {
      areas: AREAS.filter(({ name }) => names?.includes(name) ?? true),
      firstSeed: Number(values.seed),
      episodesPerArea: Number(values.episodes ?? (values.steps === undefined ? 5 : 1)),
      stepsPerEpisode: Number(values.length),
      ...(values.steps === undefined ? {} : { only: values.steps.split(",").map(Number) }),
      maxFindings: Number(values.findings),
      shrink: values.steps === undefined && !values.whole,
      log: (line) => console.log(line),
    });
    if (values.codes) {
      console.log([...outcome.codes].map(([k, n]) => `${k} ${n}`).sort().join("\n"));
    }
    for (const [rule, count] of outcome.explained) console.log(`explained ${count}: ${rule}`);
    console.log(
      `${outcome.requests} requests in ${Math.round((performance.now() - start) / 1000)} s, ` +
        `${outcome.unencodable} not encodable, ${outcome.findings.length} differences; areas ` +
        `${outcome.areas.join(", ")}; not served: ${outcome.notServed.join(", ") || "none"}`,
    );
    return outcome.findings.length === 0 ? 0 : 1;
  });
}

process.exit(await main());
