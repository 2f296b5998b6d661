/**
 * Compares converters, transforms and literals with Kafka Connect's classes:
 * `bun tests/compat/connect-data/run.ts [--cases N] [--seed N] [--show N]`, which
 * shows so many differences of each class. Exit code 0 if all agreed.
 */
import { parseArgs } from "node:util";
import { needJavaPrograms } from "../java-programs.ts";
import { compareConnectData } from "./compare.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "5000" },
    seed: { type: "string", default: "1" },
    show: { type: "string", default: "2" },
  },
});

const reason = await needJavaPrograms();
if (reason !== null) throw new Error(reason);
const { cases, refused, explained, differences } = await compareConnectData(
  Number(values.seed),
  Number(values.cases),
);
const seen = new Map<string, number>();
for (const { test, kafka, ours } of differences) {
  const kind = "class" in test ? test.class : test.kind;
  seen.set(kind, (seen.get(kind) ?? 0) + 1);
  if (seen.get(kind)! > Number(values.show)) continue;
  console.log(
    `${JSON.stringify(test)}\n  Kafka: ${JSON.stringify(kafka)}\n  ours:  ${
      JSON.stringify(ours)
    }\n`,
  );
}
for (const [kind, count] of seen) console.log(`differences ${count}: ${kind}`);
for (const [why, count] of explained) console.log(`explained ${count}: ${why}`);
console.log(`${cases} cases, ${refused} refused by both, ${differences.length} differences`);
process.exit(differences.length === 0 ? 0 : 1);
