/**
 * Clients of a cluster under test: some append unique values, some read all that is there, and what they
 * were told goes into a history (`history.ts`). They are the project's own; others ride along elsewhere.
 */
import { Admin, Consumer, Producer, stringSerde } from "../../client/index.ts";
import type { ClientIo } from "../../client/options.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import { parseBroker } from "../../client/brokers.ts";
import type { Operation } from "./history.ts";
import { Strands } from "./strands.ts";

/** What is done, and to whom. */
export interface WorkloadOptions {
  /** `host:port`, some of the brokers. */
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  readonly appenders: number;
  readonly readers: number;
  /** Of one appender. */
  readonly appendsPerSecond: number;
}

/** How long an append is tried before its outcome counts as unknown. */
const DELIVERY_TIMEOUT_MS = 20_000;
/** How long the last read of a partition may take, after all is well again. */
const FINAL_READ_MS = 60_000;

const nowNs = () => Bun.nanoseconds();

/** See the head of the file: `start`, let faults happen, `finish`. */
export class Workload {
  readonly history: Operation[] = [];
  /** Of each partition. */
  readonly strands: Strands;
  readonly #options: WorkloadOptions;
  readonly #io: ClientIo = bunIo();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  #nextProcess = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.strands = new Strands(options.partitions);
  }

  start(): void {
    for (let index = 0; index < this.#options.appenders; index++) {
      this.#running.push(this.#append());
    }
    for (let index = 0; index < this.#options.readers; index++) this.#running.push(this.#read());
  }

  /** Stops appending, reads everything once more, and gives the history. */
  async finish(): Promise<readonly Operation[]> {
    this.#stop.abort(new Error("the workload ends"));
    await Promise.all(this.#running);
    for (let partition = 0; partition < this.#options.partitions; partition++) {
      await this.#readFinally(partition);
    }
    return this.history;
  }

  #clientOptions(process: number) {
    return { brokers: this.#brokers(), clientId: `proof-${process}` };
  }

  #brokers() {
    return this.#options.brokers.flatMap((text) => parseBroker(text) ?? []);
  }

  async #append(): Promise<void> {
    const process = this.#nextProcess++;
    const { appendsPerSecond, partitions, topic } = this.#options;
    const producer = new Producer<Uint8Array, string>(this.#io, {
      ...this.#clientOptions(process),
      value: stringSerde,
      deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
      lingerMs: 0,
    });
    const under = new Set<Promise<void>>();
    for (let count = 0; !this.#stop.signal.aborted; count++) {
      const partition = count % partitions;
      const one = this.#appendOne(producer, {
        process,
        partition,
        topic,
        value: `${process}-${count}`,
      })
        .finally(() => under.delete(one));
      under.add(one);
      await Bun.sleep(1000 / appendsPerSecond);
    }
    await Promise.all(under);
    await producer.close();
  }

  async #appendOne(
    producer: Producer<Uint8Array, string>,
    what: { process: number; partition: number; topic: string; value: string },
  ): Promise<void> {
    const { process, partition, topic, value } = what;
    const callNs = nowNs();
    const asked = { type: "append", process, partition, value, callNs } as const;
    try {
      const { offset } = await producer.send({ topic, partition, value });
      const returnNs = nowNs();
      this.strands.acknowledged(partition);
      this.history.push({ ...asked, offset: Number(offset), returnNs });
    } catch {
      this.history.push({ ...asked, offset: null, returnNs: null });
    }
  }

  /** Follows all partitions from their beginning on. */
  async #read(): Promise<void> {
    const process = this.#nextProcess++;
    const consumer = this.#consumer(process);
    const { partitions, topic } = this.#options;
    await consumer.assign(
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0n })),
    );
    try {
      const { signal } = this.#stop;
      let callNs = nowNs();
      for await (const { partition, offset, value } of consumer.records({ signal })) {
        this.#saw(process, partition, Number(offset), value, callNs);
        callNs = nowNs();
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    } finally {
      await consumer.close();
    }
  }

  async #readFinally(partition: number): Promise<void> {
    const process = this.#nextProcess++;
    const consumer = this.#consumer(process);
    const { topic } = this.#options;
    const callNs = nowNs();
    try {
      // A leader that was deposed and does not know it yet may tell of an earlier end.
      const told = await this.#endOf(partition);
      const end = told > this.#acknowledgedEnd(partition) ? told : this.#acknowledgedEnd(partition);
      await consumer.assign([{ topic, partition, offset: 0n }]);
      let count = 0;
      const signal = AbortSignal.timeout(FINAL_READ_MS);
      if (end > 0n) {
        for await (const { offset, value } of consumer.records({ signal })) {
          this.#saw(process, partition, Number(offset), value, callNs);
          count++;
          if (offset + 1n >= end) break;
        }
      }
      const atNs = nowNs();
      this.history.push({ type: "final", process, partition, count, callNs: atNs, returnNs: atNs });
    } finally {
      await consumer.close();
    }
  }

  /** What is acknowledged ends there at the earliest. */
  #acknowledgedEnd(partition: number): bigint {
    const offsets = this.history.flatMap((each) =>
      each.type === "append" && each.partition === partition ? each.offset ?? [] : []
    );
    return BigInt(Math.max(-1, ...offsets) + 1);
  }

  async #endOf(partition: number): Promise<bigint> {
    const { topic } = this.#options;
    const admin = new Admin(this.#io, this.#clientOptions(this.#nextProcess));
    try {
      const [end] = await admin.listOffsets([{ topic, partition, at: "latest" }]);
      if (end === undefined || end.error !== null) throw end?.error ?? new Error("no end offset");
      return end.offset;
    } finally {
      await admin.close();
    }
  }

  #consumer(process: number) {
    return new Consumer<Uint8Array, string>(this.#io, {
      ...this.#clientOptions(process),
      value: stringSerde,
    });
  }

  #saw(process: number, partition: number, offset: number, value: string | null, callNs: number) {
    const read = { type: "read", process, partition, value: value ?? "", offset, callNs } as const;
    this.history.push({ ...read, returnNs: nowNs() });
  }
}
