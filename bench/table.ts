/**
 * Writes the first part of `docs/benchmarks.md` from result files, so that no figure is copied by hand:
 * `bun bench/table.ts bench/results/FILE.json…`. Parts of later files replace those of earlier ones.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { ClientRow } from "./clients.ts";
import { beforeHandwritten, markdownTable as table, spreadText } from "./markdown.ts";
import type { Spread } from "./measure.ts";
import type { StreamsRow } from "./streams.ts";
import { streamsSection } from "./streams-table.ts";
import type { ThroughputRow } from "./throughput.ts";

interface E2e {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What `bench/run.ts` writes; this program reads only files of its own making. */
interface ResultFile {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly commit: string;
  readonly at: string;
  readonly bun: string;
  readonly pairs: number;
  readonly scale: number;
  readonly throughput: {
    readonly rows: readonly ThroughputRow[];
    readonly latency: readonly {
      readonly acks: string;
      readonly ours: E2e;
      readonly kafka: E2e;
    }[];
    readonly memory: { readonly idle: number; readonly peak: number; readonly kafkaPeak: number };
  };
  readonly fsync: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly startup: {
    readonly execToFirstAckMs: Spread;
    readonly commandMs: Readonly<Record<string, Spread>>;
  };
  readonly commands: { readonly produce: Spread; readonly consume: Spread };
  /** Of the file that `commands` come from. */
  readonly commandsScale: number;
  /** Left out where the other clients could not be installed. */
  readonly clients?: readonly ClientRow[] | null;
  readonly streams?: readonly StreamsRow[];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

function throughputTable(rows: readonly ThroughputRow[], direction: "produce" | "consume"): string {
  const some = rows.filter((row) => row.direction === direction);
  const isProduce = direction === "produce";
  const head = [
    "workload",
    "throughput",
    "CPU per GB",
    ...(isProduce ? ["p99"] : []),
    "ours k/s",
    "ours s/GB",
    "Kafka s/GB",
  ];
  return table(
    head,
    some.map(({ workload, ratio, ours, kafka }) => [
      `${workload.partitions} × ${workload.recordBytes} B, ${workload.compression}` +
      (isProduce ? `, acks=${workload.acks}` : ""),
      spreadText(ratio.throughput),
      spreadText(ratio.cpu),
      ...(isProduce ? [spreadText(ratio.p99)] : []),
      (ours.recordsPerSecond.median / 1000).toFixed(0),
      ours.cpuSecondsPerGb.median.toFixed(2),
      kafka.cpuSecondsPerGb.median.toFixed(2),
    ]),
  );
}

function latencyTable(result: ResultFile): string {
  return table(
    ["acks", "ours mean ms", "Kafka mean ms", "ours p99 ms", "Kafka p99 ms"],
    ["1", "all"].map((acks) => {
      const runs = result.throughput.latency.filter((run) => run.acks === acks);
      const of = (side: "ours" | "kafka", key: "meanMs" | "p99Ms") =>
        median(runs.map((run) => run[side][key]));
      return [
        acks,
        of("ours", "meanMs").toFixed(2),
        of("kafka", "meanMs").toFixed(2),
        of("ours", "p99Ms").toFixed(0),
        of("kafka", "p99Ms").toFixed(0),
      ];
    }),
  );
}

function fsyncTable(fsync: ResultFile["fsync"]): string {
  const paced = (durability: string, partitions: number) => {
    const figures = fsync[`kstream (${durability}), ${partitions} partitions at a steady rate`];
    return Number(figures?.["p99Ms"]).toFixed(1);
  };
  return table(
    ["partitions", "throughput, fsync over os", "p99 ms, fsync", "p99 ms, os"],
    [1, 12, 100, 1000].map((partitions) => [
      String(partitions),
      Number(fsync[`${partitions} partitions`]?.["ratio"]).toFixed(2),
      paced("fsync", partitions),
      paced("os", partitions),
    ]),
  );
}

function clientTable(rows: readonly ClientRow[], direction: "produce" | "consume"): string {
  const some = rows.filter(({ workload }) => workload.direction === direction);
  const first = some[0];
  if (first === undefined) return "";
  const others = Object.keys(Object.values(first.ratios)[0] ?? {});
  const name = ({ broker, workload }: ClientRow) =>
    `${broker}, ${workload.valueBytes} B, ${workload.compression}`;
  const ratioRows = some.flatMap((row) =>
    Object.entries(row.ratios).map(([ours, over]) => [
      name(row),
      ours,
      ...others.map((other) => {
        const pair = over[other];
        return pair === undefined
          ? ""
          : `${spreadText(pair.throughput)}, CPU ${pair.cpu.median.toFixed(2)}`;
      }),
    ])
  );
  const names = Object.keys(first.clients);
  const figureRows = some.map((row) => [
    name(row),
    ...names.map((client) => {
      const figures = row.clients[client];
      if (figures === undefined) return "";
      const { recordsPerSecond, cpuSeconds } = figures;
      return `${(recordsPerSecond.median / 1000).toFixed(0)}, ${cpuSeconds.median.toFixed(2)}`;
    }),
  ]);
  return [
    table(["broker, values", "", ...others.map((other) => `over ${other}`)], ratioRows),
    "Thousands of records a second, and seconds of the client's CPU per million records:",
    table(["broker, values", ...names], figureRows),
  ].join("\n\n");
}

function clientSection(rows: readonly ClientRow[] | null | undefined): string {
  if (rows === null || rows === undefined || rows.length === 0) return "";
  return `
## The client library

The npm package against other clients for JavaScript, each in a process of its own, in turn, on the
same broker: records with keys for six partitions, acks=all, a group of one member. Each client is
used in its quickest way that we found (\`bench/clients/\`), ours by \`TopicWriter\` and
\`eachBatch\`; "records" is ours by \`sendAll\` of lists and by the loop over \`records\`. A figure
is the throughput of ours over theirs, and the CPU time per record of our process over theirs.

### Produce

${clientTable(rows, "produce")}

### Consume

${clientTable(rows, "consume")}
`;
}

function page(result: ResultFile, file: string): string {
  const { throughput, startup, commands } = result;
  const mb = (bytes: number) => Math.round(bytes / 1024 / 1024);
  const machine = `${result.machine["cpu"]}, ${result.machine["cores"]} cores shared by broker ` +
    "and client";
  const single = result.fsync["latency, 1 partition"];
  return `# Benchmarks

Written by \`bun bench/table.ts\` from \`bench/results/${file}\` (${result.at.slice(0, 10)}, commit
${result.commit}, Bun ${result.bun}). Machine: ${machine}.

Every figure against Apache Kafka 4.3.1 is a ratio, ours over Kafka's, of runs in turn with Kafka's
own tools on the same machine: the median of ${result.pairs} pairs (of other parts at least 2) with its minimum and maximum,
after one uncounted round. Above 1 is better for throughput, below 1 for CPU and latency. CPU is
the broker process's user and system time. Both run with \`os\` durability unless it says otherwise.
One run is ${4 * result.scale} million records of 100 B or ${800 * result.scale} thousand of 1 KB.

## Produce (\`producer-perf-test\`, batch.size=131072, linger.ms=5)

${throughputTable(throughput.rows, "produce")}

## Consume (\`consumer-perf-test\`)

${throughputTable(throughput.rows, "consume")}

## End-to-end latency (\`e2e-latency\`, one record at a time, 10,000 records)

${latencyTable(result)}

## Memory

Idle ${mb(throughput.memory.idle)} MB; at the peak of the whole bench ${
    mb(throughput.memory.peak)
  } MB (Kafka with a heap of 1 GB: ${mb(throughput.memory.kafkaPeak)} MB).

## Durability \`fsync\`

Throughput of \`producer-perf-test\` with acks=all and 1 KB, over our own \`os\` in the same run; and
latency of acks=all at a steady 2,000 records a second, one record a batch, spread over the
partitions (\`bench/paced.ts\`).

${fsyncTable(result.fsync)}

\`e2e-latency\` under \`fsync\`, one partition, acks=all: mean ${
    Number(single?.["meanMs"]).toFixed(2)
  } ms, p99 ${single?.["p99Ms"]} ms.

## Start

From exec to the first acknowledgement on an empty directory, \`fsync\`:
${spreadText(startup.execToFirstAckMs, 0)} ms. Whole runs of commands against a broker on the same
machine, in ms:

${
    table(
      ["command", "ms"],
      Object.entries(startup.commandMs).map(([name, ms]) => [name, spreadText(ms, 0)]),
    )
  }

## Commands against kcat

A file of ${result.commandsScale} GB of short lines: kcat's wall time over ours.
\`produce\` ×${spreadText(commands.produce)}, \`consume\` ×${spreadText(commands.consume)}.
${clientSection(result.clients)}${streamsSection(result.streams)}`;
}

const paths = process.argv.slice(2);
const results = paths.map((path) => JSON.parse(readFileSync(path, "utf8")) as Partial<ResultFile>);
const [first] = results as [ResultFile];
const parts: Partial<ResultFile> = Object.assign({}, ...results);
const { commit, at, pairs, scale } = first;
const commandsOf = results.findLast(({ commands }) => commands !== undefined) ?? first;
const commandsScale = commandsOf.scale ?? scale;
const merged: ResultFile = { ...first, ...parts, commit, at, pairs, scale, commandsScale };
const path = join(import.meta.dir, "../docs/benchmarks.md");
const written = page(merged, paths.map((each) => basename(each)).join("`, `bench/results/"));
writeFileSync(path, beforeHandwritten(written, readFileSync(path, "utf8")));
