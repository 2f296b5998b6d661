/**
 * Which partitions this broker follows, and from whom: it keeps one fetcher for each leader in line with
 * the metadata. Kafka's `ReplicaFetcherManager`.
 */
import type { PartitionImage, TopicImage } from "../cluster/metadata-image.ts";
import {
  type FollowedPartition,
  ReplicaFetcher,
  type ReplicaFetcherOptions,
} from "../cluster/replication/replica-fetcher.ts";
import type { Connection } from "../core/connection.ts";
import { forEachBatch } from "../core/records/batch-header.ts";
import type { Partition } from "./partition.ts";
import type { PartitionSet } from "./partition-set.ts";
import type { ReplicationQuota } from "./quotas/replication-quota.ts";

/** What a fetcher needs connections for: see `Peers.connect`. */
export type FetcherUse = "replication" | "requests";

/** What the fetchers are built from. */
export interface ReplicaFetchersOptions
  extends Omit<ReplicaFetcherOptions, "connect" | "connectAside"> {
  readonly partitions: PartitionSet;
  /** Holds back what is not in sync; without it nothing is. */
  readonly quota?: ReplicationQuota;
  /** A connection to the broker, an open one if there is one; one use does not wait for another. */
  connect(brokerId: number, use: FetcherUse, signal: AbortSignal): Promise<Connection>;
}

/** See the head of the file. `close` it. */
export class ReplicaFetchers {
  readonly #options: ReplicaFetchersOptions;
  readonly #byLeader = new Map<number, ReplicaFetcher>();
  /** Leader and epoch that a partition is followed in, by topic id and index. */
  readonly #following = new Map<string, { readonly leader: number; readonly epoch: number }>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: ReplicaFetchersOptions) {
    this.#options = options;
  }

  /**
   * Follows the partitions of a topic as its image says, and those no more that it does not have.
   * `before`: the image that was applied last.
   */
  apply(topic: TopicImage, before?: TopicImage): void {
    topic.partitions.forEach((state, index) => {
      if (state !== before?.partitions[index]) this.#apply(topic, index, state);
    });
  }

  #apply(topic: TopicImage, index: number, state: PartitionImage): void {
    const { replicas, leader, leaderEpoch, offline } = state;
    const key = `${topic.id}:${index}`;
    const isOurs = replicas.length > 1 && replicas.includes(this.#options.nodeId);
    const { nodeId } = this.#options;
    // What is in a data directory that has failed follows nobody.
    const isFollowed = isOurs && leader >= 0 && leader !== nodeId &&
      offline?.includes(nodeId) !== true;
    const before = this.#following.get(key);
    if (isFollowed && before?.leader === leader && before.epoch === leaderEpoch) return;
    if (before !== undefined) this.#unfollow(key, before.leader, topic.id, index);
    if (!isOurs) return;
    const partition = this.#options.partitions.findById(topic.id, index);
    if (!isFollowed || typeof partition === "number") return;
    this.#following.set(key, { leader, epoch: leaderEpoch });
    const { partitions, quota } = this.#options;
    this.#fetcherOf(leader).follow(new Following(partition, partitions, quota), leaderEpoch);
  }

  /** The topic is deleted. */
  remove(topic: TopicImage): void {
    for (const index of topic.partitions.keys()) {
      const key = `${topic.id}:${index}`;
      const before = this.#following.get(key);
      if (before !== undefined) this.#unfollow(key, before.leader, topic.id, index);
    }
  }

  async close(): Promise<void> {
    for (const fetcher of this.#byLeader.values()) this.#close(fetcher);
    this.#byLeader.clear();
    await Promise.all(this.#closing);
  }

  #fetcherOf(leader: number): ReplicaFetcher {
    let fetcher = this.#byLeader.get(leader);
    if (fetcher === undefined) {
      fetcher = new ReplicaFetcher({
        ...this.#options,
        connect: (signal) => this.#options.connect(leader, "replication", signal),
        connectAside: (signal) => this.#options.connect(leader, "requests", signal),
      });
      this.#byLeader.set(leader, fetcher);
    }
    return fetcher;
  }

  #unfollow(key: string, leader: number, topicId: string, index: number): void {
    this.#following.delete(key);
    const fetcher = this.#byLeader.get(leader);
    fetcher?.unfollow({ topicId, index });
    if (fetcher === undefined || fetcher.size > 0) return;
    this.#byLeader.delete(leader);
    this.#close(fetcher);
  }

  #close(fetcher: ReplicaFetcher): void {
    const closing = fetcher.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

/** A partition as its fetcher sees it. */
class Following implements FollowedPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly index: number;

  constructor(
    private readonly partition: Partition,
    private readonly partitions: PartitionSet,
    private readonly quota: ReplicationQuota | undefined,
  ) {
    this.topic = partition.topic;
    this.topicId = partition.topicId;
    this.index = partition.index;
  }

  get logStartOffset(): number {
    return this.partition.logStartOffset;
  }

  get history() {
    return this.partition.log;
  }

  latestEpoch(): number {
    return this.partition.log.latestEpoch() ?? -1;
  }

  get isSettled(): boolean {
    const { log, cutDone } = this.partition;
    return cutDone === null && log.durableEndOffset >= log.logEndOffset;
  }

  async settle(): Promise<void> {
    await this.partition.cutDone;
    const { log } = this.partition;
    if (log.durableEndOffset < log.logEndOffset) await log.flush();
  }

  holdBackMs(): number {
    const { quota, topicId, index } = this;
    return quota?.binds(topicId, index) === true ? quota.waitMs() : 0;
  }

  appendFetched(records: Uint8Array): string | null {
    const { quota, topicId, index } = this;
    if (quota?.binds(topicId, index) === true) quota.record(records.length);
    let refused: string | null = null;
    forEachBatch(records, (position, sizeBytes) => {
      if (refused !== null) return;
      const result = this.partition.appendFetched(records.subarray(position, position + sizeBytes));
      if (!result.ok) refused = result.message ?? "the log takes no records";
    });
    return refused;
  }

  followTo(leaderHighWatermark: number, leaderStartOffset: number): void {
    this.partition.followTo(leaderHighWatermark, leaderStartOffset);
  }

  truncateTo(offset: number): Promise<void> {
    return this.partition.truncateTo(offset);
  }

  restartAt(offset: number): void {
    this.partitions.restartLog(this.partition, offset);
  }
}
