/**
 * Compares operators with Kafka Streams: `bun tests/stream/differential/run.ts [--cases N] [--seed N]
 * [--show N]`, which shows so many differences. Exit code 0 if all agreed.
 */
import { parseArgs } from "node:util";
import { needJavaPrograms } from "../../compat/java-programs.ts";
import { compareStreams } from "./compare.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    show: { type: "string", default: "2" },
  },
});

const reason = await needJavaPrograms();
if (reason !== null) throw new Error(reason);
const { cases, records, refused, reordered, differences } = await compareStreams(
  Number(values.seed),
  Number(values.cases),
);
for (const { test, kafka, ours } of differences.slice(0, Number(values.show))) {
  console.log(
    `${test.steps.map((step) => JSON.stringify(step)).join("\n")}\n${
      test.inputs.map((input) => JSON.stringify(input)).join("\n")
    }\n  Kafka: ${JSON.stringify(kafka)}\n  ours:  ${JSON.stringify(ours)}\n`,
  );
}
console.log(
  `${cases} cases, ${records} records the same, ${refused} refused by both, ${reordered} merged in another order, ${differences.length} differences`,
);
process.exit(differences.length === 0 ? 0 : 1);
