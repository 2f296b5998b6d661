/** Tasks of built-in connectors in threads of their worker: what one does to others. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrokerProcess, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import { runOk } from "../harness/process.ts";
import { type CliWorker, startCliWorker } from "./cli-worker.ts";

const THREADS = ["--threads", "2"];

let dir: string;
let broker: BrokerProcess;
let worker: CliWorker;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "kstream-threads-"));
  broker = await startBrokerProcess({ args: ["--topic", "slow", "--topic", "quick"] });
  worker = await startCliWorker(broker.bootstrap, {
    args: THREADS,
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

const runs = (name: string) => isInState(name, "RUNNING");
const hasFailed = (name: string) => isInState(name, "FAILED");

/** Whether its one task is. */
async function isInState(name: string, wanted: string): Promise<boolean> {
  const answer = await fetch(`${worker.url}/connectors/${name}/status`);
  const { tasks = [] } = await answer.json() as { readonly tasks?: { readonly state: string }[] };
  return tasks[0]?.state === wanted;
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
const RECORDS = 60;
const ROUNDS = 10;

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

const LINES = 1000;

/** Of so many numbers, from there on. */
const numbers = (from: number) => Array.from({ length: LINES }, (_, i) => `${from + i}\n`).join("");

test(
  "tasks in threads end in good order, and log what their connector's level lets through",
  async () => {
    const file = join(dir, "numbers");
    writeFileSync(file, numbers(0));
    writeFileSync(join(dir, "bad"), "{}\nno JSON\n");
    const lines = { "connector.class": "file-source", file, topic: "quick" };
    const bad = { ...lines, file: join(dir, "bad"), format: "jsonl", topic: "slow" };
    await worker.ask("PUT", "/admin/loggers/connect.hushed?scope=worker", { level: "OFF" });
    await worker.put("hushed", bad);
    await worker.put("numbers", { ...lines, "value.converter": "string" });
    await until(async () => await sentBy("numbers") === LINES, "all numbers are sent");
    await until(() => hasFailed("hushed"), "the hushed one fails");
    await worker.put("loud", bad);
    await until(() => hasFailed("loud"), "the loud one fails");
    await worker.stop();
    const failures = worker.log.join("").split("\n").filter((line) =>
      line.includes("the task has failed")
    );
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.filter((line) => !line.includes("connector=loud"))).toEqual([]);
    appendFileSync(file, numbers(LINES));
    worker = await startCliWorker(broker.bootstrap, { args: THREADS });
    await until(async () => await sentBy("numbers") === LINES, "the numbers after them are sent");
    const { stdout } = await runOk([
      ...[KSTREAM, "consume", "quick", "-e", "-b", broker.bootstrap, "--format", "%v\\n"],
    ]);
    // Offsets are stored once a minute, and when tasks end.
    expect(stdout).toBe(numbers(0) + numbers(LINES));
  },
  120_000,
);
