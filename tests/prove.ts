/**
 * Runs every proof in full: `bun tests/prove.ts [--fresh] [--sample] [SUITE…]`.
 *
 * Resumable by suite: `tests/out/prove.json` keeps each result with the tree it was obtained on,
 * and a suite that held on this very tree is not run again unless `--fresh`. `--sample` runs CI's
 * samples instead and keeps nothing.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Suite, SUITES } from "./suites.ts";

interface Result {
  readonly suite: string;
  /** Hash of the sources: the commit's tree, or "dirty" where there are uncommitted changes. */
  readonly tree: string;
  readonly held: boolean;
  readonly exitCode: number;
  readonly startedAt: string;
  readonly seconds: number;
  /** The last lines that the suite printed. */
  readonly tail: readonly string[];
}

const ROOT = join(import.meta.dir, "..");
const OUT = join(ROOT, "tests/out");
const LOG = join(OUT, "prove.json");

function git(...args: string[]): string {
  return Bun.spawnSync(["git", ...args], { cwd: ROOT }).stdout.toString().trim();
}

function currentTree(): string {
  return git("status", "--porcelain") === "" ? git("rev-parse", "HEAD^{tree}") : "dirty";
}

function readLog(): Result[] {
  try {
    return JSON.parse(readFileSync(LOG, "utf8")) as Result[];
  } catch {
    return []; // no log yet, or an unreadable one: every suite runs
  }
}

async function run(suite: Suite, command: readonly string[], tree: string): Promise<Result> {
  const startedAt = new Date();
  console.log(`── ${suite.name}: ${suite.proves}\n   ${command.join(" ")}`);
  const child = Bun.spawn([...command], { cwd: ROOT, stdout: "pipe", stderr: "inherit" });
  const timer = setTimeout(() => child.kill("SIGKILL"), suite.minutesMax * 60_000);
  let tail = "";
  for await (const chunk of child.stdout) {
    process.stdout.write(chunk);
    tail = (tail + new TextDecoder().decode(chunk)).slice(-4096);
  }
  const exitCode = await child.exited;
  clearTimeout(timer);
  return {
    suite: suite.name,
    tree,
    held: exitCode === 0,
    exitCode,
    startedAt: startedAt.toISOString(),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    tail: tail.trimEnd().split("\n").slice(-12),
  };
}

function save(results: readonly Result[]): void {
  mkdirSync(OUT, { recursive: true });
  writeFileSync(LOG, JSON.stringify(results, null, 2) + "\n");
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const sample = args.includes("--sample");
  const fresh = args.includes("--fresh");
  const names = args.filter((arg) => !arg.startsWith("--"));
  const unknown = names.find((name) => !SUITES.some((suite) => suite.name === name));
  if (unknown !== undefined) {
    console.error(`prove: no suite ${unknown}; there are ${SUITES.map((s) => s.name).join(", ")}`);
    return 2;
  }
  const tree = currentTree();
  const kept = readLog();
  const failed: string[] = [];
  let held = 0;
  for (const suite of SUITES) {
    if (names.length > 0 && !names.includes(suite.name)) continue;
    if (sample && "leftOut" in suite.sample) {
      console.log(`── ${suite.name}: left out of the sample: ${suite.sample.leftOut}`);
      continue;
    }
    const before = kept.find((result) => result.suite === suite.name);
    if (!sample && !fresh && tree !== "dirty" && before?.held === true && before.tree === tree) {
      console.log(`── ${suite.name}: held on this tree at ${before.startedAt}`);
      held++;
      continue;
    }
    const command = sample && !("leftOut" in suite.sample) ? suite.sample : suite.full;
    const result = await run(suite, command, tree);
    if (!sample) {
      save([...readLog().filter((other) => other.suite !== suite.name), result]);
    }
    if (result.held) held++;
    else failed.push(suite.name);
    console.log(`── ${suite.name}: ${result.held ? "held" : "FAILED"} in ${result.seconds} s\n`);
  }
  if (failed.length > 0) console.log(`failed: ${failed.join(", ")}`);
  console.log(`${held} passed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 1;
}

process.exit(await main());
