/** How soon a command begins: the shortest of some runs, since other work on the machine only adds. */
import { expect, test } from "bun:test";
import { leavesOf, loadTree, pathOf } from "../../cmd/commands.ts";
import { withBroker } from "../harness/broker-process.ts";
import { ok } from "./cli.ts";

const RUNS = 7;
/** 40 ms is the aim on a quiet machine (`START_MS=40`); tests share theirs. */
const MAX_MS = Number(process.env["START_MS"] ?? 200);

async function shortestMs(args: readonly string[], brokers = "127.0.0.1:1"): Promise<number> {
  let shortest = Infinity;
  for (let i = 0; i < RUNS && (i < 2 || shortest > MAX_MS); i++) {
    const began = performance.now();
    await ok(args, { brokers });
    shortest = Math.min(shortest, performance.now() - began);
  }
  return shortest;
}

test("every command begins at once", async () => {
  const slow: string[] = [];
  for (const leaf of leavesOf(await loadTree())) {
    const words = pathOf(leaf).split(" ").slice(1);
    const ms = await shortestMs([...words, "--help"]);
    if (process.env["START_MS"] !== undefined) console.log(words.join(" "), ms.toFixed(1));
    if (ms > MAX_MS) slow.push(`${words.join(" ")}: ${ms.toFixed(0)} ms`);
  }
  expect(slow).toEqual([]);
}, 120_000);

test("a list from a broker comes at once", async () => {
  await withBroker(async ({ bootstrap }) => {
    const ms = await shortestMs(["topic", "list"], bootstrap);
    if (process.env["START_MS"] !== undefined) console.log("topic list", ms.toFixed(1));
    expect(ms).toBeLessThan(MAX_MS);
  }, { args: ["--memory"] });
}, 60_000);
