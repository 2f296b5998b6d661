import { recordSizeBytesMax } from "../../core/records/batch-builder.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import { UnknownPartitionError, UnsupportedError } from "../errors.ts";
import { partitionOfKey } from "../../core/murmur2.ts";
import type { DeliveryCallback, ProducerBatch } from "./batch.ts";
import { PartitionQueue } from "./partition-queue.ts";

/** What a `TopicWriter` needs of its producer. */
export interface Accumulator {
  readonly batchBytes: number;
  /** As the cluster last told. */
  partitionCount(topic: string): number;
  /** Whether the partition has a leader. */
  isAvailable(topic: string, partition: number): boolean;
  /** A uniform integer below `bound`. */
  below(bound: number): number;
  /** The open batch of the queue, with room for the bytes; null if the buffer is full. */
  batchFor(queue: PartitionQueue, bytesMax: number): ProducerBatch | null;
  /** The open batch of the queue is as good as full. */
  close(queue: PartitionQueue): void;
  /** The records in memory have grown. */
  added(bytes: number): void;
}

/** Appends records to the batches of one topic's partitions. */
export class TopicWriter {
  readonly #queues: PartitionQueue[] = [];
  readonly #accumulator: Accumulator;
  #sticky: PartitionQueue | null = null;

  constructor(readonly topic: string, accumulator: Accumulator) {
    this.#accumulator = accumulator;
  }

  get partitionCount(): number {
    return this.#accumulator.partitionCount(this.topic);
  }

  /**
   * Adds a record, copying it. `partition` −1: chosen by the key's hash, or in turn. Returns the
   * partition, or −1 if the buffer is full: wait for `Producer.room` and try again. Throws
   * `UnknownPartitionError` if there is no such partition. `token` is given back to the callback.
   */
  append(
    partition: number,
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers?: readonly RecordHeader[],
    callback?: DeliveryCallback,
    token = 0,
  ): number {
    const bytesMax = recordSizeBytesMax(key?.length ?? 0, value?.length ?? 0, headers);
    const queue = partition >= 0
      ? this.#queue(partition)
      : key === null
      ? this.#inTurn(bytesMax)
      : this.#queue(partitionOfKey(this.#count(), key));
    const batch = this.#accumulator.batchFor(queue, bytesMax);
    if (batch === null) return -1;
    const before = batch.sizeBytes;
    batch.append(timestampMs, key, value, headers, callback, token);
    this.#accumulator.added(batch.sizeBytes - before);
    return queue.partition;
  }

  /**
   * As `append`, for a key and a value that are ranges of one array and without headers: it
   * allocates nothing. A start of −1 stands for null.
   */
  appendRange(
    partition: number,
    timestampMs: number,
    source: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number {
    const bytesMax = recordSizeBytesMax(keyEnd - keyStart, valueEnd - valueStart);
    const queue = partition >= 0
      ? this.#queue(partition)
      : keyStart < 0
      ? this.#inTurn(bytesMax)
      : this.#queue(partitionOfKey(this.#count(), source, keyStart, keyEnd));
    const batch = this.#accumulator.batchFor(queue, bytesMax);
    if (batch === null) return -1;
    const before = batch.sizeBytes;
    batch.appendRange(timestampMs, source, keyStart, keyEnd, valueStart, valueEnd);
    this.#accumulator.added(batch.sizeBytes - before);
    return queue.partition;
  }

  #count(): number {
    const count = this.partitionCount;
    if (count === 0) throw new UnsupportedError(`topic "${this.topic}" is gone`);
    return count;
  }

  #queue(partition: number): PartitionQueue {
    const known = this.#queues[partition];
    if (known !== undefined) return known;
    const count = this.#count();
    if (partition >= count) {
      throw new UnknownPartitionError(this.topic, partition, count);
    }
    return this.#queues[partition] = new PartitionQueue(this.topic, partition);
  }

  /** Stays with a partition until its batch is full or due (the sticky partitioner of KIP-480). */
  #inTurn(bytesMax: number): PartitionQueue {
    const sticky = this.#sticky;
    if (sticky !== null && sticky.open !== null && !sticky.isDue) {
      if (sticky.open.sizeBytes + bytesMax <= this.#accumulator.batchBytes) return sticky;
      this.#accumulator.close(sticky);
    }
    const count = this.#count();
    const first = sticky === null ? this.#accumulator.below(count) : sticky.partition + 1;
    for (let i = 0; i < count; i++) {
      const partition = (first + i) % count;
      if (this.#accumulator.isAvailable(this.topic, partition)) {
        return this.#sticky = this.#queue(partition);
      }
    }
    return this.#sticky = this.#queue(first % count);
  }
}
