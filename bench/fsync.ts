/** Ours under fsync: throughput against our own `os`, and latency over many partitions. */
import { join } from "node:path";
import { runOk } from "../tests/harness/process.ts";
import { startOurs } from "./targets.ts";
import { createTopic, deleteTopic, latency, produce, type Sample } from "./workloads.ts";

const PACED_RECORDS_PER_SECOND = 2000;
const PACED_SECONDS = 8;

/** Produce throughput with acks=all under both durabilities, and p99 by number of partitions. */
export async function fsyncFigures(scale: number): Promise<unknown> {
  const [os, fsync] = [await startOurs("os"), await startOurs("fsync")];
  const figures: Record<string, unknown> = {};
  try {
    // Latency first: throughput leaves gigabytes behind that the device is busy with for a while.
    for (const target of [os, fsync]) {
      for (const partitions of [1, 12, 100, 1000]) {
        await createTopic(target, "paced", partitions);
        const { stdout } = await runOk([
          "bun",
          join(import.meta.dir, "paced.ts"),
          target.bootstrap,
          "paced",
          ...[partitions, PACED_RECORDS_PER_SECOND, PACED_SECONDS].map(String),
        ]);
        await deleteTopic(target, "paced");
        figures[`${target.name}, ${partitions} partitions at a steady rate`] = JSON.parse(stdout);
        console.log(`${target.name}, ${partitions} partitions at a steady rate: ${stdout.trim()}`);
      }
    }
    await createTopic(fsync, "e2e", 1);
    await latency(fsync, "e2e", "all", 2000);
    figures["latency, 1 partition"] = await latency(fsync, "e2e", "all", 5000);
    console.log(`fsync latency: ${JSON.stringify(figures["latency, 1 partition"])}`);
    for (const partitions of [1, 12, 100, 1000]) {
      const workload = {
        partitions,
        recordBytes: 1000,
        compression: "none",
        acks: "all",
        records: Math.round(500_000 * scale),
      } as const;
      const samples: Record<string, Sample> = {};
      for (const target of [os, fsync, os, fsync]) { // the first pass warms both
        await createTopic(target, "f", partitions);
        samples[target.name] = await produce(target, "f", workload);
        await deleteTopic(target, "f");
      }
      const ratio = samples[fsync.name]!.recordsPerSecond / samples[os.name]!.recordsPerSecond;
      figures[`${partitions} partitions`] = { ...samples, ratio };
      console.log(`fsync, ${partitions} partitions: ×${ratio.toFixed(2)} of os`);
    }
    return figures;
  } finally {
    await os.stop();
    await fsync.stop();
  }
}
