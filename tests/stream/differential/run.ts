/**
 * Compares operators with Kafka Streams: `bun tests/stream/differential/run.ts [--cases N] [--seed N]
 * [--skip N] [--show N] [--operators]`, which leaves out so many cases before, shows so many differences,
 * and in how many cases each operator is. Exit code 0 if all agreed.
 */
import { parseArgs } from "node:util";
import { needJavaPrograms } from "../../compat/java-programs.ts";
import { NOT_COMPARED } from "./operators.ts";
import { type Answer, compareStreams } from "./compare.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    skip: { type: "string", default: "0" },
    show: { type: "string", default: "2" },
    operators: { type: "boolean", default: false },
  },
});

/** Of each topic that differs the records from the first on that does. */
function howTheyDiffer(kafka: Answer, ours: Answer): string {
  const lines = [kafka.error ?? "", ours.error ?? ""].flatMap((error, i) =>
    error === "" ? [] : [`  ${i === 0 ? "Kafka" : "ours"} fails: ${error}`]
  );
  const names = new Set([...Object.keys(kafka.topics ?? {}), ...Object.keys(ours.topics ?? {})]);
  for (const name of names) {
    const [theirs, own] = [kafka.topics?.[name] ?? [], ours.topics?.[name] ?? []];
    if (Bun.deepEquals(theirs, own)) continue;
    const at = theirs.findIndex((record, i) => !Bun.deepEquals(record, own[i]));
    const from = at === -1 ? theirs.length : at;
    lines.push(
      `  ${name} from record ${from} on`,
      `    Kafka: ${JSON.stringify(theirs.slice(from, from + 5))}`,
      `    ours:  ${JSON.stringify(own.slice(from, from + 5))}`,
    );
  }
  return lines.join("\n");
}

const reason = await needJavaPrograms();
if (reason !== null) throw new Error(reason);
const { cases, operators, records, refused, reordered, differences } = await compareStreams(
  Number(values.seed),
  Number(values.cases),
  Number(values.skip),
);
for (const { test, kafka, ours } of differences.slice(0, Number(values.show))) {
  console.log(
    `${test.steps.map((step) => JSON.stringify(step)).join("\n")}\n${
      test.inputs.map((input) => JSON.stringify(input)).join("\n")
    }\n${howTheyDiffer(kafka, ours)}\n`,
  );
}
if (values.operators) {
  for (const [name, count] of operators) console.log(`${String(count).padStart(6)}  ${name}`);
  for (const [name, why] of Object.entries(NOT_COMPARED)) console.log(`     –  ${name}: ${why}`);
}
console.log(
  `${cases} cases, ${records} records the same, ${refused} refused by both, ${reordered} merged in another order, ${differences.length} differences`,
);
process.exit(differences.length === 0 ? 0 : 1);
