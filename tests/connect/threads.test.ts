/** Tasks of built-in connectors in threads of their worker: what one does to others. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrokerProcess, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import { type CliWorker, startCliWorker } from "./cli-worker.ts";

let dir: string;
let broker: BrokerProcess;
let worker: CliWorker;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "kstream-threads-"));
  broker = await startBrokerProcess({ args: ["--topic", "slow", "--topic", "quick"] });
  worker = await startCliWorker(broker.bootstrap, {
    args: ["--threads", process.env["TT"] ?? "2"],
  });
}, 120_000);
afterEach(async () => {
  await worker?.stop();
  await broker?.stop();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

async function until(condition: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (!await condition()) {
    if (performance.now() > deadlineMs) {
      throw new Error(`it never came to be: ${what}\n${worker.log.join("")}`);
    }
    await Bun.sleep(5);
  }
}

async function runs(name: string): Promise<boolean> {
  const answer = await fetch(`${worker.url}/connectors/${name}/status`);
  const { tasks = [] } = await answer.json() as { readonly tasks?: { readonly state: string }[] };
  return tasks.length > 0 && tasks.every(({ state }) => state === "RUNNING");
}

/** The lines of a file that a sink writes. */
function linesOf(name: string): string[] {
  try {
    return readFileSync(join(dir, name), "utf8").split("\n").filter((line) => line !== "");
  } catch {
    return [];
  }
}

/** How many records a source has sent so far, by the worker's figures. */
async function sentBy(name: string): Promise<number> {
  const text = await (await fetch(`${worker.url}/metrics`)).text();
  const metric = "kafka_connect_source_task_metrics_source_record_write_total";
  const line = text.split("\n").find((each) => each.startsWith(`${metric}{connector="${name}"`));
  return Number(line?.split(" ").at(-1) ?? 0);
}

/** Some millions of steps for each record. */
const HEAVY = "{ n: v.items.reduce((s, a) => s + v.items.reduce((t, b) => t + a * b, 0), 0) }";
const RECORDS = 100;
const ROUNDS = 20;

test("a connector that keeps a processor busy delays neither another one nor answers", async () => {
  const items = Array.from({ length: 600 }, (_, i) => i);
  writeFileSync(join(dir, "slow"), `${JSON.stringify({ items })}\n`.repeat(RECORDS));
  writeFileSync(join(dir, "quick"), "");
  await worker.put("quick", {
    ...{ "connector.class": "file-source", file: join(dir, "quick"), topic: "quick" },
    "value.converter": "string",
    "poll.interval.ms": "5",
  });
  await until(() => runs("quick"), "the quick one runs");
  await worker.put("slow", {
    ...{ "connector.class": "file-source", file: join(dir, "slow"), topic: "slow" },
    ...{ format: "jsonl", transforms: "heavy", "transforms.heavy.type": "expr" },
    "transforms.heavy.map": HEAVY,
  });
  await until(() => runs("slow"), "the slow one runs");
  const reader = Bun.spawn(
    [KSTREAM, "consume", "quick", "-b", broker.bootstrap, "--format", "%v\\n"],
    { stdout: Bun.file(join(dir, "out")), stderr: "ignore" },
  );
  for (let round = 0; round < ROUNDS; round++) {
    appendFileSync(join(dir, "quick"), `${round}\n`);
    await until(() => linesOf("out").length > round, `round ${round} is over`);
    expect(await runs("slow")).toBeTrue();
  }
  // All of that while the other one was at its first records.
  const sent = await sentBy("slow");
  reader.kill();
  expect(sent).toBeLessThan(RECORDS);
  await until(async () => await sentBy("slow") === RECORDS, "the slow one is through");
}, 120_000);
