/**
 * What metrics cost: the time and size of `/metrics` with 10,000 partitions, and the processor time of a
 * broker that is scraped each second against one that is not. With `--before BINARY` that binary, not
 * scraped, is a third in each round. `bun bench/metrics.ts [--pairs 10] [--scale 1] [--before BINARY]`
 */
import {
  type BrokerProcess,
  KSTREAM,
  startBrokerProcess,
} from "../tests/harness/broker-process.ts";
import { optionAfter } from "../tests/harness/flags.ts";
import { runOk } from "../tests/harness/process.ts";
import { ratios, spread } from "./measure.ts";
import type { Target } from "./targets.ts";
import { createTopic, deleteTopic, produce, type Sample, type Workload } from "./workloads.ts";

const PARTITIONS = 10_000;
const TOPICS = 100;
const SCRAPES = 30;

function targetOf(broker: BrokerProcess): Target & { readonly admin: string } {
  return {
    name: "kstream",
    bootstrap: broker.bootstrap,
    pid: broker.pid,
    logDir: broker.dataDir,
    admin: broker.admin ?? "",
    stop: async () => void await broker.stop(),
  };
}

async function start(binary?: string) {
  const args = ["--durability", "os", "--admin", "127.0.0.1:0"];
  return targetOf(await startBrokerProcess({ args, ...(binary !== undefined && { binary }) }));
}

/** Milliseconds and bytes of an answer with all logs open. */
async function large(): Promise<unknown> {
  const target = await start();
  try {
    for (let topic = 0; topic < TOPICS; topic++) {
      await createTopic(target, `many-${topic}`, PARTITIONS / TOPICS);
      // Whoever asks for its offsets has a partition opened.
      await runOk([KSTREAM, "topic", "describe", `many-${topic}`, "-b", target.bootstrap]);
    }
    const figures: Record<string, unknown> = {};
    for (const path of ["/metrics", "/metrics/detail"]) {
      const times: number[] = [];
      let bytes = 0;
      for (let round = 0; round <= SCRAPES; round++) {
        const startMs = performance.now();
        bytes = (await (await fetch(target.admin + path)).arrayBuffer()).byteLength;
        if (round > 0) times.push(performance.now() - startMs);
      }
      figures[path] = { milliseconds: spread(times), bytes };
    }
    return figures;
  } finally {
    await target.stop();
  }
}

/** Asks each second until it is told to stop. */
function scrape(admin: string): () => void {
  const timer = setInterval(() => {
    void fetch(`${admin}/metrics`).then((answer) => answer.arrayBuffer(), () => {});
  }, 1000);
  return () => clearInterval(timer);
}

async function scraped(pairs: number, scale: number, before: string | null): Promise<unknown> {
  const workload: Workload = {
    partitions: 12,
    recordBytes: 1000,
    compression: "none",
    acks: "all",
    records: Math.round(500_000 * scale),
  };
  const targets = new Map([["quiet", await start()], ["scraped", await start()]]);
  if (before !== null) targets.set("before", await start(before));
  const samples = new Map<string, Sample[]>();
  try {
    for (let pair = 0; pair <= pairs; pair++) {
      for (const [name, target] of targets) {
        const topic = `bench-${Bun.nanoseconds()}`;
        await createTopic(target, topic, workload.partitions);
        const stop = name === "scraped" ? scrape(target.admin) : () => {};
        const sample = await produce(target, topic, workload);
        stop();
        await deleteTopic(target, topic);
        // The first round warms all.
        if (pair > 0) samples.set(name, [...samples.get(name) ?? [], sample]);
      }
    }
  } finally {
    for (const target of targets.values()) await target.stop();
  }
  const of = (name: string, key: keyof Sample) =>
    (samples.get(name) ?? []).map((sample) => sample[key]);
  const against = (name: string, base: string) => ({
    cpu: ratios(of(name, "cpuSecondsPerGb"), of(base, "cpuSecondsPerGb")),
    recordsPerSecond: ratios(of(name, "recordsPerSecond"), of(base, "recordsPerSecond")),
  });
  return {
    scrapedOverQuiet: against("scraped", "quiet"),
    ...(before === null ? {} : { quietOverBefore: against("quiet", "before") }),
  };
}

const args = process.argv.slice(2);
const pairs = Number(optionAfter(args, "--pairs", "10"));
const scale = Number(optionAfter(args, "--scale", "1"));
const before = optionAfter(args, "--before", "");
console.log(JSON.stringify(await large(), null, 2));
console.log(JSON.stringify(await scraped(pairs, scale, before === "" ? null : before), null, 2));
