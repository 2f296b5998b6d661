/**
 * Cleaning of a compacted log: one partition of a gigabyte with a million keys, ours beside Apache
 * Kafka's. The log is written while its cleaning is put off; then it is allowed, and the time runs
 * until the cleaner's checkpoint says that it is done. The longest hold of our event loop is measured
 * from outside meanwhile, by tiny requests. Run as a program of its own:
 * `bun bench/compaction.ts [GIGABYTES] [KEYS]` prints the figures as JSON.
 */
import { existsSync, readFileSync } from "node:fs";
import { produce } from "../core/protocol/00-produce.ts";
import { apiVersions } from "../core/protocol/18-api-versions.ts";
import { createTopics } from "../core/protocol/19-create-topics.ts";
import { incrementalAlterConfigs } from "../core/protocol/44-incremental-alter-configs.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { RawClient } from "../tests/harness/raw-client.ts";
import { PRODUCE_VERSION } from "./frames.ts";
import { cpuSeconds, memoryBytes } from "./measure.ts";
import { startKafka, startOurs, type Target } from "./targets.ts";

const TOPIC = "compacted";
const CREATE_VERSION = 7;
const ALTER_VERSION = 1;
const API_VERSIONS_VERSION = 3;
const TIMEOUT_MS = 60_000;
const BATCH_BYTES = 256 * 1024;
const KEY_BYTES = 16;
const VALUE_BYTES = 220;
/** What is left in the active segment is not cleaned, so a little more is written. */
const SEGMENT_BYTES = 128 * 1024 * 1024;
const CONFIGS = { "log.cleaner.backoff.ms": "100" };
const PROBE_EVERY_MS = 1;
const KAFKA_PORT = 19_792;

interface Result {
  readonly name: string;
  readonly loadSeconds: number;
  readonly cleanSeconds: number;
  readonly cpuSeconds: number;
  readonly megabytesPerSecond: number;
  readonly peakMegabytes: number;
  readonly probe: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
}

async function createTopic(client: RawClient): Promise<void> {
  const configs = {
    "cleanup.policy": "compact",
    "segment.bytes": String(SEGMENT_BYTES),
    "min.cleanable.dirty.ratio": "1",
  };
  const answer = await client.request(createTopics, CREATE_VERSION, {
    topics: [{
      name: TOPIC,
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    }],
    timeoutMs: TIMEOUT_MS,
    validateOnly: false,
  });
  const { errorCode, errorMessage } = answer.topics[0]!;
  if (errorCode !== 0) throw new Error(`cannot create the topic: ${errorMessage ?? errorCode}`);
}

/** Writes keys in an order that is the same for all, each value with its number. */
async function load(client: RawClient, bytes: number, keys: number): Promise<void> {
  const key = new Uint8Array(KEY_BYTES).fill(107);
  const value = new Uint8Array(VALUE_BYTES).fill(118);
  const keyView = new DataView(key.buffer);
  const valueView = new DataView(value.buffer);
  let random = 1;
  let count = 0;
  for (let written = 0; written < bytes;) {
    const builder = new BatchBuilder({ sizeHintBytes: BATCH_BYTES + 1024 });
    while (builder.sizeBytes < BATCH_BYTES) {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
      keyView.setUint32(0, (random >>> 4) % keys);
      valueView.setUint32(0, count++);
      builder.append(Date.now(), key, value);
    }
    const records = builder.build();
    const { responses } = await client.request(produce, PRODUCE_VERSION, {
      acks: 1,
      timeoutMs: TIMEOUT_MS,
      topicData: [{ name: TOPIC, partitionData: [{ index: 0, records }] }],
    });
    const code = responses[0]?.partitionResponses[0]?.errorCode;
    if (code !== 0) throw new Error(`produce was answered with ${String(code)}`);
    written += records.length;
  }
}

async function allowCleaning(client: RawClient): Promise<void> {
  const answer = await client.request(incrementalAlterConfigs, ALTER_VERSION, {
    resources: [{
      resourceType: 2,
      resourceName: TOPIC,
      configs: [{ name: "min.cleanable.dirty.ratio", configOperation: 0, value: "0.01" }],
    }],
    validateOnly: false,
  });
  const code = answer.responses[0]?.errorCode;
  if (code !== 0) throw new Error(`the config was refused: ${String(code)}`);
}

/** Up to where the log has been cleaned. */
function cleanedTo(target: Target): number {
  const path = `${target.logDir}/cleaner-offset-checkpoint`;
  if (!existsSync(path)) return 0;
  const line = readFileSync(path, "utf8").split("\n").find((one) => one.startsWith(`${TOPIC} 0 `));
  return Number(line?.split(" ")[2] ?? 0);
}

async function measure(target: Target, bytes: number, keys: number): Promise<Result> {
  const client = await RawClient.connect(Number(target.bootstrap.split(":")[1]));
  await createTopic(client);
  const loadStart = performance.now();
  await load(client, bytes + SEGMENT_BYTES, keys);
  const loadSeconds = (performance.now() - loadStart) / 1000;
  // What writing has left to do, on the disk and in memory.
  await Bun.sleep(3000);
  const request = { clientSoftwareName: "bench", clientSoftwareVersion: "1" };
  for (let left = 20; left > 0; left--) {
    await client.request(apiVersions, API_VERSIONS_VERSION, request);
  }
  const cpuBefore = cpuSeconds(target.pid);
  await allowCleaning(client);
  const start = performance.now();
  const probes: number[] = [];
  for (let checkedMs = 0; cleanedTo(target) === 0;) {
    while (performance.now() - checkedMs < 20) {
      const askedMs = performance.now();
      await client.request(apiVersions, API_VERSIONS_VERSION, request);
      probes.push(performance.now() - askedMs);
      await Bun.sleep(PROBE_EVERY_MS);
    }
    checkedMs = performance.now();
    if (checkedMs - start > 600_000) throw new Error("the cleaner does not come to an end");
  }
  const cleanSeconds = (performance.now() - start) / 1000;
  client.close();
  probes.sort((a, b) => a - b);
  const at = (share: number) => round(probes[Math.floor((probes.length - 1) * share)] ?? 0);
  return {
    name: target.name,
    loadSeconds: round(loadSeconds),
    cleanSeconds: round(cleanSeconds),
    cpuSeconds: round(cpuSeconds(target.pid) - cpuBefore),
    megabytesPerSecond: round(bytes / 1e6 / cleanSeconds),
    peakMegabytes: round(memoryBytes(target.pid).peak / 1e6),
    probe: { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) },
  };
}

const round = (value: number) => Math.round(value * 100) / 100;

const [gigabytes = 1, keys = 1_000_000] = process.argv.slice(2).map(Number);
const results: Result[] = [];
for (
  const start of [
    () => startOurs("os", CONFIGS),
    () => startKafka(KAFKA_PORT, CONFIGS),
  ]
) {
  const target = await start();
  try {
    results.push(await measure(target, gigabytes * 1e9, keys));
  } finally {
    await target.stop();
  }
}
console.log(JSON.stringify(results, null, 2));
