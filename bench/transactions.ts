/** Transactions against Apache Kafka's under `os`, and the latency of a commit under `fsync`. */
import { join } from "node:path";
import { runOk } from "../tests/harness/process.ts";
import { cpuSeconds, ratios, type Spread } from "./measure.ts";
import type { Percentiles } from "./percentiles.ts";
import { startKafka, startOurs, type Target } from "./targets.ts";
import { createTopic, deleteTopic } from "./workloads.ts";

const PARTITIONS = 12;
const PRODUCERS = 16;
const SECONDS = 8;
const PACED_PER_SECOND = 100;
const KAFKA_PORT = 19_392;

/** What `transaction-load.ts` prints, and the broker's processor time. */
interface Sample {
  readonly perSecond: number;
  readonly commit: Percentiles;
  readonly transaction: Percentiles;
  readonly cpuMsPerTransaction: number;
}

/** Commits per second, their latency, and processor time, in pairs. */
export async function transactions(pairs: number): Promise<unknown> {
  const ours = await startOurs("os");
  const theirs = await startKafka(KAFKA_PORT);
  const samples: Record<string, Sample[]> = { ours: [], theirs: [] };
  try {
    for (let pair = 0; pair <= pairs; pair++) {
      for (const [name, target] of [["ours", ours], ["theirs", theirs]] as const) {
        const sample = await load(target, `tx-${pair}`, 0);
        // The first pass warms both.
        if (pair > 0) samples[name]!.push(sample);
        console.log(`${target.name}: ${sample.perSecond.toFixed(0)} transactions a second`);
      }
    }
  } finally {
    await ours.stop();
    await theirs.stop();
  }
  const ratio = (of: (sample: Sample) => number): Spread =>
    ratios(samples["ours"]!.map(of), samples["theirs"]!.map(of));
  const result = {
    ...samples,
    perSecond: ratio((sample) => sample.perSecond),
    commitP99: ratio((sample) => sample.commit.p99Ms),
    cpu: ratio((sample) => sample.cpuMsPerTransaction),
    fsync: await paced(),
  };
  console.log(JSON.stringify({ ...result, ours: undefined, theirs: undefined }, null, 1));
  return result;
}

async function paced(): Promise<Sample> {
  const target = await startOurs("fsync");
  try {
    return await load(target, "paced", PACED_PER_SECOND);
  } finally {
    await target.stop();
  }
}

async function load(target: Target, topic: string, perSecond: number): Promise<Sample> {
  await createTopic(target, topic, PARTITIONS);
  const before = cpuSeconds(target.pid);
  const { stdout } = await runOk([
    "bun",
    join(import.meta.dir, "transaction-load.ts"),
    target.bootstrap,
    topic,
    ...[PARTITIONS, PRODUCERS, perSecond, SECONDS].map(String),
  ]);
  const cpu = cpuSeconds(target.pid) - before;
  await deleteTopic(target, topic);
  const sample = JSON.parse(stdout) as Omit<Sample, "cpuMsPerTransaction">;
  const warmed = sample.perSecond * (SECONDS + 2);
  return { ...sample, cpuMsPerTransaction: cpu * 1000 / warmed };
}
