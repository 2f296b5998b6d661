/** Two brokers and a worker beside the second, which mirrors the first. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Admin } from "../../../client/admin.ts";
import { Consumer } from "../../../client/consumer.ts";
import { Producer } from "../../../client/producer.ts";
import type { ProducerRecord } from "../../../client/producer.ts";
import { bunCodecs } from "../../../core/compression/bun.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunNetwork } from "../../../core/io/bun/network.ts";
import { bunRandom } from "../../../core/io/bun/random.ts";
import { freshDir, KSTREAM, startBrokerProcess } from "../../harness/broker-process.ts";
import { freePort } from "../../harness/free-ports.ts";

const io = { clock: bunClock, random: bunRandom, network: bunNetwork };
const PATIENCE_MS = 45_000;

/** A broker that can be killed and come back with what it had. */
export class MirrorBroker {
  readonly #dir = freshDir("mirror-broker");
  #kill: (() => Promise<unknown>) | null = null;

  private constructor(readonly port: number) {}

  static async start(): Promise<MirrorBroker> {
    const port = await freePort();
    const broker = new MirrorBroker(port!);
    await broker.up();
    return broker;
  }

  get bootstrap(): string {
    return `127.0.0.1:${this.port}`;
  }

  async up(): Promise<void> {
    const process = await startBrokerProcess({ dataDir: this.#dir, port: this.port });
    this.#kill = () => process.stop("SIGKILL");
  }

  async down(): Promise<void> {
    await this.#kill?.();
    this.#kill = null;
  }

  async stop(): Promise<void> {
    await this.down();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Runs `connect run` with these configs until it is stopped or killed. */
export class MirrorWorker {
  readonly #dir = freshDir("mirror-worker");
  #child: Bun.Subprocess<"ignore", "ignore", "pipe"> | null = null;
  #output = "";
  #said: Promise<string> = Promise.resolve("");

  constructor(
    readonly bootstrap: string,
    readonly configs: readonly Readonly<Record<string, unknown>>[],
    /** Of the command. */
    readonly options: readonly string[] = [],
  ) {}

  async up(): Promise<void> {
    const files = await Promise.all(this.configs.map(async (config) => {
      const file = join(this.#dir, `${String(config["name"])}.yaml`);
      // JSON is YAML.
      await Bun.write(file, JSON.stringify(config));
      return file;
    }));
    const options = ["--brokers", this.bootstrap, ...this.options];
    const command = [KSTREAM, "connect", "run", ...options, ...files];
    const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    this.#child = child;
    this.#output = "";
    this.#said = this.#listen(child.stderr);
  }

  async #listen(stream: ReadableStream<Uint8Array>): Promise<string> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#output += decoder.decode(chunk, { stream: true });
    return this.#output;
  }

  /** Waits until it says so. */
  async says(what: RegExp): Promise<void> {
    await until(() => Promise.resolve(what.test(this.#output) || null), () => this.#output);
  }

  /** What it has said, once it has failed for good. */
  async ended(): Promise<string> {
    await this.#child?.exited;
    return await this.#said;
  }

  async down(signal: NodeJS.Signals = "SIGKILL"): Promise<string> {
    this.#child?.kill(signal);
    await this.#child?.exited;
    return await this.#said;
  }

  async stop(): Promise<string> {
    const said = await this.down("SIGTERM");
    rmSync(this.#dir, { recursive: true, force: true });
    return said;
  }
}

export async function withAdmin<T>(
  bootstrap: string,
  body: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = new Admin(io, { brokers: [bootstrap] });
  try {
    return await body(admin);
  } finally {
    admin.close();
  }
}

export async function produce(
  bootstrap: string,
  records: readonly ProducerRecord[],
  transaction: "commit" | "abort" | null = null,
): Promise<void> {
  const producer = new Producer(io, {
    brokers: [bootstrap],
    codecs: bunCodecs,
    ...(transaction === null ? {} : { transactionalId: "tester" }),
  });
  try {
    if (transaction !== null) {
      await producer.transactions.init();
      producer.transactions.begin();
    }
    await producer.sendAll(records);
    if (transaction !== null) await producer.transactions[transaction]();
  } finally {
    await producer.close();
  }
}

/** What there is of a topic's partitions, a line each with all of a record but its offset. */
export async function contents(
  bootstrap: string,
  topic: string,
  isolationLevel: "read_committed" | "read_uncommitted" = "read_committed",
): Promise<string[][]> {
  const ends = await withAdmin(bootstrap, async (admin) => {
    const [described] = await admin.describeTopics([topic]);
    const partitions = described?.topic?.partitions.length ?? 0;
    return await admin.listOffsets(
      Array.from({ length: partitions }, (_, partition) => ({
        topic,
        partition,
        at: "latest" as const,
      })),
      { isolationLevel },
    );
  });
  const lines: string[][] = ends.map(() => []);
  const open = new Map(ends.map(({ partition, offset }) => [partition, Number(offset)]));
  for (const [partition, end] of open) if (end === 0) open.delete(partition);
  const consumer = new Consumer(io, {
    brokers: [bootstrap],
    codecs: bunCodecs,
    isolationLevel,
    maxWaitMs: 50,
  });
  await consumer.assign([...open.keys()].map((partition) => ({ topic, partition, offset: 0n })));
  while (open.size > 0) {
    const chunk = await consumer.nextChunk();
    if (chunk === null) break;
    for (const { key, value, headers, timestampMs } of chunk.records()) {
      lines[chunk.partition]!.push(
        JSON.stringify([hex(key), hex(value), headers.map(([n, v]) => [n, hex(v)]), timestampMs]),
      );
    }
    if (chunk.nextOffset >= open.get(chunk.partition)!) open.delete(chunk.partition);
  }
  await consumer.close();
  return lines;
}

function hex(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString("hex");
}

/** Asks until the answer is not null, or fails with what is said of it then. */
export async function until<T>(
  ask: () => Promise<T | null>,
  why: () => Promise<string> | string,
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask().catch(() => null);
    if (answer !== null) return answer;
    if (performance.now() > deadline) throw new Error(`it never came to be: ${await why()}`);
    await Bun.sleep(50);
  }
}

/** A consumer of a group, read until so many records have come. */
export async function consume(
  bootstrap: string,
  groupId: string,
  topic: string,
  count: number,
  isCommitted: boolean,
): Promise<string[]> {
  const consumer = new Consumer(io, { brokers: [bootstrap], codecs: bunCodecs, groupId });
  consumer.subscribe([topic]);
  const values: string[] = [];
  for await (const { value } of consumer.records()) {
    values.push(Buffer.from(value ?? []).toString());
    if (values.length === count) break;
  }
  if (isCommitted) await consumer.commit();
  await consumer.close();
  return values;
}
