/**
 * The share partitions of this broker: one for each group and partition that somebody consumes here,
 * made at the first fetch (the cache of Kafka's `SharePartitionManager`).
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { SharePersister } from "../coordinator/share/share-coordinator.ts";
import { type ShareKey, shareKeyString } from "../coordinator/share/share-records.ts";
import type { Isolation, Partition } from "../partition.ts";
import { logBatches } from "./log-batches.ts";
import type { ShareConfig } from "./share-config.ts";
import { type SharedLog, SharePartition } from "./share-partition.ts";

/** What they are made of. */
export interface SharePartitionsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly persister: SharePersister;
  /** A group's configuration as it is now. */
  readonly config: (groupId: string) => ShareConfig;
  /** The hosted partition, or why there is none. */
  readonly partition: (topicId: string, index: number) => Partition | ErrorCode;
}

interface Entry {
  readonly partition: Partition;
  readonly shared: SharePartition;
  readonly ready: Promise<ErrorCode>;
}

/** See the header. */
export class SharePartitions {
  readonly #options: SharePartitionsOptions;
  readonly #entries = new Map<string, Entry>();
  #closed = false;

  constructor(options: SharePartitionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The share partition, ready for use; or why it is not. */
  async open(key: ShareKey): Promise<SharePartition | ErrorCode> {
    if (this.#closed) return Errors.NOT_LEADER_OR_FOLLOWER;
    const partition = this.#options.partition(key.topicId, key.partition);
    if (typeof partition === "number") return partition;
    const error = partition.checkLeader(-1);
    if (error !== Errors.NONE) return error;
    const id = shareKeyString(key);
    let entry = this.#entries.get(id);
    if (
      entry !== undefined &&
      (entry.partition !== partition || entry.shared.leaderEpoch !== partition.leaderEpoch)
    ) {
      this.#drop(id);
      entry = undefined;
    }
    entry ??= this.#start(id, key, partition);
    const problem = await entry.ready;
    return problem === Errors.NONE ? entry.shared : problem;
  }

  /** The share partition if there is one already; for acknowledgements. */
  find(key: ShareKey): SharePartition | undefined {
    return this.#entries.get(shareKeyString(key))?.shared;
  }

  /** The share partitions of a group that exist here. */
  *ofGroup(groupId: string): Generator<SharePartition> {
    for (const { shared } of this.#entries.values()) {
      if (shared.key.groupId === groupId) yield shared;
    }
  }

  /** Forgets what a group has in hand nothing of; the rest is persisted. */
  dropIdle(groupId: string): void {
    for (const shared of [...this.ofGroup(groupId)]) {
      if (shared.isIdle) this.#drop(shareKeyString(shared.key));
    }
  }

  /** Forgets what the group consumes, as its offsets have changed or it is gone. */
  dropGroup(groupId: string): void {
    for (const shared of [...this.ofGroup(groupId)]) this.#drop(shareKeyString(shared.key));
  }

  /** Forgets the share partitions of partitions that are gone, or led elsewhere or anew. */
  dropLost(): void {
    for (const [id, { partition, shared }] of [...this.#entries]) {
      const isLed = partition.isLeader && partition.leaderEpoch === shared.leaderEpoch;
      if (partition.closed || !isLed) this.#drop(id);
    }
  }

  /** Ends all locks and waiting. */
  close(): void {
    this.#closed = true;
    for (const id of [...this.#entries.keys()]) this.#drop(id);
  }

  #start(id: string, key: ShareKey, partition: Partition): Entry {
    const { clock, logger, persister, config } = this.#options;
    const shared = new SharePartition({
      key,
      log: sharedLog(partition),
      persister,
      clock,
      logger,
      config: () => config(key.groupId),
      onFenced: () => {
        logger.info("a share partition is taken over", { ...key });
        if (this.#entries.get(id)?.shared === shared) this.#entries.delete(id);
      },
    });
    const ready = shared.initialize().then((error) => {
      if (error !== Errors.NONE && this.#entries.get(id)?.shared === shared) this.#drop(id);
      return error;
    });
    const entry = { partition, shared, ready };
    this.#entries.set(id, entry);
    return entry;
  }

  #drop(id: string): void {
    this.#entries.get(id)?.shared.close();
    this.#entries.delete(id);
  }
}

/** A hosted partition as share partitions read it. */
export function sharedLog(partition: Partition): SharedLog {
  return {
    leaderEpoch: partition.leaderEpoch,
    get logStartOffset() {
      return partition.logStartOffset;
    },
    endOffset: (isolation: Isolation) => partition.endOffset(isolation),
    read: (offset, maxBytes, isolation) => partition.read(offset, maxBytes, isolation),
    batches: (records, isolation) => {
      if (isolation === "read_uncommitted" || records.length === 0) return logBatches(records);
      const all = logBatches(records);
      const from = all[0]?.firstOffset ?? 0;
      const aborted = partition.abortedTransactions(from, (all.at(-1)?.lastOffset ?? from) + 1);
      return aborted === null ? null : aborted.length === 0 ? all : logBatches(records, aborted);
    },
    offsetForTimestamp: async (timestampMs) =>
      (await partition.log.offsetForTimestamp(timestampMs))?.offset ?? null,
  };
}
