/**
 * Faults against the built binary: `bun tests/faults/run.ts [--rounds 100] [--seed N] [NAME…]`.
 * Scenarios: kill, disk-full, hostile.
 */
import { needKcat } from "../compat/install.ts";
import { diskFull } from "./disk-full.ts";
import { hostileInput } from "./hostile-input.ts";
import { killRounds } from "./kill-rounds.ts";

function numberAfter(args: readonly string[], flag: string, fallback: number): number {
  const index = args.indexOf(flag);
  return index < 0 ? fallback : Number(args[index + 1]);
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const rounds = numberAfter(args, "--rounds", 100);
  const seed = numberAfter(args, "--seed", 1);
  const scenarios: Readonly<Record<string, () => Promise<string>>> = {
    kill: () => killRounds({ rounds, seed }),
    "disk-full": diskFull,
    hostile: hostileInput,
  };
  const names = args.filter((arg) => arg in scenarios);
  const known = new Set(["--rounds", "--seed", String(rounds), String(seed), ...names]);
  const unknown = args.find((arg) => !known.has(arg));
  if (unknown !== undefined) {
    console.error(`faults: ${unknown} is neither an option nor one of ${Object.keys(scenarios)}`);
    return 2;
  }
  const missing = await needKcat();
  if (missing !== null) {
    console.log(`skip: ${missing}`);
    return process.env["CI"] ? 1 : 0;
  }
  let failed = 0;
  let passed = 0;
  for (const [name, scenario] of Object.entries(scenarios)) {
    if (names.length > 0 && !names.includes(name)) continue;
    try {
      console.log(`ok    ${name}: ${await scenario()}`);
      passed++;
    } catch (error) {
      failed++;
      console.log(`FAIL  ${name}: ${error instanceof Error ? error.stack : error}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
