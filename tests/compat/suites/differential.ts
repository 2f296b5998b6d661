/**
 * The same drawn requests to Apache Kafka and to our broker, which have to answer alike
 * (`tests/compat/differential/`): several thousand, in CI's sample a few hundred.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AREAS } from "../differential/areas/index.ts";
import { wrongAnswers } from "../differential/bad-input/index.ts";
import { withBrokers } from "../differential/brokers.ts";
import { playPlan } from "../differential/differential.ts";
import { EXPLAINED } from "../differential/explained.ts";
import { needKafka } from "../install.ts";
import type { CompatSuite } from "../suite.ts";

const IS_SAMPLE = process.argv.includes("--sample");
const STEPS_PER_EPISODE = IS_SAMPLE ? 25 : 40;
const EPISODES_PER_AREA = IS_SAMPLE ? 1 : 20;

async function compareAll(): Promise<void> {
  const outcome = await withBrokers({}, async (pair) => {
    const wrong = await wrongAnswers(pair.theirs, "bad-");
    if (wrong.length > 0) throw new Error(`Apache Kafka's own codes:\n${wrong.join("\n")}`);
    return await playPlan(pair, {
      areas: AREAS,
      firstSeed: 1,
      episodesPerArea: EPISODES_PER_AREA,
      stepsPerEpisode: STEPS_PER_EPISODE,
      maxFindings: 5,
      shrink: !IS_SAMPLE,
      log: (line) => console.log(line),
    });
  });
  console.log(`  ${outcome.requests} requests in ${outcome.areas.join(", ")}`);
  if (outcome.findings.length > 0) {
    throw new Error(
      `${outcome.findings.length} differences from Apache Kafka; replay one with ` +
        "`bun tests/compat/differential/run.ts` and the flags beside it",
    );
  }
  const stale = EXPLAINED.filter(({ name, deviation }) =>
    deviation !== null && !outcome.explained.has(name)
  );
  if (!IS_SAMPLE && stale.length > 0) {
    throw new Error(`explained, but never met: ${stale.map(({ name }) => name).join("; ")}`);
  }
}

/** Each explanation is one that users can read. */
function checkExplanations(): void {
  const page = readFileSync(join(import.meta.dir, "../../../docs/deviations.md"), "utf8")
    .replaceAll(/\s+/g, " ");
  const missing = EXPLAINED.find(({ deviation }) =>
    deviation !== null && !page.includes(deviation)
  );
  if (missing !== undefined) {
    throw new Error(`docs/deviations.md does not say: ${missing.deviation} (${missing.name})`);
  }
}

export const differential: CompatSuite = {
  name: "differential",
  needs: [needKafka],
  inSample: true,
  cases: [
    {
      name: "what is known to differ is documented",
      run: () => Promise.resolve(checkExplanations()),
    },
    { name: "drawn requests are answered as by Apache Kafka 4.3.1", run: compareAll },
  ],
};
