/**
 * Our client library against kafkajs, @platformatic/kafka and node-rdkafka, each in a process of its
 * own on the same broker, in turn. In a round a client sends, or reads, as fast as it can for a fixed
 * time, and waits for the answers to what it has sent. Records have keys and go to six partitions;
 * they are sent with acks=all.
 */
import { join } from "node:path";
import { Admin } from "../client/admin.ts";
import { Producer } from "../client/producer.ts";
import { bunCodecs } from "../core/compression/bun.ts";
import { clientIo } from "../cmd/client.ts";
import { records } from "./clients/load.mjs";
import { installOurs, needClients, NODE_BINARY, PROGRAMS } from "./clients/install.ts";
import { ratios, type Spread, spread } from "./measure.ts";
import { startKafka, startOurs, type Target } from "./targets.ts";

const KAFKA_PORT = 29192;
const PARTITIONS = 6;
const ROUND_SECONDS = 0.75;
/** More than the fastest client reads in a round. */
const RECORDS_TO_READ = { 100: 3_000_000, 1000: 600_000 } as const;
const ROUND_TIMEOUT_MS = 60_000;

/** One way of producing or consuming. */
export interface ClientWorkload {
  readonly direction: "produce" | "consume";
  readonly valueBytes: 100 | 1000;
  readonly compression: "none" | "lz4";
}

/** What the rounds of one client gave. */
export interface ClientFigures {
  readonly recordsPerSecond: Spread;
  /** Of the client's process, per million records. */
  readonly cpuSeconds: Spread;
}

/** One row of the table: all clients on one broker under one workload. */
export interface ClientRow {
  readonly broker: string;
  readonly workload: ClientWorkload;
  readonly clients: Readonly<Record<string, ClientFigures>>;
  /** Ours over each other one, by the names of both. */
  readonly ratios: Readonly<Record<string, Readonly<Record<string, RatioPair>>>>;
}

/** Ours over theirs: above 1 is better for throughput, below 1 for processor time. */
export interface RatioPair {
  readonly throughput: Spread;
  readonly cpu: Spread;
}

interface Program {
  readonly runtime: string;
  readonly file: string;
  readonly ours: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

const PROGRAMS_BY_NAME: Readonly<Record<string, Program>> = {
  kafkajs: { runtime: NODE_BINARY, file: "kafkajs.mjs", ours: false },
  "@platformatic/kafka": { runtime: NODE_BINARY, file: "platformatic.mjs", ours: false },
  "node-rdkafka": { runtime: NODE_BINARY, file: "rdkafka.mjs", ours: false },
  "ours on Node": { runtime: NODE_BINARY, file: "kstream.mjs", ours: true },
  "ours on Bun": { runtime: process.execPath, file: "kstream.mjs", ours: true },
  "ours on Node, records": {
    runtime: NODE_BINARY,
    file: "kstream.mjs",
    ours: true,
    env: { WAY: "records" },
  },
  "ours on Bun, records": {
    runtime: process.execPath,
    file: "kstream.mjs",
    ours: true,
    env: { WAY: "records" },
  },
};

interface Round {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** A client's process, which does one round at a time. */
class Client {
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  constructor({ runtime, file, env }: Program, bootstrap: string) {
    this.#child = Bun.spawn([runtime, join(PROGRAMS, file)], {
      cwd: PROGRAMS,
      env: { ...process.env, KAFKAJS_NO_PARTITIONER_WARNING: "1", ...env, BOOTSTRAP: bootstrap },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#lines = linesOf(this.#child.stdout);
  }

  async round(request: object): Promise<Round> {
    this.#child.stdin.write(JSON.stringify(request) + "\n");
    await this.#child.stdin.flush();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), ROUND_TIMEOUT_MS);
    const line = await this.#lines.next().finally(() => clearTimeout(timer));
    if (line.done === true) {
      throw new Error(`a client ended in a round of ${JSON.stringify(request)}`);
    }
    return JSON.parse(line.value) as Round;
  }

  async end(): Promise<void> {
    await this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#child.exited.finally(() => clearTimeout(timer));
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    const lines = (text + decoder.decode(chunk, { stream: true })).split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}

/** Fills a topic that is to be read, with batches as a producer makes them. */
async function fill(target: Target, topic: string, workload: ClientWorkload): Promise<number> {
  const { valueBytes, compression } = workload;
  const producer = new Producer(clientIo, {
    brokers: [target.bootstrap],
    compression,
    codecs: bunCodecs,
    batchBytes: 64 * 1024,
  });
  const writer = await producer.topic(topic);
  const { keys, values } = records(valueBytes);
  const count = RECORDS_TO_READ[valueBytes];
  for (let i = 0; i < count;) {
    const [key, value] = [keys[i % keys.length]!, values[i % values.length]!];
    if (writer.append(-1, Date.now(), key, value) < 0) await producer.room();
    else i++;
  }
  await producer.close();
  return count;
}

async function withTopic<T>(target: Target, body: (topic: string) => Promise<T>): Promise<T> {
  const admin = new Admin(clientIo, { brokers: [target.bootstrap] });
  const topic = `clients-${Bun.nanoseconds()}`;
  await admin.createTopics([{ name: topic, partitions: PARTITIONS }]);
  try {
    return await body(topic);
  } finally {
    await admin.deleteTopics([topic]);
    admin.close();
  }
}

function workloads(broker: string, only: RegExp): ClientWorkload[] {
  const all: ClientWorkload[] = [];
  for (const direction of ["produce", "consume"] as const) {
    for (const valueBytes of [100, 1000] as const) {
      for (const compression of ["none", "lz4"] as const) {
        all.push({ direction, valueBytes, compression });
      }
    }
  }
  return all.filter((each) =>
    only.test(`${broker} ${each.direction} ${each.valueBytes} ${each.compression}`)
  );
}

async function measure(
  target: Target,
  workload: ClientWorkload,
  pairs: number,
): Promise<Map<string, Round[]>> {
  const programs = Object.entries(PROGRAMS_BY_NAME);
  const clients = programs.map(([name, program]) => ({
    name,
    client: new Client(program, target.bootstrap),
  }));
  const rounds = new Map<string, Round[]>(programs.map(([name]) => [name, []]));
  const { direction, valueBytes, compression } = workload;
  const request = { kind: direction, valueBytes, compression, seconds: ROUND_SECONDS };
  const turn = async (run: (client: Client) => Promise<Round>) => {
    for (let pair = 0; pair <= pairs; pair++) {
      for (const { name, client } of clients) {
        const round = await run(client);
        if (pair > 0) rounds.get(name)!.push(round);
      }
    }
  };
  if (direction === "produce") {
    await turn((client) => withTopic(target, (topic) => client.round({ ...request, topic })));
  } else {
    await withTopic(target, async (topic) => {
      const count = await fill(target, topic, workload);
      await turn((client) => client.round({ ...request, topic, records: count }));
    });
  }
  await Promise.all(clients.map(({ client }) => client.end()));
  return rounds;
}

const perSecond = (rounds: readonly Round[]) => rounds.map((one) => one.records / one.seconds);
const cpuPerMillion = (rounds: readonly Round[]) =>
  rounds.map((one) => one.cpuSeconds / one.records * 1e6);

function rowOf(
  broker: string,
  workload: ClientWorkload,
  rounds: ReadonlyMap<string, readonly Round[]>,
): ClientRow {
  const clients: Record<string, ClientFigures> = {};
  const all: Record<string, Record<string, RatioPair>> = {};
  for (const [name, own] of rounds) {
    clients[name] = {
      recordsPerSecond: spread(perSecond(own)),
      cpuSeconds: spread(cpuPerMillion(own)),
    };
    if (PROGRAMS_BY_NAME[name]?.ours !== true) continue;
    const others = [...rounds].filter(([other]) => PROGRAMS_BY_NAME[other]?.ours === false);
    all[name] = Object.fromEntries(others.map(([other, theirs]) => [other, {
      throughput: ratios(perSecond(own), perSecond(theirs)),
      cpu: ratios(cpuPerMillion(own), cpuPerMillion(theirs)),
    }]));
  }
  return { broker, workload, clients, ratios: all };
}

function report({ broker, workload, clients, ratios }: ClientRow): void {
  const { direction, valueBytes, compression } = workload;
  console.log(`${broker}, ${direction} ${valueBytes} B, ${compression}`);
  for (const [name, { recordsPerSecond, cpuSeconds }] of Object.entries(clients)) {
    const over = Object.entries(ratios[name] ?? {}).map(([other, { throughput, cpu }]) =>
      `×${throughput.median.toFixed(2)} (CPU ×${cpu.median.toFixed(2)}) ${other}`
    );
    console.log(
      `  ${name.padEnd(24)} ${(recordsPerSecond.median / 1000).toFixed(0).padStart(5)} k/s ` +
        `${cpuSeconds.median.toFixed(2)} s/million  ${over.join(", ")}`,
    );
  }
}

/**
 * All workloads on Kafka and on kstream; `only` chooses them by broker, direction, size and
 * compression. Null without the other clients.
 */
export async function clients(pairs: number, only: RegExp): Promise<readonly ClientRow[] | null> {
  const reason = await needClients();
  if (reason !== null) {
    console.error(`bench: clients are left out: ${reason}`);
    return null;
  }
  await installOurs();
  const settings = {
    "log.segment.delete.delay.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
  };
  const brokers = {
    kafka: () => startKafka(KAFKA_PORT, settings),
    kstream: () => startOurs("os", { ...settings, "kstream.trash.ms": "0" }),
  };
  const rows: ClientRow[] = [];
  for (const [name, start] of Object.entries(brokers)) {
    const chosen = workloads(name, only);
    if (chosen.length === 0) continue;
    const target = await start();
    try {
      for (const workload of chosen) {
        const row = rowOf(target.name, workload, await measure(target, workload, pairs));
        report(row);
        rows.push(row);
      }
    } finally {
      await target.stop();
    }
  }
  return rows;
}
