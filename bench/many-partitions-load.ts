/**
 * Load on a broker with 10,000 partitions: on one among them against the same one alone, and spread
 * over all of them against Apache Kafka.
 */
import { KSTREAM } from "../tests/harness/broker-process.ts";
import { runOk } from "../tests/harness/process.ts";
import { ratios } from "./measure.ts";
import { startKafka, startOurs, type Target } from "./targets.ts";
import { createTopic, produce, type Sample, type Workload } from "./workloads.ts";

const PARTITIONS = 10_000;
const TOPICS = 10;
const KAFKA_PORT = 19_492;

/** Ratios of throughput and processor time; `scale` shortens the runs. */
export async function manyPartitionsLoad(pairs: number, scale: number): Promise<unknown> {
  const one = await oneAmongMany(pairs, scale);
  console.log(JSON.stringify(one));
  const spread = await spreadOverAll(scale);
  console.log(JSON.stringify(spread));
  return { oneAmongMany: one, spread };
}

function workload(partitions: number, records: number): Workload {
  return { partitions, recordBytes: 1000, compression: "none", acks: "1", records };
}

/** Two brokers of ours side by side, one with 10,000 partitions that nobody uses. */
async function oneAmongMany(pairs: number, scale: number): Promise<unknown> {
  const load = workload(1, Math.round(1_000_000 * scale));
  const [alone, crowded] = [await startOurs("os"), await startOurs("os")];
  const samples: Record<string, Sample[]> = { alone: [], crowded: [] };
  try {
    for (let topic = 0; topic < TOPICS; topic++) {
      await createTopic(crowded, `crowd-${topic}`, PARTITIONS / TOPICS);
    }
    for (const target of [alone, crowded]) await createTopic(target, "one", 1);
    for (let pair = 0; pair <= pairs; pair++) {
      for (const [name, target] of [["alone", alone], ["crowded", crowded]] as const) {
        const sample = await produce(target, "one", load);
        // The first pass warms both.
        if (pair > 0) samples[name]!.push(sample);
      }
    }
  } finally {
    await alone.stop();
    await crowded.stop();
  }
  return { ...samples, ...compare(samples["crowded"]!, samples["alone"]!) };
}

/** Each record to a partition of its own, as good as: batches are tiny, and there are many files. */
async function spreadOverAll(scale: number): Promise<unknown> {
  const load = workload(PARTITIONS, Math.round(1_000_000 * scale));
  const run = async (target: Target): Promise<Sample> => {
    try {
      // Kafka makes fewer than 10,000 at a time.
      await createTopic(target, "spread", PARTITIONS / 2);
      const to = ["--partitions", String(PARTITIONS), "-b", target.bootstrap];
      await runOk([KSTREAM, "topic", "alter", "spread", ...to], { timeoutMs: 120_000 });
      // The first run makes the files.
      await produce(target, "spread", load);
      return await produce(target, "spread", load);
    } finally {
      await target.stop();
    }
  };
  const ours = await run(await startOurs("os"));
  const theirs = await run(await startKafka(KAFKA_PORT));
  return { ours, theirs, ...compare([ours], [theirs]) };
}

function compare(ours: readonly Sample[], theirs: readonly Sample[]) {
  const ratio = (of: (sample: Sample) => number) => ratios(ours.map(of), theirs.map(of));
  return {
    recordsPerSecond: ratio((sample) => sample.recordsPerSecond),
    cpu: ratio((sample) => sample.cpuSecondsPerGb),
  };
}
