/** `kstream produce --resume` against a broker: killed again and again, it loses and doubles nothing. */
import { join } from "node:path";
import { freshDir, KSTREAM } from "../harness/broker-process.ts";
import { run } from "../harness/process.ts";
import { expectEqual, numberedLines } from "./suite.ts";

const LINES = 200_000;
const KILLS = 8;
const ROUND_TIMEOUT_MS = 90_000;

/** Writes a file to a topic with kills between, and compares what readers of committed records see. */
export async function ingestWhileKilled(bootstrap: string): Promise<void> {
  const input = numberedLines("line", LINES);
  const file = join(freshDir("ingest"), "in.log");
  await Bun.write(file, input);
  const command = [KSTREAM, "produce", "ingested", "--resume", "compat", "-b", bootstrap, file];
  let killed = 0;
  for (let delayMs = 250; killed < KILLS; delayMs += 90) {
    const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    const timer = setTimeout(() => child.kill("SIGKILL"), delayMs);
    const said = await new Response(child.stderr).text();
    const exitCode = await child.exited;
    clearTimeout(timer);
    if (exitCode === 0) break;
    expectEqual(exitCode, 137, said);
    killed++;
  }
  const last = await run(command, { timeoutMs: ROUND_TIMEOUT_MS });
  expectEqual(last.exitCode, 0, last.stderr);
  const args = ["consume", "ingested", "-e", "--isolation", "read_committed", "-b", bootstrap];
  const read = await run([KSTREAM, ...args], { timeoutMs: ROUND_TIMEOUT_MS });
  if (read.stdout !== input) {
    const count = read.stdout.split("\n").length - 1;
    throw new Error(`${count} of ${LINES} lines, or in another order: ${read.stderr}`);
  }
  if (killed === 0) throw new Error("it ended before it was killed");
}
