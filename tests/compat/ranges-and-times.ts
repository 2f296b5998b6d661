/** Ranges by offset and time, trimming, and what formats show of batches, against any broker. */
import { KSTREAM } from "../harness/broker-process.ts";
import { run, runOk } from "../harness/process.ts";
import { expectContains, expectEqual } from "./suite.ts";

const HOUR_MS = 3_600_000;

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join("");

/** Ten records, an hour between: the last one half an hour old. */
export async function rangesAndTimes(bootstrap: string): Promise<void> {
  const kstream = async (args: readonly string[], input = "") =>
    (await runOk([KSTREAM, ...args, "-b", bootstrap], { input })).stdout;
  const read = (...args: string[]) => kstream(["consume", "hours", ...args]);
  const input = Array.from({ length: 10 }, (_, i) => {
    return `{"value":"${i}","timestamp":${Date.now() - (9 - i) * HOUR_MS - HOUR_MS / 2}}\n`;
  }).join("");
  await kstream(["topic", "create", "hours"]);
  await kstream(["produce", "hours", "-f", "json"], input);
  expectEqual(await read("-o", "-5h:-2h"), numbers(5, 8), "times");
  expectEqual(await read("-o", "@:-8h"), numbers(0, 2), "until a time");
  expectEqual(await read("-e", "-o", "tomorrow"), "", "a time in the future");
  expectEqual(await read("-o", "-3", "-e"), numbers(7, 10), "the last three");
  expectEqual(await read("--latest-by-key"), "", "records without keys");
  expectEqual(
    await read("-o", "9", "-e", "-f", "%e %[ %| %] %a{compression}"),
    "0 0 10 10 none",
    "batch",
  );
  await kstream(["topic", "trim", "hours", "--before", "-7h", "--execute"]);
  const lost = await run([KSTREAM, "consume", "hours", "-o", "1:5", "-b", bootstrap]);
  expectEqual([lost.exitCode, lost.stdout].join(), [4, numbers(3, 5)].join(), "after the trim");
  const seek = ["group", "seek", "late", "--to", "6 hours ago", "-t", "hours", "--create"];
  expectContains(await kstream([...seek, "--json"]), '"newOffset": 4', "group seek");
  const several = await kstream(["consume", "--topics", "hou.*", "-g", "late", "-e", "-n", "1"]);
  expectEqual(several, "3\n", "a group over topics by expression");
}
