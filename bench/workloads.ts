/** Kafka's own performance tools as workloads, measured from outside the broker. */
import { java } from "../tests/compat/install.ts";
import { KSTREAM } from "../tests/harness/broker-process.ts";
import { runOk } from "../tests/harness/process.ts";
import { cpuSeconds } from "./measure.ts";
import type { Target } from "./targets.ts";

/** One way of producing and consuming. */
export interface Workload {
  readonly partitions: number;
  readonly recordBytes: number;
  readonly compression: "none" | "lz4";
  readonly acks: "1" | "all";
  readonly records: number;
}

/** What one run of one workload gave. */
export interface Sample {
  readonly recordsPerSecond: number;
  readonly cpuSecondsPerGb: number;
  readonly cpuSecondsPerMillion: number;
  readonly p99Ms: number;
}

/** As `Sample`, with what the producer made of the records: brokers pay for batches and requests too. */
export interface ProduceSample extends Sample {
  readonly batchBytes: number;
  readonly requestBytes: number;
}

const PERF = "org.apache.kafka.tools.";
const TOOL_TIMEOUT_MS = 300_000;

async function cpuWhile<T>(target: Target, body: () => Promise<T>): Promise<[T, number]> {
  const pids = [target.pid, ...target.otherPids ?? []];
  const used = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = used();
  const result = await body();
  return [result, used() - before];
}

/** Tools run with the server compiler and enough heap: they must not be the limit. */
function perfTool(name: string, ...args: string[]): string[] {
  const [program, ...rest] = java(PERF + name, ...args);
  const flags = rest.filter((flag) => !/^-X(mx|X:\+UseSerialGC|X:Tiered)/.test(flag));
  return [program!, "-Xmx1g", "-XX:+UseParallelGC", ...flags];
}

function sample(workload: Workload, perSecond: number, cpu: number, p99Ms: number): Sample {
  return {
    recordsPerSecond: perSecond,
    cpuSecondsPerGb: cpu / (workload.records * workload.recordBytes / 1e9),
    cpuSecondsPerMillion: cpu / (workload.records / 1e6),
    p99Ms,
  };
}

/** Makes the topic with our own command, which works with both brokers and starts at once. */
export async function createTopic(
  target: Pick<Target, "bootstrap">,
  topic: string,
  partitions: number,
  replicas: number | null = null,
) {
  const more = replicas === null ? [] : ["-r", String(replicas)];
  const command = [KSTREAM, "topic", "create", topic, "-p", `${partitions}`, ...more];
  await runOk([...command, "-b", target.bootstrap]);
}

/** Deletes the topic. */
export async function deleteTopic(target: Pick<Target, "bootstrap">, topic: string) {
  await runOk([KSTREAM, "topic", "delete", topic, "-b", target.bootstrap]);
}

/** producer-perf-test without a rate limit. */
export async function produce(
  target: Target,
  topic: string,
  workload: Workload,
): Promise<ProduceSample> {
  const command = perfTool(
    "ProducerPerformance",
    "--topic",
    topic,
    "--num-records",
    String(workload.records),
    "--record-size",
    String(workload.recordBytes),
    "--throughput",
    "-1",
    "--print-metrics",
    "--producer-props",
    `bootstrap.servers=${target.bootstrap}`,
    `acks=${workload.acks}`,
    `compression.type=${workload.compression}`,
    "batch.size=131072",
    "linger.ms=5",
    "buffer.memory=67108864",
  );
  const [{ stdout }, cpu] = await cpuWhile(
    target,
    () => runOk(command, { timeoutMs: TOOL_TIMEOUT_MS }),
  );
  // Lines of progress have no percentiles.
  const summary = /([\d.]+) records\/sec.* ([\d.]+) ms 99th/.exec(stdout);
  if (summary === null) throw new Error(`producer-perf-test said: ${stdout}`);
  const metric = (name: string) =>
    Number(new RegExp(`producer-metrics:${name}:[^:]*: *([\\d.]+)`).exec(stdout)?.[1] ?? NaN);
  return {
    ...sample(workload, Number(summary[1]), cpu, Number(summary[2])),
    batchBytes: metric("batch-size-avg"),
    requestBytes: metric("request-size-avg"),
  };
}

/** consumer-perf-test over everything in the topic; the rate is that of fetching alone. */
export async function consume(target: Target, topic: string, workload: Workload): Promise<Sample> {
  const command = perfTool(
    "ConsumerPerformance",
    "--bootstrap-server",
    target.bootstrap,
    "--topic",
    topic,
    "--num-records",
    String(workload.records),
    "--timeout",
    "60000",
  );
  const [{ stdout }, cpu] = await cpuWhile(
    target,
    () => runOk(command, { timeoutMs: TOOL_TIMEOUT_MS }),
  );
  const row = stdout.trim().split("\n").at(-1)?.split(", ") ?? [];
  const perSecond = Number(row[9]);
  if (!(perSecond > 0)) throw new Error(`consumer-perf-test said: ${stdout}`);
  return sample(workload, perSecond, cpu, NaN);
}

/** e2e-latency: one record at a time from producer to consumer; percentiles in milliseconds. */
export async function latency(
  target: Target,
  topic: string,
  acks: "1" | "all",
  records: number,
): Promise<{ meanMs: number; p50Ms: number; p99Ms: number }> {
  const command = perfTool(
    "EndToEndLatency",
    "--bootstrap-server",
    target.bootstrap,
    "--topic",
    topic,
    "--num-records",
    String(records),
    "--producer-acks",
    acks,
    "--record-size",
    "100",
  );
  const { stdout } = await runOk(command, { timeoutMs: TOOL_TIMEOUT_MS });
  const mean = /Avg latency: ([\d.]+) ms/.exec(stdout);
  const tail = /50th = (\d+), 99th = (\d+)/.exec(stdout);
  if (mean === null || tail === null) throw new Error(`e2e-latency said: ${stdout}`);
  return { meanMs: Number(mean[1]), p50Ms: Number(tail[1]), p99Ms: Number(tail[2]) };
}

/** How many partitions, and how large records, `producePass` writes. */
export const PASS = { partitions: 12, recordBytes: 1000, records: 500_000 };

/** One pass of a comparison: records of `PASS` into a topic of its own, which goes again. */
export async function producePass(
  target: Target,
  replicas: number,
  scale: number,
): Promise<ProduceSample> {
  const topic = `bench-${Bun.nanoseconds()}`;
  await createTopic(target, topic, PASS.partitions, replicas);
  const sample = await produce(target, topic, {
    ...{ partitions: PASS.partitions, recordBytes: PASS.recordBytes },
    ...{ compression: "none", acks: "all", records: Math.round(PASS.records * scale) },
  });
  await deleteTopic(target, topic);
  return sample;
}
