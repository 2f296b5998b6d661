/**
 * `bun bench/connect.ts [--pairs 3] [--records 2000000] [--broker kstream|kafka] [PART…]`: our
 * connectors of files against those of Apache Kafka's own worker, in turn, on the same broker and
 * files. Parts: start, string, json. Figures are of one run each; ratios are ours over Kafka's.
 */
import { once } from "node:events";
import { createWriteStream, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Admin } from "../client/admin.ts";
import { UnknownTopicError } from "../client/cluster.ts";
import { bunClock } from "../core/io/bun/clock.ts";
import { bunNetwork } from "../core/io/bun/network.ts";
import { bunRandom } from "../core/io/bun/random.ts";
import { freePort } from "../tests/harness/free-ports.ts";
import { needJavaPrograms } from "../tests/compat/java-programs.ts";
import { freshDir } from "../tests/harness/broker-process.ts";
import { optionAfter } from "../tests/harness/flags.ts";
import { kafkaWorker, OUR_WORKER } from "./connect-workers.ts";
import type { ConverterName, RunningWorker, WorkerKind } from "./connect-workers.ts";
import { cpuSeconds, memoryBytes, ratios, spread } from "./measure.ts";
import { startKafka, startOurs } from "./targets.ts";
import type { Target } from "./targets.ts";

const args = process.argv.slice(2);
const PAIRS = Number(optionAfter(args, "--pairs", "3"));
const RECORDS = Number(optionAfter(args, "--records", "2000000"));
/** What goes before the counted records, so that a virtual machine has compiled what it runs. */
const WARM_RECORDS = Math.min(RECORDS, 500_000);
const DEADLINE_MS = 120_000;

const dir = freshDir("bench-connect");
const KINDS: readonly WorkerKind[] = [
  OUR_WORKER,
  kafkaWorker(optionAfter(args, "--discovery", "hybrid_warn")),
];

const CONVERTERS: Readonly<Record<ConverterName, Readonly<Record<string, string>>>> = {
  string: { "value.converter": "org.apache.kafka.connect.storage.StringConverter" },
  json: {
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
  },
};

/** Figures of one run by name. */
type Figures = Record<string, number>;

/** A line of 100 bytes: text, or an object of JSON. */
function line(index: number, converter: ConverterName): string {
  if (converter === "string") return `${index} `.padEnd(99, "abcdefghij");
  const id = `"id":${index},"at":${1_700_000_000_000 + index},"paid":${index % 2 === 0}`;
  return `{${id},"amount":${index % 1000}.25,"text":"`.padEnd(97, "abcdefghij") + '"}';
}

async function writeLines(file: string, count: number, kind: ConverterName): Promise<void> {
  const stream = createWriteStream(file);
  for (let index = 0; index < count; index += 10_000) {
    const part = Array.from(
      { length: Math.min(10_000, count - index) },
      (_, i) => line(index + i, kind),
    );
    if (!stream.write(part.join("\n") + "\n")) await once(stream, "drain");
  }
  stream.end();
  await once(stream, "close");
}

/** Looks until what is counted is `wanted`; when the first was there, when the last, and how many. */
async function watchUntil(wanted: number, count: () => Promise<number>): Promise<number> {
  const beganMs = performance.now();
  let first: { readonly atMs: number; readonly count: number } | null = null;
  for (;;) {
    const now = await count();
    const atMs = performance.now();
    if (now > 0) first ??= { atMs, count: now };
    if (now >= wanted && first !== null) {
      return (now - first.count) / Math.max(atMs - first.atMs, 1) * 1000;
    }
    if (atMs - beganMs > DEADLINE_MS) {
      throw new Error(`${now} of ${wanted} after ${DEADLINE_MS} ms`);
    }
    await Bun.sleep(10);
  }
}

class Bench {
  readonly #admin: Admin;
  constructor(readonly target: Target) {
    const io = { clock: bunClock, random: bunRandom, network: bunNetwork };
    this.#admin = new Admin(io, { brokers: [target.bootstrap] });
  }

  async topic(name: string): Promise<void> {
    await this.#admin.createTopics([{ name, partitions: 1, replicationFactor: 1 }]);
  }

  async drop(name: string): Promise<void> {
    await this.#admin.deleteTopics([name]);
  }

  async end(name: string): Promise<number> {
    try {
      const [offset] = await this.#admin.listOffsets([{ topic: name, partition: 0, at: "latest" }]);
      return Number(offset?.offset ?? 0);
    } catch (error) {
      // Apache's brokers answer that a topic is made before each of them knows it.
      if (error instanceof UnknownTopicError) return 0;
      throw error;
    }
  }

  close(): void {
    this.#admin.close();
  }

  /** Records a second, and the processor's seconds for a million of them. */
  async source(
    worker: RunningWorker,
    topic: string,
    config: Readonly<Record<string, string>>,
    count: number,
  ): Promise<Figures> {
    await this.topic(topic);
    const cpu = cpuSeconds(worker.pid);
    await worker.put(topic, { ...config, topic });
    const perSecond = await watchUntil(count, () => this.end(topic));
    const used = cpuSeconds(worker.pid) - cpu;
    await worker.remove(topic);
    return { perSecond, cpuPerMillion: used / count * 1e6 };
  }

  /** As `source`; the sink is done when its file has so many bytes. */
  async sink(
    worker: RunningWorker,
    topic: string,
    config: Readonly<Record<string, string>>,
    count: number,
    bytes: number,
  ): Promise<Figures> {
    const file = join(dir, `out-${topic}`);
    const cpu = cpuSeconds(worker.pid);
    await worker.put(`sink-${topic}`, { ...config, file, topics: topic });
    const size = () => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    const perByte = await watchUntil(bytes, () => Promise.resolve(size()));
    const used = cpuSeconds(worker.pid) - cpu;
    await worker.remove(`sink-${topic}`);
    if (size() !== bytes) throw new Error(`${file} has ${size()} bytes in place of ${bytes}`);
    rmSync(file);
    return { perSecond: perByte / bytes * count, cpuPerMillion: used / count * 1e6 };
  }
}

/** From exec to an answer of the REST API, and of a worker alone to the first record in its topic. */
async function starts(bench: Bench, kind: WorkerKind, round: string): Promise<Figures> {
  const worker = await kind.start(bench.target.bootstrap, dir, round);
  await Bun.sleep(2000);
  const idleMb = memoryBytes(worker.pid).now / 2 ** 20;
  await worker.stop();
  const topic = `first-${round}`;
  const file = join(dir, topic);
  writeFileSync(file, "one line\n");
  await bench.topic(topic);
  const beganMs = performance.now();
  const config = { ...kind.source, ...CONVERTERS.string, name: topic, file, topic };
  const alone = await kind.startAlone(bench.target.bootstrap, dir, config);
  while (await bench.end(topic) === 0) await Bun.sleep(2);
  const firstRecordMs = performance.now() - beganMs;
  alone.kill("SIGKILL");
  await alone.exited;
  await bench.drop(topic);
  return { restMs: worker.readyMs, firstRecordMs, idleMb };
}

/** Through a source and back through a sink, after a smaller round that does not count. */
async function moves(
  bench: Bench,
  kind: WorkerKind,
  converter: ConverterName,
  round: string,
): Promise<Record<string, Figures>> {
  const worker = await kind.start(bench.target.bootstrap, dir, round);
  const measured: Record<string, Figures> = {};
  try {
    for (const what of ["warm", "full"]) {
      const [count, file] = [what === "warm" ? WARM_RECORDS : RECORDS, join(dir, `${what}.txt`)];
      const topic = `${what}-${round}`;
      const config = { ...kind.source, ...CONVERTERS[converter], file };
      measured[`${converter} source`] = await bench.source(worker, topic, config, count);
      let read = topic;
      if (converter === "json") {
        // Lines as they are, so that the sink has objects to read.
        read = `${topic}-objects`;
        await bench.source(worker, read, { ...config, ...CONVERTERS.string }, count);
      }
      const bytes = kind.sinkBytes(statSync(file).size, count, converter);
      const sink = { ...kind.sink, ...CONVERTERS[converter] };
      measured[`${converter} sink`] = await bench.sink(worker, read, sink, count, bytes);
      await bench.drop(topic);
      if (read !== topic) await bench.drop(read);
    }
    const peakMb = memoryBytes(worker.pid).peak / 2 ** 20;
    await worker.stop();
    return { ...measured, [`${converter} memory`]: { peakMb } };
  } catch (error) {
    await worker.stop();
    throw new Error(`${kind.name}: ${await worker.said()}`, { cause: error });
  }
}

function show(part: string, runs: readonly (readonly [Figures, Figures])[]): void {
  for (const figure of Object.keys(runs[0]![0])) {
    const ours = runs.map(([run]) => run[figure]!);
    const theirs = runs.map(([, run]) => run[figure]!);
    const { min, median, max } = ratios(ours, theirs);
    const number = (value: number) => value.toFixed(value < 100 ? 2 : 0);
    console.log(
      `${part.padEnd(14)} ${figure.padEnd(14)} ${number(spread(ours).median).padStart(9)} ` +
        `against ${number(spread(theirs).median).padStart(9)}: ×${median.toFixed(2)} ` +
        `(${min.toFixed(2)}–${max.toFixed(2)})`,
    );
  }
}

async function pairs(
  measure: (kind: WorkerKind, round: string) => Promise<Record<string, Figures>>,
): Promise<void> {
  const runs: Record<string, Figures>[][] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const both: Record<string, Figures>[] = [];
    for (const kind of pair % 2 === 0 ? KINDS : KINDS.toReversed()) {
      both[KINDS.indexOf(kind)] = await measure(kind, `${kind.name}-${pair}`);
    }
    runs.push(both);
    console.log(`pair ${pair + 1}: ${JSON.stringify(both)}`);
  }
  for (const part of Object.keys(runs[0]![0]!)) {
    show(part, runs.map(([ours, theirs]) => [ours![part]!, theirs![part]!] as const));
  }
}

const reason = await needJavaPrograms();
if (reason !== null) throw new Error(reason);
const isKafka = optionAfter(args, "--broker", "kstream") === "kafka";
const target = isKafka ? await startKafka(await freePort()) : await startOurs("os");
const bench = new Bench(target);
const wanted = (part: string) => {
  const named = ["start", "string", "json"].filter((each) => args.includes(each));
  return named.length === 0 || named.includes(part);
};
try {
  console.log(`broker: ${target.name}, ${RECORDS} records of 100 B, ${PAIRS} pairs`);
  if (wanted("start")) {
    await pairs(async (kind, round) => ({ start: await starts(bench, kind, round) }));
  }
  for (const converter of ["string", "json"] as const) {
    if (!wanted(converter)) continue;
    await writeLines(join(dir, "full.txt"), RECORDS, converter);
    await writeLines(join(dir, "warm.txt"), WARM_RECORDS, converter);
    await pairs((kind, round) => moves(bench, kind, converter, `${converter}-${round}`));
  }
} finally {
  bench.close();
  await target.stop();
  rmSync(dir, { recursive: true, force: true });
}
