/**
 * kill -9 under idempotent load: several producers send with acks=all while the broker is killed
 * at random moments and started again on the same directory and port. Afterwards every
 * acknowledged record is there once and in order. (This proves process crashes; the simulator
 * proves power loss.)
 */
import { join } from "node:path";
import { rmSync } from "node:fs";
import { type BrokerProcess, freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import { runOk } from "../harness/process.ts";
import { needPython, PYTHON } from "../compat/install.ts";

const PRODUCERS = 4;
const PARTITIONS = 3;
const TOPIC = "load";

interface Account {
  readonly name: string;
  readonly sent: number;
  /** Per partition, ranges of acknowledged sequences; within one they step by PARTITIONS. */
  readonly acked: readonly (readonly (readonly [number, number])[])[];
  readonly failed: readonly unknown[];
  readonly left: number;
}

/** Options of the rounds; `seed` draws the moments of the kills. */
export interface KillOptions {
  readonly rounds: number;
  readonly seed: number;
}

/** A small generator (mulberry32) so that a seed names the moments of the kills. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function startProducers(bootstrap: string) {
  return Array.from({ length: PRODUCERS }, (_, index) =>
    Bun.spawn([
      PYTHON,
      join(import.meta.dir, "producer.py"),
      bootstrap,
      TOPIC,
      String(PARTITIONS),
      `p${index}`,
    ], { stdout: "pipe", stderr: "inherit" }));
}

/** The lines of a producer's output: each call gives the next one. */
function lineReader(stream: ReadableStream<Uint8Array>): () => Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  return async () => {
    for (;;) {
      const end = text.indexOf("\n");
      if (end >= 0) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        return line;
      }
      const { done, value } = await reader.read();
      if (done) throw new Error("a producer ended without its account");
      text += decoder.decode(value, { stream: true });
    }
  };
}

async function readPartition(broker: BrokerProcess, partition: number): Promise<string[]> {
  const { stdout } = await runOk([
    "kcat",
    "-b",
    broker.bootstrap,
    "-C",
    "-t",
    TOPIC,
    "-p",
    String(partition),
    "-o",
    "beginning",
    "-e",
    "-q",
    "-X",
    "check.crcs=true",
  ], { timeoutMs: 300_000 });
  return stdout.split("\n").slice(0, -1);
}

/** What is wrong with one partition, as sentences; empty if nothing is. */
export function checkPartition(
  lines: readonly string[],
  partition: number,
  accounts: readonly Account[],
): string[] {
  const wrong: string[] = [];
  const seen = new Map<string, Set<number>>(accounts.map(({ name }) => [name, new Set()]));
  const last = new Map<string, number>();
  for (const line of lines) {
    const [name, text] = line.split(":");
    const sequence = Number(text);
    const before = last.get(name ?? "") ?? -1;
    if (seen.get(name ?? "")?.has(sequence)) wrong.push(`${line} is there twice`);
    else if (sequence < before) wrong.push(`${line} comes after ${name}:${before}`);
    seen.get(name ?? "")?.add(sequence);
    last.set(name ?? "", sequence);
  }
  for (const { name, acked } of accounts) {
    for (const [first, end] of acked[partition] ?? []) {
      for (let sequence = first; sequence <= end; sequence += PARTITIONS) {
        if (!seen.get(name)?.has(sequence)) wrong.push(`${name}:${sequence} was acked and is lost`);
      }
    }
  }
  return wrong;
}

function countAcked(accounts: readonly Account[]): number {
  return accounts.flatMap(({ acked }) => acked.flat())
    .reduce((sum, [first, end]) => sum + (end - first) / PARTITIONS + 1, 0);
}

/** Runs the rounds; returns one line that says what was counted, or throws with what is wrong. */
export async function killRounds(options: KillOptions): Promise<string> {
  const missing = await needPython();
  if (missing !== null) throw new Error(`kill -9 rounds: ${missing}`);
  const random = randomFrom(options.seed);
  const dataDir = freshDir("kill");
  const args = ["--topic", `${TOPIC}:${PARTITIONS}`];
  let broker = await startBrokerProcess({ dataDir, args });
  const producers = startProducers(broker.bootstrap);
  const lines = producers.map((producer) => lineReader(producer.stdout));
  try {
    for (const next of lines) await next(); // all have begun: from here on the broker dies
    for (let round = 0; round < options.rounds; round++) {
      await Bun.sleep(100 + random() * 1400);
      await broker.stop("SIGKILL");
      broker = await startBrokerProcess({ dataDir, port: broker.port, args });
    }
    await Bun.sleep(500);
    for (const producer of producers) producer.kill("SIGTERM");
    const accounts = await Promise.all(
      lines.map(async (next) => JSON.parse(await next()) as Account),
    );
    const wrong: string[] = [];
    for (const { name, failed, left } of accounts) {
      if (failed.length > 0) wrong.push(`${name}: failed ${JSON.stringify(failed.slice(0, 3))}`);
      if (left > 0) wrong.push(`${name}: ${left} records were never answered`);
    }
    for (let partition = 0; partition < PARTITIONS; partition++) {
      wrong.push(...checkPartition(await readPartition(broker, partition), partition, accounts));
    }
    const counted = `${options.rounds} kills, ${countAcked(accounts)} records acknowledged`;
    if (wrong.length > 0) {
      throw new Error(
        `seed ${options.seed}, data kept in ${dataDir}: ${counted}, ${wrong.length} faults:\n` +
          wrong.slice(0, 20).join("\n"),
      );
    }
    rmSync(dataDir, { recursive: true, force: true });
    return `${counted}, each there once and in order`;
  } finally {
    for (const producer of producers) producer.kill("SIGKILL");
    await broker.stop("SIGKILL");
  }
}
