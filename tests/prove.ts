/**
 * Runs every proof in full: `bun tests/prove.ts [--fresh] [--sample] [SUITE…]`.
 *
 * Resumable by suite: `tests/out/prove.json` keeps each result with the tree it was obtained on,
 * and a suite that held on this very tree is not run again unless `--fresh`. `--sample` runs CI's
 * samples instead, two at a time, and keeps nothing.
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

/** A suite that failed, and what of its output says why. */
interface Failure {
  readonly suite: string;
  readonly excerpt: string;
}

/** As much of what a suite prints is looked at when it failed. */
const OUTPUT_CHARS_MAX = 16 << 20;
/** Failed tests of a suite whose output is shown again, and lines before and with each. */
const FAILURES_SHOWN = 8;
const FAILURE_LINES = 40;

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

/** What failed tests printed before they failed, or the end of an output that names none. */
function excerptOf(output: string): string {
  const lines = output.trimEnd().split("\n");
  const failed = lines.flatMap((line, at) => line.startsWith("(fail)") ? [at] : []);
  if (failed.length === 0) return lines.slice(-FAILURE_LINES).join("\n");
  const shown = failed.slice(0, FAILURES_SHOWN).map((at, nth) => {
    const first = Math.max(at + 1 - FAILURE_LINES, nth === 0 ? 0 : (failed[nth - 1] ?? 0) + 1);
    return lines.slice(first, at + 1).filter((line) => !line.startsWith("(pass)")).join("\n");
  });
  return shown.join("\n");
}

/** Passes on what a suite prints, at once or not at all, and gives the end of it. */
async function read(
  from: ReadableStream<Uint8Array>,
  to: NodeJS.WriteStream | null,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of from) {
    to?.write(chunk);
    text = (text + decoder.decode(chunk, { stream: true })).slice(-OUTPUT_CHARS_MAX);
  }
  return text;
}

/** Runs a suite to its end. What it prints is shown at once, or where others print, when it is over. */
async function run(
  suite: Suite,
  command: readonly string[],
  tree: string,
  shows: "at once" | "at the end" = "at once",
): Promise<Result & Failure> {
  const startedAt = new Date();
  const title = `── ${suite.name}: ${suite.proves}\n   ${command.join(" ")}\n`;
  if (shows === "at once") process.stdout.write(title);
  const child = Bun.spawn([...command], { cwd: ROOT, stdout: "pipe", stderr: "pipe" });
  const timer = setTimeout(() => child.kill("SIGKILL"), suite.minutesMax * 60_000);
  const isShown = shows === "at once";
  // Bun's test runner prints its results to the error output, most other suites to the output.
  const [output, errors] = await Promise.all([
    read(child.stdout, isShown ? process.stdout : null),
    read(child.stderr, isShown ? process.stderr : null),
  ]);
  const exitCode = await child.exited;
  clearTimeout(timer);
  if (!isShown) process.stdout.write(title + output + errors);
  const ended = child.signalCode === null ? `exit code ${exitCode}` : `${child.signalCode}`;
  return {
    suite: suite.name,
    tree,
    held: exitCode === 0,
    exitCode,
    startedAt: startedAt.toISOString(),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    tail: output.trimEnd().split("\n").slice(-12),
    excerpt: `${excerptOf(output + errors)}\n${ended}`,
  };
}

function save(results: readonly Result[]): void {
  mkdirSync(OUT, { recursive: true });
  writeFileSync(LOG, JSON.stringify(results, null, 2) + "\n");
}

/** What came of suites, and who failed. */
class Score {
  readonly failed: Failure[] = [];
  held = 0;

  count({ suite, held, seconds, excerpt }: Result & Failure): void {
    if (held) this.held++;
    else this.failed.push({ suite, excerpt });
    console.log(`── ${suite}: ${held ? "held" : "FAILED"} in ${seconds} s\n`);
  }

  /** Says again at the end what failed and how: a long output is seldom read from its beginning. */
  print(): number {
    for (const { suite, excerpt } of this.failed) console.log(`── ${suite} failed:\n${excerpt}\n`);
    if (this.failed.length > 0) {
      console.log(`failed: ${this.failed.map(({ suite }) => suite).join(", ")}`);
    }
    console.log(`${this.held} passed, ${this.failed.length} failed`);
    return this.failed.length === 0 ? 0 : 1;
  }
}

/**
 * The samples, two at a time: simulators on one processor, all else on the other, and who is done
 * takes of the other's. What measures time comes at the end, alone.
 */
async function runSamples(suites: readonly Suite[], tree: string): Promise<number> {
  const score = new Score();
  const simulated = suites.filter(({ isSimulated }) => isSimulated === true);
  const alone = suites.filter(({ isAlone }) => isAlone === true);
  const others = suites.filter((suite) => !simulated.includes(suite) && !alone.includes(suite));
  const lane = async (
    shows: "at once" | "at the end",
    next: () => Suite | undefined,
  ): Promise<void> => {
    for (let suite = next(); suite !== undefined; suite = next()) {
      if ("leftOut" in suite.sample) {
        console.log(`── ${suite.name}: left out of the sample: ${suite.sample.leftOut}`);
      } else {
        score.count(await run(suite, suite.sample, tree, shows));
      }
    }
  };
  await Promise.all([
    lane("at once", () => others.shift() ?? simulated.shift()),
    lane("at the end", () => simulated.shift() ?? others.shift()),
  ]);
  await lane("at once", () => alone.shift());
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
    const ended = await run(suite, suite.full, tree);
    const { excerpt: _, ...result } = ended;
    save([...readLog().filter((other) => other.suite !== suite.name), result]);
    score.count(ended);
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
