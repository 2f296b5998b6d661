/**
 * A producer: records go into batches per partition, batches to the leaders (`producer/sender.ts`).
 * There are two ways in. `send` gives a promise for each record. `TopicWriter.append` and
 * `appendRange` give none and allocate nothing per record: they say no when the buffer is full, and
 * then one waits for `room`.
 */
import { deferred } from "../core/deferred.ts";
import type { Timer } from "../core/io.ts";
import type { RecordHeader } from "../core/records/record-cursor.ts";
import { Cluster } from "./cluster.ts";
import { UnsupportedError } from "./errors.ts";
import type { ClientIo, OperationOptions } from "./options.ts";
import { ProducerBatch } from "./producer/batch.ts";
import { resolveProducerOptions } from "./producer/options.ts";
import type { ProducerOptions, ResolvedProducerOptions } from "./producer/options.ts";
import type { PartitionQueue } from "./producer/partition-queue.ts";
import { SendLine, Shipment, SingleReceipt } from "./producer/send-line.ts";
import type { Encoded, RecordMetadata } from "./producer/send-line.ts";
import { type Outcome, Sender } from "./producer/sender.ts";
import { ProducerTransactions } from "./producer/transactions.ts";
import { TopicWriter } from "./producer/topic-writer.ts";
import { bytesSerde, SerdeError } from "./serde.ts";
import type { Serde, SerdeOptions } from "./serde.ts";
import type { Accumulator } from "./producer/topic-writer.ts";

export type { BatchReport, ProducerOptions } from "./producer/options.ts";
export { ProducerTransactions } from "./producer/transactions.ts";
export type { TransactionGroup } from "./producer/transactions.ts";
export type { RecordMetadata } from "./producer/send-line.ts";
export type { DeliveryCallback } from "./producer/batch.ts";
export { TopicWriter } from "./producer/topic-writer.ts";

/** A record to be sent. */
export interface ProducerRecord<K = Uint8Array, V = Uint8Array> {
  readonly topic: string;
  /** Left out: by the hash of the key, as Java does; without a key, batch by batch in turn. */
  readonly partition?: number;
  readonly key?: K | null;
  /** Null is a tombstone. */
  readonly value: V | null;
  readonly headers?: readonly RecordHeader[];
  /** Milliseconds since 1970; left out: now. */
  readonly timestampMs?: number;
}

/** Below this part of the buffer those who wait for room go on. */
const ROOM_FRACTION = 0.75;
/** A batch buffer starts no larger than this, so that many partitions cost little. */
const FIRST_BUFFER_BYTES = 16 * 1024;

/** See the head of the file. `close` it. */
export class Producer<K = Uint8Array, V = Uint8Array> {
  readonly cluster: Cluster;
  readonly #options: ResolvedProducerOptions;
  readonly #key: Serde<K>;
  readonly #value: Serde<V>;
  readonly #sender: Sender;
  readonly #transactions: ProducerTransactions | null;
  /** The queues that have had a batch in the current transaction. */
  readonly #usedQueues = new Set<PartitionQueue>();
  readonly #writers = new Map<string, Promise<TopicWriter>>();
  readonly #lines = new Map<string, SendLine>();
  readonly #unsettled = new Set<ProducerBatch>();
  readonly #withOpenBatch = new Set<PartitionQueue>();
  #bufferedBytes = 0;
  /** Buffers of settled batches, to be filled again: with the records in memory within the bound. */
  readonly #buffers: Uint8Array[] = [];
  #roomWaiters: (() => void)[] = [];
  #flushes: { readonly left: Set<ProducerBatch>; readonly resolve: () => void }[] = [];
  #lingerTimer: Timer | null = null;
  #closed = false;

  constructor(io: ClientIo, options: ProducerOptions & SerdeOptions<K, V>) {
    this.cluster = new Cluster(io, options);
    this.#options = resolveProducerOptions(options);
    // Without serdes the types are what they are by default: bytes.
    const bytes = bytesSerde as unknown as Serde<K> & Serde<V>;
    this.#key = options.key ?? bytes;
    this.#value = options.value ?? bytes;
    const { transactionalId, transactionTimeoutMs } = this.#options;
    this.#transactions = transactionalId === null ? null : new ProducerTransactions(
      this.cluster,
      transactionalId,
      transactionTimeoutMs,
      {
        identify: (identity) => this.#sender.identify(identity),
        wake: () => this.#sender.wakeAll(),
        flush: async () => {
          await Promise.all([...this.#lines.values()].map(({ moving }) => moving));
          await this.flush();
        },
        drop: (error) => this.#dropUnsent(error),
      },
    );
    this.#sender = new Sender(this.cluster, this.#options, {
      settled: (queue, batch, outcome) => this.#settled(queue, batch, outcome),
      split: (batch, parts) => this.#split(batch, parts),
    }, this.#transactions);
  }

  /** Of a producer with a `transactionalId`; its `init` comes first. */
  get transactions(): ProducerTransactions {
    if (this.#transactions !== null) return this.#transactions;
    throw new UnsupportedError("a producer of transactions has a transactionalId");
  }

  /** Records in memory, in bytes. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** The way into a topic; made by the broker if it is missing and `allowCreate` is set. */
  topic(name: string, options: OperationOptions = {}): Promise<TopicWriter> {
    const known = this.#writers.get(name);
    if (known !== undefined) return known;
    this.#sender.start();
    const opening = this.cluster.topic(name, {
      ...options,
      allowCreate: this.#options.allowCreate,
      waitForLeaders: false,
    }).then(() => new TopicWriter(name, this.#accumulator()));
    this.#writers.set(name, opening);
    opening.catch(() => this.#writers.delete(name));
    return opening;
  }

  /**
   * Sends a record; resolves when it is acknowledged, rejects when it is given up, and with a
   * `SerdeError`. Waits for room in the buffer first.
   */
  send(record: ProducerRecord<K, V>): Promise<RecordMetadata> {
    let encoded: Encoded;
    try {
      this.#transactions?.requireOpen();
      encoded = this.#encode(record);
    } catch (error) {
      return Promise.reject(error);
    }
    const receipt = new SingleReceipt();
    this.#line(record.topic).add(encoded, receipt, 0);
    return receipt.promise;
  }

  /**
   * Sends records as `send` does, in this order, with one promise for all of them: much less work
   * where there are many. Resolves when all are acknowledged. If any is given up it rejects with the
   * first error, but not before all are settled. If a serde refuses one, none
   * is sent.
   */
  sendAll(records: readonly ProducerRecord<K, V>[]): Promise<RecordMetadata[]> {
    const encoded: Encoded[] = [];
    try {
      this.#transactions?.requireOpen();
      for (const record of records) encoded.push(this.#encode(record));
    } catch (error) {
      return Promise.reject(error);
    }
    const shipment = new Shipment(encoded.length);
    let line: SendLine | null = null;
    for (let i = 0, topic = ""; i < encoded.length; i++) {
      const record = encoded[i]!;
      if (line === null || record.topic !== topic) line = this.#line(topic = record.topic);
      line.add(record, shipment, i);
    }
    return shipment.promise;
  }

  /** The bytes as they are now: what the caller puts into other objects later is not sent. */
  #encode(record: ProducerRecord<K, V>): Encoded {
    return {
      topic: record.topic,
      partition: record.partition ?? -1,
      timestampMs: record.timestampMs ?? this.cluster.io.clock.wallMs(),
      key: this.#bytes(record, "key", this.#key, record.key ?? null),
      value: this.#bytes(record, "value", this.#value, record.value),
      headers: record.headers,
    };
  }

  #line(topic: string): SendLine {
    let line = this.#lines.get(topic);
    if (line === undefined) {
      line = new SendLine(() => this.topic(topic), () => this.room());
      this.#lines.set(topic, line);
    }
    return line;
  }

  #bytes<T>(
    { topic }: ProducerRecord<K, V>,
    part: "key" | "value",
    serde: Serde<T>,
    value: T | null,
  ): Uint8Array | null {
    if (value === null) return null;
    try {
      return serde.serialize(value, { topic, part });
    } catch (error) {
      throw new SerdeError(topic, -1, -1n, part, error);
    }
  }

  /** Resolves when the buffer takes records again. */
  room(): Promise<void> {
    if (this.#bufferedBytes < this.#options.bufferBytes) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Sends what is there without lingering; resolves when all of it is acknowledged or given up. */
  flush(): Promise<void> {
    this.#lookWhatIsDue(Infinity, 0);
    if (this.#unsettled.size === 0) return Promise.resolve();
    const { promise, resolve } = deferred<void>();
    this.#flushes.push({ left: new Set(this.#unsettled), resolve });
    return promise;
  }

  /** Flushes and closes the connections. Records added meanwhile are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    this.#sender.close();
    this.#lingerTimer?.cancel();
    this.cluster.close();
  }

  /** Closes at once; records that are not acknowledged fail with `reason`. */
  abort(reason: Error): void {
    this.#closed = true;
    this.#sender.close();
    this.#lingerTimer?.cancel();
    for (const batch of this.#unsettled) batch.fail(reason);
    this.#unsettled.clear();
    this.#bufferedBytes = 0;
    for (const { resolve } of this.#flushes.splice(0)) resolve();
    this.#wakeRoom();
    this.cluster.abort();
  }

  #accumulator(): Accumulator {
    return {
      batchBytes: this.#options.batchBytes,
      partitionCount: (topic) => this.cluster.cached(topic)?.partitions.length ?? 0,
      isAvailable: (topic, partition) => this.cluster.leaderOf(topic, partition) >= 0,
      below: (bound) => this.cluster.io.random.below(bound),
      batchFor: (queue, bytesMax) => this.#batchFor(queue, bytesMax),
      close: (queue) => this.#closeBatch(queue),
      added: (bytes) => {
        this.#bufferedBytes += bytes;
      },
    };
  }

  /** The open batch of the queue with room for the bytes, or null if the buffer is full. */
  #batchFor(queue: PartitionQueue, bytesMax: number): ProducerBatch | null {
    const { batchBytes } = this.#options;
    if (queue.open !== null && queue.open.sizeBytes + bytesMax <= batchBytes) {
      this.#transactions?.requireOpen();
      return queue.open;
    }
    if (this.#closed) throw new UnsupportedError("the producer is closed");
    if (this.#transactions !== null) {
      this.#transactions.requireOpen();
      this.#usedQueues.add(queue);
    }
    if (queue.open !== null) this.#closeBatch(queue);
    if (this.#bufferedBytes >= this.#options.bufferBytes) return null;
    const nowMs = this.cluster.io.clock.monotonicMs();
    // A full batch before this one foretells another.
    const hint = queue.lastFull ? batchBytes : Math.min(batchBytes, FIRST_BUFFER_BYTES);
    const batch = new ProducerBatch(this.#options, nowMs, hint, this.#buffers.pop());
    batch.recordsBefore = queue.recordsBefore;
    queue.open = batch;
    this.#unsettled.add(batch);
    this.#bufferedBytes += batch.sizeBytes;
    this.#withOpenBatch.add(queue);
    this.#lingerTimer ??= this.cluster.io.clock.setTimer(this.#options.lingerMs, this.#lingered);
    return batch;
  }

  readonly #lingered = () => {
    this.#lingerTimer = null;
    const { clock } = this.cluster.io;
    const nowMs = clock.monotonicMs();
    const nextMs = this.#lookWhatIsDue(nowMs, this.#options.lingerMs);
    if (nextMs !== null) {
      const delayMs = Math.max(0, nextMs + this.#options.lingerMs - nowMs);
      this.#lingerTimer = clock.setTimer(delayMs, this.#lingered);
    }
  };

  /** Lets the batches go that are so old by now; tells when the oldest other one was opened. */
  #lookWhatIsDue(nowMs: number, lingerMs: number): number | null {
    let oldest: number | null = null;
    for (const queue of this.#withOpenBatch) {
      const createdMs = queue.open?.createdMs;
      if (createdMs === undefined) this.#withOpenBatch.delete(queue);
      // Added as the timer adds it, or rounding would have it wait for nothing, again and again.
      else if (createdMs + lingerMs > nowMs) oldest = Math.min(oldest ?? Infinity, createdMs);
      else {
        this.#withOpenBatch.delete(queue);
        queue.due();
        this.#sender.wake(queue);
      }
    }
    return oldest;
  }

  #closeBatch(queue: PartitionQueue): void {
    queue.lastFull = true;
    queue.closeOpen();
    this.#withOpenBatch.delete(queue);
    this.#sender.wake(queue);
  }

  #settled(queue: PartitionQueue, batch: ProducerBatch, outcome: Outcome): void {
    this.#unsettled.delete(batch);
    this.#bufferedBytes -= batch.sizeBytes;
    const { topic, partition } = queue;
    const { error, baseOffset } = outcome;
    if (error === null) batch.acknowledge(baseOffset, outcome.logAppendTimeMs);
    else {
      this.#transactions?.failed(error);
      batch.fail(error);
    }
    const { recordCount, recordsBefore } = batch;
    this.#options.onBatch?.({ topic, partition, recordCount, recordsBefore, baseOffset, error });
    this.#keepBuffer(batch);
    for (const { left } of this.#flushes) left.delete(batch);
    this.#endFlushes();
    this.#wakeRoom();
  }

  #dropUnsent(error: Error): void {
    this.#sender.drop(this.#usedQueues, error);
    this.#usedQueues.clear();
  }

  #keepBuffer(batch: ProducerBatch): void {
    const { compression, batchBytes, bufferBytes, acks } = this.#options;
    // Compressed batches have buffers of their own size; with acks=0 the socket may hold them still.
    if (compression !== "none" || acks === 0) return;
    const { buffer } = batch;
    if (buffer === null || buffer.length !== batchBytes) return;
    const keptBytes = (this.#buffers.length + 1) * batchBytes;
    if (this.#bufferedBytes + keptBytes <= bufferBytes) this.#buffers.push(buffer);
  }

  #split(batch: ProducerBatch, parts: readonly ProducerBatch[]): void {
    this.#unsettled.delete(batch);
    this.#bufferedBytes -= batch.sizeBytes;
    for (const part of parts) {
      this.#unsettled.add(part);
      this.#bufferedBytes += part.sizeBytes;
    }
    for (const { left } of this.#flushes) {
      if (left.delete(batch)) { for (const part of parts) left.add(part); }
    }
  }

  #endFlushes(): void {
    if (!this.#flushes.some(({ left }) => left.size === 0)) return;
    for (const { left, resolve } of this.#flushes) if (left.size === 0) resolve();
    this.#flushes = this.#flushes.filter(({ left }) => left.size > 0);
  }

  #wakeRoom(): void {
    if (this.#bufferedBytes > this.#options.bufferBytes * ROOM_FRACTION) return;
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
