/**
 * `bun tests/connect/kill-workers.ts [--connectors 50] [--kills 6]`: workers of a group of three are
 * killed (kill -9) one after the other while their connectors read files that grow. After each death all
 * connectors run again on the workers that are left, and in the end every line is in the topic.
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Consumer } from "../../client/consumer.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import { bunRandom } from "../../core/io/bun/random.ts";
import { freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import { startCliWorker } from "./cli-worker.ts";
import type { WorkerProcess } from "./worker-process.ts";

const { values } = parseArgs({
  options: {
    connectors: { type: "string", default: "50" },
    kills: { type: "string", default: "6" },
  },
});
const CONNECTORS = Number(values.connectors);
const KILLS = Number(values.kills);
const WORKERS = 3;
const PATIENCE_MS = 60_000;
const SETTINGS = [
  ...["--session-timeout", "6", "--rebalance-delay", "0", "--offset-flush-interval", "1"],
];
const SOURCE = {
  "connector.class": "file-source",
  "value.converter": "string",
  "poll.interval.ms": "50",
};

const dir = freshDir("kill-workers");
const broker = await startBrokerProcess({ args: ["--topic", "lines:3"] });
const workers = new Set<WorkerProcess>();
const written: number[] = Array.from({ length: CONNECTORS }, () => 0);
const fileOf = (i: number) => join(dir, `in-${i}`);

async function startWorker(): Promise<void> {
  workers.add(await startCliWorker(broker.bootstrap, { args: SETTINGS }));
}

/** Lines into every file, each only once in all. */
function grow(): void {
  written.forEach((from, i) => {
    const lines = Array.from({ length: 10 }, (_, at) => `${i}:${from + at}\n`);
    appendFileSync(fileOf(i), lines.join(""));
    written[i] = from + lines.length;
  });
}

interface TaskView {
  readonly state: string;
  readonly worker_id: string;
}

/** Whether each connector and its task are said to run on a worker that lives. */
async function allRun(): Promise<boolean> {
  const [worker] = workers;
  const alive = new Set([...workers].map(({ url }) => new URL(url).host));
  const response = await fetch(`${worker!.url}/connectors?expand=status`).catch(() => null);
  if (response?.ok !== true) return false;
  const all: Record<string, { status: { connector: TaskView; tasks: TaskView[] } }> = await response
    .json();
  const views = Object.values(all);
  return views.length === CONNECTORS && views.every(({ status: { connector, tasks } }) => {
    const isWell = ({ state, worker_id }: TaskView) => state === "RUNNING" && alive.has(worker_id);
    return tasks.length === 1 && [connector, ...tasks].every(isWell);
  });
}

async function untilAllRun(what: string): Promise<number> {
  const beganMs = performance.now();
  while (!await allRun()) {
    if (performance.now() - beganMs > PATIENCE_MS) throw new Error(`${what}: not all run again`);
    await Bun.sleep(100);
  }
  return performance.now() - beganMs;
}

/** How often each line is in the topic. */
async function readLines(): Promise<Map<string, number>> {
  const io = { clock: bunClock, network: bunNetwork, random: bunRandom };
  const consumer = new Consumer(io, { brokers: [broker.bootstrap] });
  await consumer.assign([0, 1, 2].map((partition) => ({ topic: "lines", partition, offset: 0n })));
  const counts = new Map<string, number>();
  for (;;) {
    const chunk = await consumer.nextChunk(AbortSignal.timeout(2000)).catch(() => null);
    if (chunk === null) break;
    for (const { value } of chunk.records()) {
      const line = new TextDecoder().decode(value ?? undefined);
      counts.set(line, (counts.get(line) ?? 0) + 1);
    }
  }
  await consumer.close();
  return counts;
}

async function story(): Promise<void> {
  for (let i = 0; i < WORKERS; i++) await startWorker();
  for (let i = 0; i < CONNECTORS; i++) {
    writeFileSync(fileOf(i), "");
    const [worker] = workers;
    const config = { ...SOURCE, file: fileOf(i), topic: "lines" };
    const response = await fetch(`${worker!.url}/connectors/c${i}/config`, {
      method: "PUT",
      body: JSON.stringify(config),
      headers: { "content-type": "application/json" },
    });
    if (response.status !== 201) {
      throw new Error(`c${i}: ${response.status} ${await response.text()}`);
    }
  }
  await untilAllRun("at first");
  const tookMs: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    grow();
    const victim = [...workers][kill % WORKERS]!;
    workers.delete(victim);
    victim.kill("SIGKILL");
    await victim.exited;
    grow();
    tookMs.push(await untilAllRun(`after death ${kill + 1}`));
    await startWorker();
    grow();
    await untilAllRun(`with a new worker after death ${kill + 1}`);
  }
  const deadline = Date.now() + PATIENCE_MS;
  let counts = await readLines();
  const wanted = written.reduce((sum, count) => sum + count, 0);
  while (counts.size < wanted && Date.now() < deadline) counts = await readLines();
  const missing = written.flatMap((count, i) => {
    return Array.from({ length: count }, (_, line) => `${i}:${line}`).filter((l) => !counts.has(l));
  });
  if (missing.length > 0) {
    throw new Error(`${missing.length} lines are lost: ${missing.slice(0, 5)}`);
  }
  const twice = [...counts.values()].filter((count) => count > 1).length;
  console.log(
    `${KILLS} workers killed: ${CONNECTORS} connectors ran again after ` +
      `${tookMs.map((ms) => (ms / 1000).toFixed(1)).join(", ")} s (6 s of them the session); ` +
      `${wanted} lines, none lost, ${twice} twice`,
  );
}

try {
  await story();
} finally {
  for (const worker of workers) worker.kill("SIGKILL");
  await broker.stop();
}
