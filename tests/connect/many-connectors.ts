/**
 * `bun tests/connect/many-connectors.ts [--connectors 500] [--threads 2]`: one worker with very many
 * connectors that have little to do answers its REST API as quickly as ever.
 */
import { parseArgs } from "node:util";
import { freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import { startCliWorker } from "./cli-worker.ts";
import { readFileSync } from "node:fs";

const { values } = parseArgs({
  options: {
    connectors: { type: "string", default: "500" },
    threads: { type: "string", default: "2" },
  },
});
const CONNECTORS = Number(values.connectors);
const AT_ONCE = 20;
const REQUESTS = 1000;
const IDLE_MS = 10_000;
/** The most that 99 of 100 requests may take. */
const P99_MS = 200;

const dir = freshDir("many");
const broker = await startBrokerProcess({ args: ["--topic", "lines:3"] });
const worker = await startCliWorker(broker.bootstrap, { args: ["--threads", values.threads] });

/** Processor time that the worker has used so far, in ms: ticks of 10 ms. */
function cpuMs(): number {
  const fields = readFileSync(`/proc/${worker.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function memoryMb(): number {
  const [, kb = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${worker.pid}/status`, "utf8")) ??
    [];
  return Math.round(Number(kb) / 1024);
}

async function create(i: number): Promise<void> {
  const config = {
    "connector.class": "file-source",
    file: `${dir}/none-${i}`,
    topic: "lines",
    "poll.interval.ms": "5000",
  };
  const response = await fetch(`${worker.url}/connectors/c${i}/config`, {
    method: "PUT",
    body: JSON.stringify(config),
    headers: { "content-type": "application/json" },
  });
  if (response.status !== 201) {
    throw new Error(`c${i}: ${response.status} ${await response.text()}`);
  }
}

async function allRun(): Promise<boolean> {
  const response = await fetch(`${worker.url}/connectors?expand=status`);
  const all: Record<string, { worst_state: string; status: { tasks: unknown[] } }> = await response
    .json();
  const views = Object.values(all);
  return views.length === CONNECTORS &&
    views.every(({ worst_state, status }) =>
      worst_state === "RUNNING" && status.tasks.length === 1
    );
}

async function measured(path: (i: number) => string, count: number): Promise<number[]> {
  const tookMs: number[] = [];
  for (let i = 0; i < count; i++) {
    const beganMs = performance.now();
    const response = await fetch(`${worker.url}${path(i)}`);
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`${path(i)}: ${response.status}`);
    tookMs.push(performance.now() - beganMs);
  }
  return tookMs.sort((a, b) => a - b);
}

const at = (sorted: readonly number[], part: number) => sorted[Math.floor(sorted.length * part)]!;

async function story(): Promise<void> {
  const emptyMb = memoryMb();
  const beganMs = performance.now();
  for (let i = 0; i < CONNECTORS; i += AT_ONCE) {
    const names = Array.from({ length: Math.min(AT_ONCE, CONNECTORS - i) }, (_, j) => i + j);
    await Promise.all(names.map(create));
  }
  const createdMs = performance.now() - beganMs;
  while (!await allRun()) {
    if (performance.now() - beganMs > 120_000) throw new Error("not all run");
    await Bun.sleep(100);
  }
  const runningMs = performance.now() - beganMs;
  const cpuBefore = cpuMs();
  await Bun.sleep(IDLE_MS);
  const idlePercent = (cpuMs() - cpuBefore) / IDLE_MS * 100;
  const status = await measured((i) => `/connectors/c${i % CONNECTORS}/status`, REQUESTS);
  const list = await measured(() => "/connectors?expand=status&expand=info", 50);
  console.log(
    `${CONNECTORS} connectors: made in ${(createdMs / 1000).toFixed(1)} s, all run after ` +
      `${(runningMs / 1000).toFixed(1)} s; idle they take ${
        idlePercent.toFixed(1)
      } % of a processor ` +
      `and ${memoryMb()} MB (${emptyMb} MB without); a status takes ${
        at(status, 0.5).toFixed(1)
      } ms, ` +
      `p99 ${at(status, 0.99).toFixed(1)} ms; all with status and config p99 ${
        at(list, 0.99).toFixed(0)
      } ms`,
  );
  if (at(status, 0.99) > P99_MS) throw new Error(`p99 is above ${P99_MS} ms`);
}

try {
  await story();
} finally {
  worker.kill("SIGKILL");
  await broker.stop();
}
