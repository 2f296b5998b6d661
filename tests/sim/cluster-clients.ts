/**
 * Clients of the simulated cluster, each on a host of its own: they write, read, work in transactions
 * and in a group for as long as they are told, come back after every error, and note what they know.
 */
import { Consumer, type ConsumerOptions, type PartitionPosition } from "../../client/consumer.ts";
import type { ClientIo } from "../../client/options.ts";
import { Producer, type ProducerOptions } from "../../client/producer.ts";
import { type HostPort, sleep } from "../../core/io.ts";
import { type ClusterHistory, partitionKey, type Reading } from "./cluster-history.ts";
import type { SimRandom } from "./sim-random.ts";
import { Violation } from "./violation.ts";

/** Between two lives. */
const RETRY_MS = 500;
/** How often a client looks whether it is to stop. */
const LOOK_MS = 200;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a client works with. */
export interface ClientOptions {
  readonly name: string;
  readonly io: ClientIo;
  readonly random: SimRandom;
  readonly brokers: readonly HostPort[];
  readonly history: ClusterHistory;
  readonly topic: string;
  readonly partitions: number;
  /** Between two things that a client does, at most. */
  readonly pauseMs: number;
  note(line: string): void;
  failed(error: unknown): void;
}

/** What all of them share: lives, one after the other, until `stop`. */
export abstract class Client {
  #isStopped = false;
  #lives = 0;
  readonly done: Promise<void>;

  constructor(readonly options: ClientOptions) {
    this.done = this.#run();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** It ends what it is at. */
  stop(): void {
    this.#isStopped = true;
  }

  protected abstract live(name: string): Promise<void>;

  async #run(): Promise<void> {
    // Subclasses have their fields by then.
    await Promise.resolve();
    const { name, io } = this.options;
    while (!this.#isStopped) {
      const life = `${name}.${++this.#lives}`;
      try {
        await this.live(life);
      } catch (error) {
        if (error instanceof Violation) return this.options.failed(error);
        this.note(`${life} fails: ${String(error)}`);
      }
      if (!this.#isStopped) await sleep(io.clock, RETRY_MS);
    }
  }

  protected note(line: string): void {
    this.options.note(line);
  }

  protected async pause(): Promise<void> {
    await sleep(this.options.io.clock, this.options.random.below(this.options.pauseMs) + 1);
  }

  /** Ends a life after so long, or when all is to end. */
  protected async endAfter(lifeMs: number, ending: AbortController): Promise<void> {
    const { clock } = this.options.io;
    const untilMs = clock.monotonicMs() + lifeMs;
    while (!this.isStopped && !ending.signal.aborted && clock.monotonicMs() < untilMs) {
      await sleep(clock, LOOK_MS);
    }
    ending.abort();
  }

  protected get common() {
    const { brokers, name } = this.options;
    return { brokers, clientId: name, connectTimeoutMs: 3000, requestTimeoutMs: 5000 };
  }

  protected pickPartition(): number {
    return this.options.random.below(this.options.partitions);
  }
}

/** Writes with acks=all, idempotently, without waiting for one record before the next. */
export class Writer extends Client {
  protected override async live(name: string): Promise<void> {
    const { io, random, history, topic } = this.options;
    const options: ProducerOptions = {
      ...this.common,
      deliveryTimeoutMs: random.pick([10_000, 60_000]),
      lingerMs: random.pick([0, 5, 50]),
      allowCreate: false,
    };
    const producer = new Producer(io, options);
    let failure: unknown = null;
    for (let sequence = 1; !this.isStopped && failure === null; sequence++) {
      const value = `${name}-${sequence}`;
      const partition = this.pickPartition();
      const append = {
        value,
        partition: partitionKey(topic, partition),
        writer: name,
        sequence,
        isAcknowledged: false,
        offset: -1,
      };
      history.appends.push(append);
      const padding = " ".repeat(random.chance(10) ? random.below(2000) : 0);
      producer.send({ topic, partition, value: encoder.encode(value + padding) }).then(
        ({ offset }) => {
          append.isAcknowledged = true;
          append.offset = Number(offset);
        },
        (error: unknown) => {
          this.note(`${value} is given up: ${String(error)}`);
          failure ??= error;
          // What comes behind it could be stored twice: once late, from a connection that was given up.
          producer.abort(new Error("the producer is given up"));
        },
      );
      await this.pause();
    }
    if (failure !== null) throw failure;
    await producer.close();
  }
}

/** Reads all partitions from the start to the end and on, and never lets itself be sent elsewhere. */
export class Reader extends Client {
  readonly #readings: Reading[];
  readonly #next: number[];

  constructor(
    options: ClientOptions,
    readonly isolation: Reading["isolation"],
    readonly extra: Partial<ConsumerOptions> = {},
  ) {
    super(options);
    const { history, topic, partitions, name } = options;
    this.#readings = Array.from({ length: partitions }, (_, index) => ({
      reader: name,
      partition: partitionKey(topic, index),
      isolation,
      sightings: [],
    }));
    this.#next = this.#readings.map(() => 0);
    history.readings.push(...this.#readings);
  }

  protected override async live(): Promise<void> {
    const { io, topic } = this.options;
    const consumer = new Consumer(io, {
      ...this.common,
      ...this.extra,
      isolationLevel: this.isolation,
      // An offset that was handed out once cannot be out of range.
      autoOffsetReset: "none",
    });
    const stopping = new AbortController();
    const watch = this.#watchStop(stopping);
    try {
      const from = this.#next.map((offset, partition) => ({
        topic,
        partition,
        offset: BigInt(offset),
      }));
      await consumer.assign(from);
      for (;;) {
        const chunk = await consumer.nextChunk(stopping.signal);
        if (chunk === null) return;
        for (const { offset, value } of chunk.records()) {
          this.#readings[chunk.partition]!.sightings.push({
            offset: Number(offset),
            value: decoder.decode(value ?? undefined).trimEnd(),
          });
        }
        this.#next[chunk.partition] = chunk.nextOffset;
      }
    } catch (error) {
      if (!stopping.signal.aborted) throw refusedPlace(error);
    } finally {
      stopping.abort();
      await watch;
      await consumer.close();
    }
  }

  async #watchStop(stopping: AbortController): Promise<void> {
    while (!this.isStopped && !stopping.signal.aborted) await sleep(this.options.io.clock, LOOK_MS);
    stopping.abort();
  }
}

/** What a reader must never be told. */
function refusedPlace(error: unknown): unknown {
  const text = String(error);
  const isRefusal = /OFFSET_OUT_OF_RANGE|truncat|out of range/i.test(text);
  return isRefusal ? new Violation(`a reader is sent elsewhere: ${text}`) : error;
}

/** Writes lists in transactions over several partitions, and commits or aborts them. */
export class Transactor extends Client {
  #transactions = 0;

  protected override async live(name: string): Promise<void> {
    const { io, random, history, topic } = this.options;
    const producer = new Producer(io, {
      ...this.common,
      transactionalId: this.options.name,
      transactionTimeoutMs: random.pick([5000, 30_000]),
      deliveryTimeoutMs: 30_000,
      allowCreate: false,
    });
    try {
      await producer.transactions.init();
      while (!this.isStopped) {
        producer.transactions.begin();
        const id = `${name}-tx${++this.#transactions}`;
        const transaction = { id, values: [] as { value: string; partition: string }[] };
        const noted = Object.assign(transaction, { outcome: "aborted" as "aborted" | "unknown" });
        history.transactions.push(noted);
        const count = random.between(1, 5);
        const sends: Promise<unknown>[] = [];
        for (let index = 0; index < count; index++) {
          const value = `${id}-${index}`;
          const partition = this.pickPartition();
          noted.values.push({ value, partition: partitionKey(topic, partition) });
          sends.push(producer.send({ topic, partition, value: encoder.encode(value) }));
          if (random.chance(30)) await this.pause();
        }
        const results = await Promise.allSettled(sends);
        const lost = results.find((result) => result.status === "rejected");
        if (lost !== undefined) {
          await producer.transactions.abort();
        } else await this.#end(producer, noted);
        await this.pause();
      }
      await producer.close();
    } catch (error) {
      producer.abort(new Error("the producer is given up"));
      throw error;
    }
  }

  async #end(
    producer: Producer,
    noted: { outcome: "unknown" | "committed" | "aborted" },
  ): Promise<void> {
    if (this.options.random.chance(30)) return await producer.transactions.abort();
    // Should the answer be lost, nobody knows.
    noted.outcome = "unknown";
    await producer.transactions.commit();
    noted.outcome = "committed";
  }
}

/** A member of a group that commits what it has worked off. */
export class Member extends Client {
  constructor(
    options: ClientOptions,
    readonly groupId: string,
    readonly protocol: Pick<ConsumerOptions, "groupProtocol" | "assignors">,
  ) {
    super(options);
  }

  protected override async live(): Promise<void> {
    const { io, random, history, topic } = this.options;
    const consumer = new Consumer(io, {
      ...this.common,
      ...this.protocol,
      groupId: this.groupId,
      sessionTimeoutMs: 10_000,
      heartbeatIntervalMs: 1000,
      rebalanceTimeoutMs: 15_000,
    });
    const ending = new AbortController();
    let askedMs = this.#nowMs();
    consumer.subscribe([topic], {
      assigned: (positions) => {
        for (const { partition, offset } of positions) {
          history.offsets.push({
            kind: "began",
            partition: partitionKey(topic, partition),
            offset: Number(offset),
            sentMs: askedMs,
            answeredMs: this.#nowMs(),
          });
        }
        askedMs = this.#nowMs();
      },
    });
    void this.endAfter(random.between(5000, 60_000), ending);
    try {
      await consumer.run({
        eachBatch: async ({ partition, records }) => {
          for (const { offset } of records) {
            history.handle(partitionKey(topic, partition), Number(offset));
          }
          const offset = records.at(-1)!.offset + 1n;
          await this.pause();
          await this.#commit(consumer, { topic, partition, offset });
        },
      }, { signal: ending.signal });
    } finally {
      ending.abort();
      await consumer.close();
    }
  }

  async #commit(consumer: Consumer, position: PartitionPosition): Promise<void> {
    const sentMs = this.#nowMs();
    await consumer.commit([position], { timeoutMs: 10_000 });
    this.options.history.offsets.push({
      kind: "committed",
      partition: partitionKey(position.topic, position.partition),
      offset: Number(position.offset),
      sentMs,
      answeredMs: this.#nowMs(),
    });
  }

  #nowMs(): number {
    return this.options.io.clock.monotonicMs();
  }
}
