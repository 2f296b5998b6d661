/**
 * Compares the codec with Kafka's classes: `bun tests/compat/protocol/run.ts [--samples N]
 * [--seed N]`. Prints counts; exit code 0 if all agreed, 1 if not or (in CI) if it cannot run.
 */
import { compareWithKafka, needOracle } from "./oracle.ts";

function option(name: string, byDefault: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? byDefault : Number(process.argv[at + 1]);
}

async function main(): Promise<number> {
  const reason = await needOracle();
  if (reason !== null) {
    console.log(`skip  protocol: ${reason}`);
    return process.env["CI"] ? 1 : 0;
  }
  const seed = option("seed", 1);
  const { failures, ...counts } = await compareWithKafka(seed, option("samples", 50));
  for (const failure of failures.slice(0, 20)) console.log(`FAIL  ${failure}`);
  console.log(
    `protocol: seed ${seed}: ${counts.messages} messages, ${counts.versions} message versions, ` +
      `${counts.samples} samples, ${counts.bytes} bytes, ${failures.length} failures`,
  );
  return failures.length === 0 ? 0 : 1;
}

process.exit(await main());
