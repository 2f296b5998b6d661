/** `kstream produce --resume` against a broker: killed again and again, it loses and doubles nothing. */
import { join } from "node:path";
import { freshDir, KSTREAM } from "../harness/broker-process.ts";
import { run } from "../harness/process.ts";
import { runAndKill } from "../harness/resumed-ingest.ts";
import { expectEqual, numberedLines } from "./suite.ts";

const LINES = 6_000_000;
const KILLS = 12;
const WITHIN_MS = 1500;
const TIMEOUT_MS = 90_000;

/** Writes a file to a topic with kills between, and compares what readers of committed records see. */
export async function ingestWhileKilled(bootstrap: string): Promise<void> {
  const input = numberedLines("line", LINES);
  const file = join(freshDir("ingest"), "in.log");
  await Bun.write(file, input);
  const args = ["ingested", "--resume", "compat", "--commit-ms", "1", "-b", bootstrap, file];
  const { positions } = await runAndKill(args, KILLS, WITHIN_MS);
  if (new Set(positions).size < 3) throw new Error(`it was killed too early: ${positions}`);
  const last = await run([KSTREAM, "produce", ...args], { timeoutMs: TIMEOUT_MS });
  expectEqual(last.exitCode, 0, last.stderr);
  const reading = ["consume", "ingested", "-e", "--isolation", "read_committed", "-b", bootstrap];
  const read = await run([KSTREAM, ...reading], { timeoutMs: TIMEOUT_MS });
  if (read.stdout === input) return;
  const count = read.stdout.split("\n").length - 1;
  throw new Error(`${count} of ${LINES} lines, or in another order: ${read.stderr}`);
}
