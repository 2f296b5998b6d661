/** A task of a member: what was read for it, how far it is, what is to be committed. */
import type { FetchedChunk, PartitionPosition } from "../../client/consumer.ts";
import type { TopicPartition } from "../../client/group-protocol.ts";
import type { Task } from "../task/task.ts";
import { PartitionFeed } from "./partition-feed.ts";
import { encodePartitionTime } from "./partition-time.ts";
import type { TaskStores } from "./task-stores.ts";

/** Where a task begins in a partition, and what time that has. */
export interface TaskStart extends TopicPartition {
  readonly offset: bigint;
  /** −1: none. */
  readonly timeMs: number;
  /** What processors have committed with it. */
  readonly processorTimes?: ReadonlyMap<string, number>;
}

/** What a task asks of the consumer. */
export interface TaskInput {
  /** The end as the last fetch told; null: none has. */
  endOffset(topic: string, partition: number): number | null;
  pause(topic: string, partition: number, how: { readonly isBrief: boolean }): void;
  resume(topic: string, partition: number): void;
}

/** Where a task is in what it reads. */
export interface SourcePlace extends TopicPartition {
  /** What it processes next. */
  readonly position: bigint;
  /** Records that are still to come, as the last fetch told; null: none has. */
  readonly lag: number | null;
}

/** How records wait. */
export interface TaskWaiting {
  /** Records of a partition in memory. */
  readonly bufferedRecords: number;
  /** −1: no partition is waited for. */
  readonly maxTaskIdleMs: number;
}

/** See the head of the file. */
export class ActiveTask {
  /** Something was processed, or called, since the last commit. */
  isDirty = false;
  /** How many records it has processed. */
  processed = 0;
  /** When it may go on though partitions have nothing, by the monotonic clock. */
  idleUntilMs = Infinity;
  /** It has records, and waits to hear whether a partition that has none here has some in the cluster. */
  isWaitingForFetch = false;
  readonly #feeds = new Map<string, PartitionFeed>();
  /** Topics of which nothing is fetched now. */
  readonly #resting = new Set<string>();
  readonly #idleUntilMs = new Map<string, number>();
  readonly #committed = new Map<string, bigint>();

  constructor(
    readonly id: string,
    readonly task: Task,
    readonly stores: TaskStores,
    starts: readonly TaskStart[],
    private readonly input: TaskInput,
    private readonly waiting: TaskWaiting,
  ) {
    for (const { topic, partition, offset } of starts) {
      this.#feeds.set(topic, new PartitionFeed(topic, partition, offset));
      this.#committed.set(topic, offset);
    }
    for (const [name, timeMs] of starts.flatMap((start) => [...start.processorTimes ?? []])) {
      task.metadata.set(name, Math.max(timeMs, task.metadata.get(name) ?? -1));
    }
    task.resumeAt(new Map(starts.map(({ topic, timeMs }) => [topic, timeMs])));
  }

  feedOf(topic: string): PartitionFeed | undefined {
    return this.#feeds.get(topic);
  }

  get partitions(): TopicPartition[] {
    return [...this.#feeds.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  sources(): SourcePlace[] {
    return [...this.#feeds.values()].map((feed) => {
      const { topic, partition } = feed;
      const position = this.#positionOf(feed);
      const end = this.input.endOffset(topic, partition);
      const lag = end === null ? null : Math.max(0, end - Number(position));
      return { topic, partition, position, lag };
    });
  }

  /**
   * Keeps what was fetched until it is processed. Nothing is processed while the member waits for brokers,
   * so what is not used up has its partition rest here as well, not only in `fill`.
   */
  arrived(chunk: FetchedChunk): void {
    const feed = this.#feeds.get(chunk.topic);
    if (feed === undefined) return;
    const isBehind = feed.hasMore;
    if (feed.add(chunk) && isBehind) this.#rest(feed);
  }

  /** Brings records from what was fetched into the queues; more is fetched where there are few. */
  fill(): void {
    for (const feed of this.#feeds.values()) {
      const { topic, partition } = feed;
      const queue = this.task.queues.get(topic)!;
      if (feed.hasMore) {
        const records = feed.take(queue.size, this.waiting.bufferedRecords);
        const before = queue.leftOut;
        if (records.length > 0) this.task.add(topic, records);
        // Their letters are in the transaction, so their offsets have to be.
        if (queue.leftOut > before) this.isDirty = true;
      }
      if (feed.hasMore) this.#rest(feed);
      else if (this.#resting.delete(topic)) this.input.resume(topic, partition);
    }
  }

  /** Fetches no more of a partition until `fill` has used up what is here. */
  #rest({ topic, partition }: PartitionFeed): void {
    if (this.#resting.has(topic)) return;
    this.#resting.add(topic);
    this.input.pause(topic, partition, { isBrief: true });
  }

  /**
   * Whether the record that is next may be processed (KIP-353, KIP-695): all partitions have some, or
   * those that have none are known to have none, for as long as one waits.
   */
  isReady(nowMs: number): boolean {
    this.idleUntilMs = Infinity;
    this.isWaitingForFetch = false;
    let hasSome = false;
    let isReady = true;
    for (const feed of this.#feeds.values()) {
      const { topic, partition, fetchedTo } = feed;
      if (this.task.queues.get(topic)!.size > 0) {
        this.#idleUntilMs.delete(topic);
        hasSome = true;
        continue;
      }
      if (this.waiting.maxTaskIdleMs < 0) continue;
      const endOffset = this.input.endOffset(topic, partition);
      if (endOffset === null || endOffset > fetchedTo) {
        this.#idleUntilMs.delete(topic);
        this.isWaitingForFetch = true;
        isReady = false;
        continue;
      }
      const untilMs = this.#idleUntilMs.get(topic) ?? nowMs + this.waiting.maxTaskIdleMs;
      this.#idleUntilMs.set(topic, untilMs);
      if (nowMs >= untilMs) continue;
      isReady = false;
      this.idleUntilMs = Math.min(this.idleUntilMs, untilMs);
    }
    return isReady && hasSome;
  }

  /** Processes the record that is next. False: none is here. */
  process(): boolean {
    this.isDirty = true;
    if (!this.task.process()) return false;
    this.processed++;
    return true;
  }

  /** Where it goes on, in partitions where that is not what was committed last. */
  uncommitted(): PartitionPosition[] {
    return [...this.#feeds.values()].flatMap((feed) => {
      const { topic, partition } = feed;
      const queue = this.task.queues.get(topic)!;
      const offset = this.#positionOf(feed);
      if (offset === this.#committed.get(topic)) return [];
      const metadata = encodePartitionTime(queue.partitionTimeMs, this.task.metadata);
      return [{ topic, partition, offset, metadata }];
    });
  }

  #positionOf({ topic, nextOffset }: PartitionFeed): bigint {
    return this.task.queues.get(topic)!.headOffset ?? nextOffset;
  }

  committed(positions: readonly PartitionPosition[]): void {
    for (const { topic, partition, offset } of positions) {
      const feed = this.#feeds.get(topic);
      if (feed?.partition === partition) this.#committed.set(topic, offset);
    }
    this.isDirty = false;
  }

  close(): void {
    this.task.close();
  }
}
