/**
 * The part that a member of a cluster has in the replication of its partitions: what it does not lead it
 * follows, what it leads it proposes ISRs for, and how far both are it writes down. Kafka's
 * `ReplicaManager`, as far as it concerns other brokers.
 */
import { isSameRegistration } from "../../cluster/controller/alter-partition.ts";
import type { IsrProposal } from "../../cluster/replication/leader-replicas.ts";
import { isActive } from "../../cluster/metadata-image.ts";
import { assert } from "../../core/assert.ts";
import { Errors } from "../../core/errors.ts";
import { type Clock, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { alterPartition } from "../../core/protocol/56-alter-partition.ts";
import type { DataDirs } from "../../storage/data-dirs.ts";
import type { BrokerConfig } from "../config/broker-config.ts";
import { IsrChanges } from "../isr-changes.ts";
import type { FollowerThrottle } from "../fetch-run.ts";
import { ReplicationQuota } from "../quotas/replication-quota.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { Partition, PartitionSurroundings } from "../partition.ts";
import type { PartitionSet } from "../partition-set.ts";
import { ReplicaFetchers } from "../replica-fetchers.ts";
import type { Peers } from "./peers.ts";
import { ReplicaRepairs } from "./replica-repairs.ts";

/** What it is built from. */
export interface ReplicationOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: BrokerConfig;
  readonly metadata: MetadataCache;
  readonly dataDirs: DataDirs;
  readonly peers: Pick<Peers, "connect" | "requestController">;
  /** Of this broker's registration, which there is from `start` on. */
  brokerEpoch(): number;
}

/** How long a proposal may take to reach the controller and be answered. */
const PROPOSAL_MS = 10_000;
const PROPOSAL_RETRY_MS = 100;

/** See the head of the file. `close` it. */
export class Replication {
  readonly #options: ReplicationOptions;
  readonly #closed = new AbortController();
  #fetchers: ReplicaFetchers | null = null;
  #isrChanges: IsrChanges | null = null;
  readonly #repairs: ReplicaRepairs;
  readonly #leaderQuota: ReplicationQuota;
  readonly #followerQuota: ReplicationQuota;
  #unsubscribe = () => {};
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ReplicationOptions) {
    this.#options = options;
    const { clock, config, metadata } = options;
    const windows = {
      count: config.get("replication.quota.window.num"),
      sizeMs: config.get("replication.quota.window.size.seconds") * 1000,
    };
    this.#leaderQuota = new ReplicationQuota({ clock, metadata, role: "leader", windows });
    this.#followerQuota = new ReplicationQuota({ clock, metadata, role: "follower", windows });
    this.#repairs = new ReplicaRepairs({ ...options, nodeId: options.dataDirs.nodeId });
  }

  /** What partitions of this broker, hosted as those of a member, have to know of it and the others. */
  get surroundings(): PartitionSurroundings {
    const { clock, config, dataDirs } = this.#options;
    return {
      clock,
      nodeId: dataDirs.nodeId,
      replicaLagTimeMaxMs: () => config.get("replica.lag.time.max.ms"),
      mayBeInIsr: (brokerId, brokerEpoch) => this.#mayBeInIsr(brokerId, brokerEpoch),
      alterIsr: (partition, proposal) => this.#alterIsr(partition, proposal),
      onDamage: (partition, offset) => this.#repairs.submit(partition, offset),
    };
  }

  /**
   * Opens the partitions, and leads and follows them from now on. To be called once the metadata of this
   * broker have its registration: before, they may say that it leads what it led in an earlier life, and
   * followers would cut off what it has lost since.
   */
  start(partitions: PartitionSet): void {
    assert(this.#fetchers === null, "replication starts once");
    const { metadata, clock, logger, config, dataDirs, peers } = this.#options;
    const brokerEpoch = () => this.#options.brokerEpoch();
    const { nodeId } = dataDirs;
    partitions.adoptLogs();
    const fetchers = new ReplicaFetchers({
      clock,
      logger,
      nodeId,
      partitions,
      quota: this.#followerQuota,
      brokerEpoch,
      connect: (leader, use, signal) => peers.connect(leader, use, signal),
      maxWaitMs: config.get("replica.fetch.wait.max.ms"),
      minBytes: config.get("replica.fetch.min.bytes"),
      maxBytes: config.get("replica.fetch.response.max.bytes"),
      partitionMaxBytes: config.get("replica.fetch.max.bytes"),
      backoffMs: config.get("replica.fetch.backoff.ms"),
      timeoutMs: config.get("replica.socket.timeout.ms"),
    });
    this.#fetchers = fetchers;
    this.#isrChanges = new IsrChanges({
      clock,
      logger,
      nodeId,
      brokerEpoch,
      send: (request, signal) =>
        peers.requestController(
          alterPartition,
          request,
          ({ errorCode }) => errorCode === Errors.NOT_CONTROLLER,
          { timeoutMs: PROPOSAL_MS, signal },
        ),
      partitions: () => partitions.opened(),
      lagTimeMaxMs: () => config.get("replica.lag.time.max.ms"),
      retryMs: PROPOSAL_RETRY_MS,
    });
    for (const topic of metadata.image.topics.values()) fetchers.apply(topic);
    this.#unsubscribe = metadata.onChange(({ createdTopics, deletedTopics, changedTopics }) => {
      for (const topic of deletedTopics) fetchers.remove(topic);
      for (const topic of createdTopics) fetchers.apply(topic);
      for (const { before, after } of changedTopics) fetchers.apply(after, before);
    });
    this.#writing = this.#writeAgainAndAgain();
  }

  /** Holds a follower to the rate of this leader where it is not in sync. */
  throttleOf(brokerId: number): FollowerThrottle {
    const quota = this.#leaderQuota;
    return {
      holdsBack: ({ topicId, index, isr }) =>
        quota.binds(topicId, index) && !isr.includes(brokerId) && quota.waitMs() > 0,
      record: ({ topicId, index }, bytes) => {
        if (bytes > 0 && quota.binds(topicId, index)) quota.record(bytes);
      },
    };
  }

  /** Nothing is fetched or proposed any more. */
  async close(): Promise<void> {
    this.#closed.abort(new Error("the broker stops"));
    this.#unsubscribe();
    await Promise.all([
      this.#fetchers?.close(),
      this.#isrChanges?.close(),
      this.#repairs.close(),
      this.#writing,
    ]);
  }

  #mayBeInIsr(brokerId: number, brokerEpoch: number): boolean {
    const { image } = this.#options.metadata;
    return isActive(image, brokerId) &&
      isSameRegistration(brokerEpoch, image.brokers.get(brokerId)?.epoch);
  }

  #alterIsr(partition: Partition, proposal: IsrProposal): void {
    assert(this.#isrChanges !== null, "nothing is led before the start");
    this.#isrChanges.submit(partition, proposal);
  }

  /** The high watermarks: what a leader that begins anew knows to be on the others. */
  async #writeAgainAndAgain(): Promise<void> {
    const { clock, config, dataDirs } = this.#options;
    const { signal } = this.#closed;
    while (!signal.aborted) {
      const intervalMs = config.get("replica.high.watermark.checkpoint.interval.ms");
      await sleep(clock, intervalMs, signal).catch(() => {});
      if (!signal.aborted) await dataDirs.saveHighWatermarks();
    }
  }
}
