/**
 * A consumer: it fetches ahead for the partitions that it is given (`assign`) or that its group gives
 * it (`subscribe`), and hands out chunks of whole batches. Nothing is committed but by `commit`.
 */
import { Cluster } from "./cluster.ts";
import { ListOffsetsQuery } from "./admin/list-offsets.ts";
import { GroupAdmin } from "./admin/groups.ts";
import { commitOffsets } from "./commit-offsets.ts";
import type { FetchedChunk } from "./consumer/chunk.ts";
import { Fetcher } from "./consumer/fetcher.ts";
import { Membership } from "./consumer/membership.ts";
import { resolveConsumerOptions } from "./consumer/options.ts";
import type {
  ConsumerOptions,
  PartitionPosition,
  ResolvedConsumerOptions,
} from "./consumer/options.ts";
import { UnsupportedError } from "./errors.ts";
import type { TopicPartitions } from "./group-protocol.ts";
import type { ClientIo } from "./options.ts";

export type { ConsumerOptions, OffsetReset, PartitionPosition } from "./consumer/options.ts";
export { FetchedChunk } from "./consumer/chunk.ts";
export type { AbortedTransaction, ConsumerRecord } from "./consumer/chunk.ts";

/** What a subscriber may want to know of rebalances. */
export interface RebalanceListener {
  /** The partitions are this consumer's, and where it goes on in them. */
  assigned?(positions: readonly PartitionPosition[]): void | Promise<void>;
  /**
   * They go to others: commit what is done. `lost` says that it is too late for that. Chunks that
   * were fetched are dropped afterwards.
   */
  revoked?(
    partitions: readonly { topic: string; partition: number }[],
    lost: boolean,
  ): void | Promise<void>;
}

/** See the head of the file. `close` it. */
export class Consumer {
  readonly cluster: Cluster;
  readonly #options: ResolvedConsumerOptions;
  readonly #fetcher: Fetcher;
  #membership: Membership | null = null;

  constructor(io: ClientIo, options: ConsumerOptions) {
    this.cluster = new Cluster(io, options);
    this.#options = resolveConsumerOptions(options);
    this.#fetcher = new Fetcher(this.cluster, this.#options);
  }

  /** Reads these partitions from these offsets, without a group's assignment. */
  async assign(positions: readonly PartitionPosition[]): Promise<void> {
    for (const topic of new Set(positions.map(({ topic }) => topic))) {
      await this.cluster.topic(topic);
    }
    this.#fetcher.assign(positions);
  }

  /** Removes partitions from what is read. */
  unassign(partitions: readonly { topic: string; partition: number }[]): void {
    this.#fetcher.unassign(partitions);
  }

  /** Joins the group; it goes on at committed offsets, else as `autoOffsetReset` says. */
  subscribe(topics: readonly string[], listener: RebalanceListener = {}): void {
    const { groupId } = this.#options;
    if (groupId === null) throw new UnsupportedError("subscribe needs a groupId");
    if (this.#membership !== null) throw new UnsupportedError("a consumer subscribes once");
    this.#membership = new Membership(this.cluster, groupId, topics, this.#options, {
      assigned: async (partitions) => {
        const positions = await this.#startPositions(groupId, partitions);
        await listener.assigned?.(positions);
        this.#fetcher.assign(positions);
      },
      revoked: async (lost) => {
        const partitions = this.#fetcher.assignment();
        if (partitions.length > 0) await listener.revoked?.(partitions, lost);
        this.#fetcher.unassign(partitions);
      },
      failed: (error) => this.#fetcher.fail(error),
    });
    this.#membership.start();
  }

  /**
   * The next chunk of any partition, in the order of arrival; null once the consumer is closed.
   * Rejects when reading fails for good, and with the signal's reason.
   */
  next(signal?: AbortSignal): Promise<FetchedChunk | null> {
    return this.#fetcher.next(signal);
  }

  /** Chunks until `close`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<FetchedChunk> {
    for (;;) {
      const chunk = await this.next();
      if (chunk === null) return;
      yield chunk;
    }
  }

  /** Partitions that are read now. */
  assignment(): { topic: string; partition: number }[] {
    return this.#fetcher.assignment();
  }

  /** The offset behind the last chunk that `next` gave, or null if the partition is not read. */
  position(topic: string, partition: number): bigint | null {
    return this.#fetcher.position(topic, partition);
  }

  /** Fetches no more of the partition; what is fetched already still comes. */
  pause(topic: string, partition: number): void {
    this.#fetcher.pause(topic, partition);
  }

  resume(topic: string, partition: number): void {
    this.#fetcher.resume(topic, partition);
  }

  /** Goes on at another offset; what was fetched already is dropped. */
  seek(position: PartitionPosition): void {
    if (this.#fetcher.position(position.topic, position.partition) === null) {
      const { topic, partition } = position;
      throw new UnsupportedError(`partition ${topic}-${partition} is not assigned`);
    }
    this.#fetcher.assign([position]);
  }

  /**
   * Commits for the group: the offsets of the records to be read next. Throws `KafkaError`; with
   * ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID or REBALANCE_IN_PROGRESS the group has gone on.
   */
  async commit(offsets: readonly PartitionPosition[]): Promise<void> {
    const { groupId } = this.#options;
    if (groupId === null) throw new UnsupportedError("commit needs a groupId");
    if (this.#membership !== null) await this.#membership.commit(offsets);
    else await commitOffsets(this.cluster, groupId, offsets, null);
  }

  /** Leaves the group and closes the connections. Commits nothing. */
  async close(): Promise<void> {
    this.#fetcher.close();
    await this.#membership?.stop();
    this.cluster.close();
  }

  async #startPositions(
    groupId: string,
    assigned: readonly TopicPartitions[],
  ): Promise<PartitionPosition[]> {
    for (const { topic } of assigned) await this.cluster.topic(topic);
    if (assigned.length === 0) return [];
    const committed = new Map<string, bigint>();
    const offsets = await new GroupAdmin(this.cluster).listOffsets(groupId, {
      partitions: assigned,
      stable: this.#options.isolationLevel === "read_committed",
    });
    for (const { topic, partition, offset } of offsets) {
      committed.set(`${topic}/${partition}`, offset);
    }
    const at = this.#options.autoOffsetReset;
    const without: { topic: string; partition: number; at: "earliest" | "latest" }[] = [];
    for (const { topic, partitions } of assigned) {
      for (const partition of partitions) {
        if (committed.has(`${topic}/${partition}`)) continue;
        if (at === "none") {
          throw new UnsupportedError(
            `group "${groupId}" has no offset for ${topic}-${partition}, and no reset is set`,
          );
        }
        without.push({ topic, partition, at });
      }
    }
    const { isolationLevel } = this.#options;
    const found = await new ListOffsetsQuery(this.cluster, { isolationLevel }).run(without);
    for (const { topic, partition, offset, error } of found) {
      if (error !== null) throw error;
      committed.set(`${topic}/${partition}`, offset);
    }
    return assigned.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({
        topic,
        partition,
        offset: committed.get(`${topic}/${partition}`) ?? 0n,
      }))
    );
  }
}
