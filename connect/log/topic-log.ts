/** A `RecordLog` in a compacted topic: Connect's config, status and offset topics (`KafkaBasedLog`). */
import { Admin } from "../../client/admin.ts";
import { Consumer } from "../../client/consumer.ts";
import type { FetchedChunk } from "../../client/consumer.ts";
import { KafkaError } from "../../client/errors.ts";
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import { Producer } from "../../client/producer.ts";
import type { Codecs } from "../../core/compression/codec.ts";
import { type Deferred, deferred } from "../../core/deferred.ts";
import { Errors } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { sleep } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { rejectIfAborted } from "../../core/unless-aborted.ts";
import type { LogEnd, LogEntry, LogRecord, RecordLog } from "./record-log.ts";

/** Before reading goes on after it has failed. */
const RETRY_MS = 1000;

export interface TopicLogOptions {
  readonly client: ClientOptions;
  readonly topic: string;
  /** What it is for, as in "config topic". */
  readonly purpose: "config" | "status" | "offset";
  /** Of a topic that is made. */
  readonly partitions: number;
  /** Of a topic that is made; −1: as the broker has it. */
  readonly replicationFactor: number;
  /** A topic with another number of partitions is refused: the order of all records counts. */
  readonly isSinglePartition?: boolean;
  /** Whether what transactions write is heard only once they are committed. Default false. */
  readonly isCommittedOnly?: boolean;
  /**
   * What is written as owner is written in transactions of this id, so that an owner of before is
   * fenced. Left out: nobody is.
   */
  readonly transactionalId?: string;
  /** Of compressed batches: Java's workers may write them. */
  readonly codecs?: Codecs;
  readonly logger: Logger;
}

interface Waiter {
  /** By partition: the end that has to be reached. */
  readonly ends: readonly bigint[];
  readonly reached: Deferred<void>;
}

/** See the head of the file. `close` it. */
export class TopicLog implements RecordLog {
  readonly #io: ClientIo;
  readonly #options: TopicLogOptions;
  readonly #admin: Admin;
  readonly #producer: Producer;
  readonly #stop = new AbortController();
  /** By partition: the offset behind what has been heard. */
  #positions: bigint[] = [];
  #waiters: Waiter[] = [];
  /** By partition: the offset behind what this log has committed. */
  readonly #committed = new Map<number, bigint>();
  #consumer: Consumer | null = null;
  /** With a transactional id, once it is claimed. */
  #owner: Producer | null = null;
  #reading: Promise<void> | null = null;

  constructor(io: ClientIo, options: TopicLogOptions) {
    this.#io = io;
    this.#options = options;
    this.#admin = new Admin(io, options.client);
    this.#producer = new Producer(io, { ...options.client, lingerMs: 0, allowCreate: false });
  }

  async start(hear: (record: LogRecord) => void): Promise<void> {
    const { topic } = this.#options;
    const partitions = await this.#prepareTopic();
    const starts = await this.#offsets(partitions, "earliest");
    this.#positions = starts;
    const consumer = new Consumer(this.#io, {
      ...this.#options.client,
      codecs: this.#options.codecs ?? {},
      isolationLevel: this.#isolationLevel,
    });
    this.#consumer = consumer;
    await consumer.assign(starts.map((offset, partition) => ({ topic, partition, offset })));
    this.#reading = this.#read(consumer, hear);
    await this.readToEnd();
  }

  async readToEnd(signal?: AbortSignal, end: LogEnd = "committed"): Promise<void> {
    const signals = signal === undefined ? [] : [signal];
    const either = AbortSignal.any([this.#stop.signal, ...signals]);
    const isolationLevel = end === "written" ? "read_uncommitted" : this.#isolationLevel;
    const asking = this.#offsets(this.#positions.length, "latest", isolationLevel);
    const latest = await rejectIfAborted(asking, either);
    // A commit is answered before its markers are written: the end of what is committed, as the broker
    // has it, may lie before it still.
    const ends = latest.map((end, partition) => {
      const committed = this.#committed.get(partition) ?? 0n;
      return committed > end ? committed : end;
    });
    const waiter = { ends, reached: deferred<void>() };
    this.#waiters.push(waiter);
    this.#wake();
    try {
      await rejectIfAborted(waiter.reached.promise, either);
    } finally {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    }
  }

  async write(entries: readonly LogEntry[]): Promise<void> {
    const { topic } = this.#options;
    await this.#producer.sendAll(entries.map((entry) => ({ topic, ...entry })));
  }

  async claim(): Promise<void> {
    const { transactionalId, client } = this.#options;
    if (transactionalId === undefined) return;
    await this.#disown();
    const owner = new Producer(this.#io, { ...client, transactionalId, lingerMs: 0 });
    this.#owner = owner;
    await owner.transactions.init();
  }

  async writeAsOwner(entries: readonly LogEntry[]): Promise<void> {
    const { transactionalId, topic } = this.#options;
    if (transactionalId === undefined) return await this.write(entries);
    const owner = this.#owner;
    if (owner === null) throw new Error(`the log of topic "${topic}" is not claimed`);
    const { transactions } = owner;
    try {
      transactions.begin();
      const sent = await owner.sendAll(entries.map((entry) => ({ topic, ...entry })));
      await transactions.commit();
      for (const { partition, offset } of sent) this.#committed.set(partition, offset + 1n);
    } catch (error) {
      // Whoever has fenced it is the owner now.
      await this.#disown();
      throw error;
    }
  }

  async #disown(): Promise<void> {
    const owner = this.#owner;
    this.#owner = null;
    if (owner === null) return;
    // An open transaction would hide what follows it until it times out. Without one this fails.
    await owner.transactions.abort().catch(() => {});
    await owner.close();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error(`the log of topic "${this.#options.topic}" is closed`));
    await this.#consumer?.close();
    await this.#reading;
    await this.#disown();
    await this.#producer.close();
    this.#admin.close();
  }

  get #isolationLevel(): "read_committed" | "read_uncommitted" {
    return this.#options.isCommittedOnly === true ? "read_committed" : "read_uncommitted";
  }

  /** Until the end. A reader that fails for a time leaves what is known as it is. */
  async #read(consumer: Consumer, hear: (record: LogRecord) => void): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const chunk = await consumer.nextChunk(signal);
        if (chunk === null) return;
        this.#hear(chunk, hear);
      } catch (error) {
        if (signal.aborted) return;
        const { logger, topic } = this.#options;
        logger.error("a topic of the workers cannot be read", { topic, why: String(error) });
        await sleep(this.#io.clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  #hear(chunk: FetchedChunk, hear: (record: LogRecord) => void): void {
    chunk.visit((cursor) => {
      hear({
        key: copy(cursor.key()),
        value: copy(cursor.value()),
        partition: chunk.partition,
        offset: BigInt(cursor.offset),
        timestampMs: cursor.timestamp,
      });
      return true;
    });
    this.#positions[chunk.partition] = BigInt(chunk.nextOffset);
    this.#wake();
  }

  #wake(): void {
    for (const { ends, reached } of this.#waiters) {
      if (ends.every((end, partition) => (this.#positions[partition] ?? 0n) >= end)) {
        reached.resolve();
      }
    }
  }

  async #offsets(
    count: number,
    at: "earliest" | "latest",
    isolationLevel = this.#isolationLevel,
  ): Promise<bigint[]> {
    const { topic } = this.#options;
    const queries = Array.from({ length: count }, (_, partition) => ({ topic, partition, at }));
    const found = await this.#admin.listOffsets(queries, { isolationLevel });
    return found.map(({ offset, error }) => {
      if (error !== null) throw error;
      return offset;
    });
  }

  /** Makes the topic if it is missing and refuses one that would forget; its partitions. */
  async #prepareTopic(): Promise<number> {
    const { topic, purpose, partitions, replicationFactor, isSinglePartition } = this.#options;
    const configs = { "cleanup.policy": "compact" };
    const [found] = await this.#admin.describeTopics([topic]);
    if (found?.error?.code === Errors.UNKNOWN_TOPIC_OR_PARTITION) {
      const [made] = await this.#admin.createTopics([
        { name: topic, partitions, replicationFactor, configs },
      ]);
      // Another worker may just have made it.
      const isThere = made?.error?.code === Errors.TOPIC_ALREADY_EXISTS;
      if (made?.error !== null && made?.error !== undefined && !isThere) throw made.error;
    }
    // A topic that was just made is not known to each broker yet, nor always to the one that made it.
    const count = await this.#admin.cluster.retry(`${purpose} topic "${topic}"`, async () => {
      await this.#checkCleanup();
      return await this.#countPartitions();
    });
    if (isSinglePartition === true && count !== 1) {
      throw new OperatorError(
        `topic "${topic}" cannot be the ${purpose} topic`,
        `it has ${count} partitions, and the order of all its records counts`,
        "name another topic, which is made with one partition",
      );
    }
    return count;
  }

  async #countPartitions(): Promise<number> {
    const { topic } = this.#options;
    const [found] = await this.#admin.describeTopics([topic]);
    if (found?.topic != null) return found.topic.partitions.length;
    throw found?.error ?? new KafkaError(Errors.UNKNOWN_TOPIC_OR_PARTITION, `topic "${topic}"`);
  }

  async #checkCleanup(): Promise<void> {
    const { topic, purpose } = this.#options;
    const name = "cleanup.policy";
    const entries = await this.#admin.describeConfigs({ type: "topic", name: topic }, {
      names: [name],
    });
    const policy = entries.find((entry) => entry.name === name)?.value ?? "compact";
    if (policy === "compact") return;
    throw new OperatorError(
      `topic "${topic}" cannot be the ${purpose} topic`,
      `its ${name} is "${policy}", so it would forget connectors`,
      `kstream topic alter ${topic} -c ${name}=compact`,
    );
  }
}

/** Chunks are views into what was fetched: keeping one record would keep them all. */
function copy(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : bytes.slice();
}
