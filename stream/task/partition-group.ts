/**
 * The partitions of a task: which record is next, and what time it is (Kafka's `PartitionGroup`,
 * KIP-353). The partition whose first record is oldest comes next; stream time is the highest time
 * that was taken, and never goes back.
 */
import type { RawRecord } from "../record.ts";
import { type QueuedRecord, type ReadRecord, RecordQueue } from "./record-queue.ts";

/** See the head of the file. */
export class PartitionGroup {
  /** −1: none yet. */
  streamTimeMs = -1;
  /** By topic. */
  readonly queues: ReadonlyMap<string, RecordQueue>;
  readonly #queues: Map<string, RecordQueue>;

  /** `reads`: by topic. */
  constructor(reads: ReadonlyMap<string, ReadRecord>) {
    this.#queues = new Map([...reads].map(([topic, read]) => [topic, new RecordQueue(read)]));
    this.queues = this.#queues;
  }

  addTopic(topic: string, read: ReadRecord): void {
    this.#queues.set(topic, new RecordQueue(read));
  }

  /** Goes on with times that partitions had before, by topic. */
  resumeAt(timesMs: ReadonlyMap<string, number>): void {
    for (const [topic, timeMs] of timesMs) {
      const queue = this.queues.get(topic);
      if (queue !== undefined) queue.partitionTimeMs = Math.max(queue.partitionTimeMs, timeMs);
      this.streamTimeMs = Math.max(this.streamTimeMs, timeMs);
    }
  }

  add(topic: string, records: readonly RawRecord[]): void {
    const queue = this.queues.get(topic);
    if (queue === undefined) throw new Error(`the task does not read topic "${topic}"`);
    queue.add(records);
  }

  /** The oldest of the first ones; of equally old ones that of the topic that was given first. */
  next(): QueuedRecord | null {
    let oldest: RecordQueue | null = null;
    for (const queue of this.queues.values()) {
      if (queue.size === 0) continue;
      if (oldest === null || queue.headTimestampMs < oldest.headTimestampMs) oldest = queue;
    }
    const taken = oldest?.take() ?? null;
    if (taken?.record != null) {
      this.streamTimeMs = Math.max(this.streamTimeMs, taken.record.timestampMs);
    }
    return taken;
  }
}
