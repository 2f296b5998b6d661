/** kstream against Apache Kafka in turn, the same tools, the same machine, one run. */
import { memoryBytes, ratios, type Spread, spread } from "./measure.ts";
import { startKafka, startOurs, type Target } from "./targets.ts";
import {
  consume,
  createTopic,
  deleteTopic,
  latency,
  produce,
  type Sample,
  type Workload,
} from "./workloads.ts";

const KAFKA_PORT = 29092;

/** One row of the table: a workload in one direction. */
export interface ThroughputRow {
  readonly workload: Workload;
  readonly direction: "produce" | "consume";
  readonly ours: { readonly recordsPerSecond: Spread; readonly cpuSecondsPerGb: Spread };
  readonly kafka: { readonly recordsPerSecond: Spread; readonly cpuSecondsPerGb: Spread };
  readonly ratio: { readonly throughput: Spread; readonly cpu: Spread; readonly p99: Spread };
}

export function workloads(scale: number): Workload[] {
  const all: Workload[] = [];
  for (const partitions of [1, 12]) {
    for (const recordBytes of [100, 1000]) {
      for (const compression of ["none", "lz4"] as const) {
        for (const acks of ["1", "all"] as const) {
          const records = Math.round((recordBytes === 100 ? 4_000_000 : 800_000) * scale);
          all.push({ partitions, recordBytes, compression, acks, records });
        }
      }
    }
  }
  return all;
}

/** What one pass gave; reading does not depend on how it was acknowledged, so one of two reads. */
interface Pass {
  readonly produce: Sample;
  readonly consume: Sample | null;
}

async function onePass(target: Target, workload: Workload): Promise<Pass> {
  const topic = `bench-${Bun.nanoseconds()}`;
  await createTopic(target, topic, workload.partitions);
  const produced = await produce(target, topic, workload);
  const consumed = workload.acks === "1" ? await consume(target, topic, workload) : null;
  await deleteTopic(target, topic);
  return { produce: produced, consume: consumed };
}

function row(
  workload: Workload,
  direction: "produce" | "consume",
  ours: readonly Sample[],
  kafka: readonly Sample[],
): ThroughputRow {
  const pick = (samples: readonly Sample[], key: keyof Sample) => samples.map((s) => s[key]);
  const side = (samples: readonly Sample[]) => ({
    recordsPerSecond: spread(pick(samples, "recordsPerSecond")),
    cpuSecondsPerGb: spread(pick(samples, "cpuSecondsPerGb")),
  });
  return {
    workload,
    direction,
    ours: side(ours),
    kafka: side(kafka),
    ratio: {
      throughput: ratios(pick(ours, "recordsPerSecond"), pick(kafka, "recordsPerSecond")),
      cpu: ratios(pick(ours, "cpuSecondsPerGb"), pick(kafka, "cpuSecondsPerGb")),
      p99: ratios(pick(ours, "p99Ms"), pick(kafka, "p99Ms")),
    },
  };
}

const show = (value: Spread) =>
  `${value.median.toFixed(2)} (${value.min.toFixed(2)}–${value.max.toFixed(2)})`;

function report(name: string, { direction, ratio, ours, kafka }: ThroughputRow): void {
  const side = (of: ThroughputRow["ours"]) =>
    `${Math.round(of.recordsPerSecond.median / 1000)} k/s, ` +
    `${of.cpuSecondsPerGb.median.toFixed(2)} s/GB`;
  console.log(
    `${name} ${direction}: throughput ×${show(ratio.throughput)}, CPU ×${show(ratio.cpu)}` +
      (direction === "produce" ? `, p99 ×${show(ratio.p99)}` : "") +
      `; ours ${side(ours)}; Kafka ${side(kafka)}`,
  );
}

export interface ThroughputResult {
  readonly rows: readonly ThroughputRow[];
  readonly latency: readonly unknown[];
  readonly memory: { readonly idle: number; readonly peak: number; readonly kafkaPeak: number };
}

/** Runs every workload in `pairs` pairs after one uncounted round. */
export async function throughput(
  pairs: number,
  scale: number,
  only: RegExp,
): Promise<ThroughputResult> {
  const ours = await startOurs("os");
  const idle = memoryBytes(ours.pid).now;
  const kafka = await startKafka(KAFKA_PORT);
  const rows: ThroughputRow[] = [];
  const latencies: unknown[] = [];
  try {
    for (const workload of workloads(scale)) {
      const name = `${workload.partitions}p ${workload.recordBytes}B ${workload.compression} ` +
        `acks=${workload.acks}`;
      if (!only.test(name)) continue;
      const passes = { ours: [] as Pass[], kafka: [] as Pass[] };
      for (let pair = -1; pair < pairs; pair++) {
        const [a, b] = [await onePass(ours, workload), await onePass(kafka, workload)];
        if (pair < 0) continue; // warms both programs
        passes.ours.push(a);
        passes.kafka.push(b);
      }
      for (const direction of ["produce", "consume"] as const) {
        const of = (side: Pass[]) => side.flatMap((pass) => pass[direction] ?? []);
        if (of(passes.ours).length === 0) continue;
        const result = row(workload, direction, of(passes.ours), of(passes.kafka));
        rows.push(result);
        report(name, result);
      }
    }
    for (const acks of ["1", "all"] as const) {
      if (!only.test(`latency acks=${acks}`)) continue;
      for (const target of [ours, kafka]) await createTopic(target, `e2e-${acks}`, 1);
      for (let pair = -1; pair < pairs; pair++) {
        const a = await latency(ours, `e2e-${acks}`, acks, 10_000);
        const b = await latency(kafka, `e2e-${acks}`, acks, 10_000);
        if (pair >= 0) latencies.push({ acks, ours: a, kafka: b });
        console.log(`latency acks=${acks}: ours ${JSON.stringify(a)}, Kafka ${JSON.stringify(b)}`);
      }
    }
    const memory = {
      idle,
      peak: memoryBytes(ours.pid).peak,
      kafkaPeak: memoryBytes(kafka.pid).peak,
    };
    console.log(`memory: idle ${idle >> 20} MB, peak ${memory.peak >> 20} MB`);
    return { rows, latency: latencies, memory };
  } finally {
    await ours.stop();
    await kafka.stop();
  }
}
