/**
 * Runs every proof in full: `bun tests/prove.ts [--fresh] [--sample] [SUITE…]`.
 *
 * Resumable by suite: `tests/out/prove.json` keeps each result with the tree it was obtained on,
 * and a suite that held on this very tree is not run again unless `--fresh`. `--sample` runs CI's
 * samples instead, simulators beside the rest, and keeps nothing.
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

/** Runs a suite to its end. What it prints is shown at once, or where others print, when it is over. */
async function run(
  suite: Suite,
  command: readonly string[],
  tree: string,
  shows: "at once" | "at the end" = "at once",
): Promise<Result> {
  const startedAt = new Date();
  const title = `── ${suite.name}: ${suite.proves}\n   ${command.join(" ")}\n`;
  if (shows === "at once") process.stdout.write(title);
  const child = Bun.spawn([...command], {
    cwd: ROOT,
    stdout: "pipe",
    stderr: shows === "at once" ? "inherit" : "pipe",
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), suite.minutesMax * 60_000);
  const errors = child.stderr === undefined ? "" : new Response(child.stderr).text();
  let shown = title;
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    if (shows === "at once") process.stdout.write(chunk);
    const text = decoder.decode(chunk, { stream: true });
    if (shows === "at the end") shown += text;
    tail = (tail + text).slice(-4096);
  }
  const exitCode = await child.exited;
  clearTimeout(timer);
  if (shows === "at the end") process.stdout.write(shown + await errors);
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

/** What came of suites, and who failed. */
class Score {
  readonly failed: string[] = [];
  held = 0;

  count({ suite, held, seconds }: Result): void {
    if (held) this.held++;
    else this.failed.push(suite);
    console.log(`── ${suite}: ${held ? "held" : "FAILED"} in ${seconds} s\n`);
  }

  print(): number {
    if (this.failed.length > 0) console.log(`failed: ${this.failed.join(", ")}`);
    console.log(`${this.held} passed, ${this.failed.length} failed`);
    return this.failed.length === 0 ? 0 : 1;
  }
}

/** The samples: simulators on one processor, one after the other, and all else beside them. */
async function runSamples(suites: readonly Suite[], tree: string): Promise<number> {
  const score = new Score();
  const lane = async (members: readonly Suite[], shows: "at once" | "at the end") => {
    for (const suite of members) {
      if ("leftOut" in suite.sample) {
        console.log(`── ${suite.name}: left out of the sample: ${suite.sample.leftOut}`);
      } else {
        score.count(await run(suite, suite.sample, tree, shows));
      }
    }
  };
  await Promise.all([
    lane(suites.filter(({ isSimulated }) => isSimulated !== true), "at once"),
    lane(suites.filter(({ isSimulated }) => isSimulated === true), "at the end"),
  ]);
  return score.print();
}

/** All in full but those that held on this very tree. */
async function runInFull(suites: readonly Suite[], tree: string, fresh: boolean): Promise<number> {
  const score = new Score();
  const kept = readLog();
  for (const suite of suites) {
    const before = kept.find((result) => result.suite === suite.name);
    if (!fresh && tree !== "dirty" && before?.held === true && before.tree === tree) {
      console.log(`── ${suite.name}: held on this tree at ${before.startedAt}`);
      score.held++;
      continue;
    }
    const result = await run(suite, suite.full, tree);
    save([...readLog().filter((other) => other.suite !== suite.name), result]);
    score.count(result);
  }
  return score.print();
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const names = args.filter((arg) => !arg.startsWith("--"));
  const unknown = names.find((name) => !SUITES.some((suite) => suite.name === name));
  if (unknown !== undefined) {
    console.error(`prove: no suite ${unknown}; there are ${SUITES.map((s) => s.name).join(", ")}`);
    return 2;
  }
  const suites = SUITES.filter(({ name }) => names.length === 0 || names.includes(name));
  const tree = currentTree();
  return args.includes("--sample")
    ? await runSamples(suites, tree)
    : await runInFull(suites, tree, args.includes("--fresh"));
}

process.exit(await main());
