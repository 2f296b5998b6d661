/**
 * Transactions over a broker that crashes: workers read, process and write, each in two or more
 * instances at times, while readers of what is committed follow their outputs. The process is
 * killed, the power goes, writes fail. At the end all faults stop, and what is there has to be
 * exactly what was committed.
 */
import { Errors } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import {
  forEachBatch,
  isControl,
  isTransactional,
  lastOffset,
  producerId,
} from "../../core/records/batch-header.ts";
import { readEndTxnMarker } from "../../core/records/control-records.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import { NO_CODECS } from "../../core/compression/codec.ts";
import { BrokerWorld, CrashedError } from "./broker-world.ts";
import { SimRandom } from "./sim-random.ts";
import { TransactionModel } from "./transaction-model.ts";
import { GROUP, INPUT, OUTPUT, TransactionWorker } from "./transaction-worker.ts";
import { expect, LivenessError } from "./violation.ts";

/** What a run is drawn from. */
interface Options {
  readonly workers: number;
  readonly outputs: number;
  readonly inputs: number;
  readonly crashes: number;
  readonly maxLatencyMs: number;
  readonly failingWritePercent: number;
  readonly abortPercent: number;
  readonly zombiePercent: number;
  readonly batchMax: number;
}

const LIMIT_MS = 3_600_000;

/** See the head of this file. */
export class TransactionSim {
  readonly options: Options;
  readonly trace: string[] = [];
  readonly #random: SimRandom;
  readonly #world: BrokerWorld;
  readonly #model = new TransactionModel();
  /** What the readers have seen so far, and where they are, by partition. */
  readonly #positions: number[];
  readonly #seen: string[][];
  #running = 0;

  constructor(seed: number, logger: Logger) {
    const random = new SimRandom(seed);
    this.#random = random;
    this.options = {
      workers: random.between(1, 4),
      outputs: random.between(1, 3),
      inputs: random.between(10, 60),
      crashes: random.between(0, 6),
      maxLatencyMs: random.pick([0, 1, 10, 50]),
      failingWritePercent: random.pick([0, 0, 1]),
      abortPercent: random.pick([0, 20, 60]),
      zombiePercent: random.pick([0, 10, 50]),
      batchMax: random.pick([1, 5]),
    };
    this.#positions = Array.from({ length: this.options.outputs }, () => 0);
    this.#seen = this.#positions.map(() => []);
    this.#world = new BrokerWorld(random, logger, {
      "transaction.state.log.num.partitions": "3",
      "offsets.topic.num.partitions": "2",
    });
  }

  run(): void {
    this.#setUp();
    for (let crash = 0; crash < this.options.crashes; crash++) {
      // At one of the next writes, or between two.
      if (this.#random.chance(50)) this.#world.disk.crashAtWrite(this.#random.between(1, 100));
      this.#work(this.#random.between(0, 20_000));
      this.#crash();
    }
    this.#finish();
    this.#check();
  }

  #setUp(): void {
    const { workers, outputs, inputs } = this.options;
    const world = this.#world;
    world.start();
    const topic = (name: string, numPartitions: number) => ({
      name,
      numPartitions,
      replicationFactor: 1,
      assignments: [],
      // Segments roll by time, so that transactions span several.
      configs: [{ name: "segment.ms", value: "5000" }],
    });
    world.createTopics([topic(INPUT, workers), topic(OUTPUT, outputs)]);
    const { groups, transactions } = world.services;
    expect(world.clock.run(groups.find(GROUP)).ok, "there are no groups");
    expect(world.clock.run(transactions.find("x")).ok, "there are no transactions");
    for (let worker = 0; worker < workers; worker++) {
      const builder = new BatchBuilder({});
      for (let index = 0; index < inputs; index++) {
        builder.append(world.clock.wallMs(), null, new Uint8Array([index]));
      }
      const appended = this.#partition(INPUT, worker).append(builder.build(), "client");
      expect(appended.ok, "the input cannot be written");
    }
    world.clock.advance(1000);
    const { maxLatencyMs, failingWritePercent } = this.options;
    Object.assign(world.disk.faults, { maxLatencyMs, failingWritePercent });
  }

  /** Lets workers and readers work for so long. */
  #work(forMs: number): void {
    const { clock } = this.#world;
    const until = clock.monotonicMs() + forMs;
    this.#running = 0;
    while (clock.monotonicMs() < until) {
      for (let worker = 0; worker < this.options.workers; worker++) {
        const isIdle = this.#running < this.options.workers;
        if (isIdle || this.#random.chance(this.options.zombiePercent / 10)) {
          this.#startWorker(worker);
        }
      }
      const goesOn = this.#world.advance(this.#random.between(1, 1000)) && this.#follow();
      if (!goesOn) return;
    }
  }

  #startWorker(worker: number): void {
    const { random } = this.#world;
    const { abortPercent, batchMax, outputs, inputs } = this.options;
    const { life } = this.#world;
    this.#running++;
    const run = new TransactionWorker(this.#world, this.#model, {
      worker,
      bumps: random.chance(60),
      abortPercent,
      batchMax,
      outputs,
      timeoutMs: random.between(1_000, 60_000),
      inputEnd: inputs,
    }).run(random.between(1, 20));
    void run.then(() => {
      if (life === this.#world.life) this.#running--;
    }, (error: unknown) => this.#failure ??= error);
  }

  #failure: unknown = null;

  #crash(): void {
    const how = this.#world.crashSomehow(20);
    this.trace.push(`${this.#world.clock.monotonicMs()} crash: ${how}`);
  }

  /** Readers of what is committed take what is new; false if the process is gone before. */
  #follow(): boolean {
    if (this.#failure !== null) throw this.#failure;
    try {
      for (const [index, position] of this.#positions.entries()) {
        const { values, next } = this.#readCommitted(OUTPUT, index, position);
        for (const value of values) this.#model.checkSeen(value);
        this.#seen[index]!.push(...values);
        this.#positions[index] = next;
      }
      return true;
    } catch (error) {
      if (!(error instanceof CrashedError)) throw error;
      return false;
    }
  }

  /** No faults any more: all input has to be processed. */
  #finish(): void {
    const { workers, inputs } = this.options;
    Object.assign(this.#world.disk.faults, { failingWritePercent: 0, maxLatencyMs: 1 });
    const { clock } = this.#world;
    const until = clock.monotonicMs() + LIMIT_MS;
    while (clock.monotonicMs() < until) {
      this.#work(20_000);
      const offsets = this.#committedOffsets();
      if (offsets.length === workers && offsets.every((offset) => offset === inputs)) return;
    }
    throw new LivenessError(`committed ${this.#committedOffsets()} of ${inputs}`);
  }

  #check(): void {
    // What zombies have left open ends by its timeout.
    this.#world.clock.advance(120_000);
    this.#follow();
    const all: string[] = [];
    for (const index of this.#positions.keys()) {
      const partition = this.#partition(OUTPUT, index);
      const { highWatermark, lastStableOffset } = partition;
      const facts = `${index}: last stable ${lastStableOffset}, high watermark ${highWatermark}`;
      expect(lastStableOffset === highWatermark, `a transaction hangs in ${facts}`);
      const { values } = this.#readCommitted(OUTPUT, index, 0);
      expect(values.join() === this.#seen[index]!.join(), `readers of ${index} saw something else`);
      all.push(...values);
    }
    this.#model.checkChain(all, this.#committedOffsets());
    const { committedCount, abortedCount } = this.#model;
    this.trace.push(`${committedCount} committed, ${abortedCount} aborted`);
  }

  #committedOffsets(): number[] {
    const { clock, services } = this.#world;
    return Array.from({ length: this.options.workers }, (_, worker) => {
      const looked = clock.run(
        services.groups.fetchOffsets(GROUP, (shard) => shard.offsets.get(GROUP, INPUT, worker)),
      );
      return looked.ok ? Number(looked.value?.offset ?? 0n) : -1;
    });
  }

  #partition(topic: string, index: number) {
    const found = this.#world.services.partitions.find(topic, index);
    if (typeof found === "number") throw new Error(`no ${topic}-${index}: ${found}`);
    return found;
  }

  /** As a consumer does: up to the last stable offset, without what was aborted. */
  #readCommitted(topic: string, index: number, from: number): { values: string[]; next: number } {
    const partition = this.#partition(topic, index);
    const values: string[] = [];
    let next = from;
    for (;;) {
      const read = this.#world.ask(partition.read(next, 1_000_000, "read_committed"));
      if (!read.ok) {
        const facts = `cannot read ${topic}-${index} at ${next}: ${read.error}`;
        expect(read.error === Errors.CORRUPT_MESSAGE, facts);
        // What a power cut has torn, with something whole behind it. Nobody was told that it is
        // there, or its absence shows in the end; a consumer goes past it.
        next++;
        continue;
      }
      if (read.records.length === 0) return { values, next };
      const aborted = partition.abortedTransactions(next, read.nextOffset);
      if (aborted === null) throw new Error("cannot read what was aborted");
      values.push(...committedValues(read.records, next, aborted));
      next = read.nextOffset;
    }
  }
}

function committedValues(
  records: Uint8Array,
  from: number,
  aborted: readonly { producerId: number; firstOffset: number }[],
): string[] {
  const values: string[] = [];
  const left = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const aborting = new Set<number>();
  forEachBatch(records, (at) => {
    while (left.length > 0 && left[0]!.firstOffset <= lastOffset(records, at)) {
      aborting.add(left.shift()!.producerId);
    }
    const producer = producerId(records, at);
    if (isControl(records, at)) {
      if (readEndTxnMarker(records, at)?.type === "abort") aborting.delete(producer);
      return;
    }
    if (isTransactional(records, at) && aborting.has(producer)) return;
    const cursor = new RecordCursor(records, at, NO_CODECS);
    while (cursor.next()) {
      if (cursor.offset < from) continue;
      values.push(new TextDecoder().decode(cursor.value() ?? undefined));
    }
  });
  return values;
}
