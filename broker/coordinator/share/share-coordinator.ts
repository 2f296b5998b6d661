/**
 * The share coordinator of this broker: keeps what partition leaders persist of share partitions
 * (Kafka's `ShareCoordinatorService`). Share partitions are spread over the partitions of
 * `__share_group_state` by group, topic id and partition.
 */
import type { Codecs } from "../../../core/compression/codec.ts";
import { Errors } from "../../../core/errors.ts";
import type { Clock } from "../../../core/io.ts";
import type { Logger } from "../../../core/logger.ts";
import { type CoordinatorTopic, findCoordinator } from "../coordinator-topic.ts";
import { coordinatorPartition } from "../java-hash.ts";
import { CoordinatorRuntime, type LoadingState } from "../runtime.ts";
import type { CoordinatorResult, Outcome, TimerKind } from "../shard.ts";
import { shareRecordCodec } from "./share-codec.ts";
import { type ShareKey, shareKeyString, type ShareRecord } from "./share-records.ts";
import {
  shareFailure,
  type ShareOutcome,
  type ShareRead,
  ShareShard,
  type ShareSummary,
  type ShareWrite,
} from "./share-shard.ts";

/** What a coordinator is made of. */
export interface ShareCoordinatorOptions {
  readonly clock: Clock;
  /** The clocks of timers, where they are not that one. */
  readonly timerClocks?: Readonly<Record<TimerKind, Clock>> | undefined;
  readonly logger: Logger;
  readonly codecs: Codecs;
  /** share.coordinator.write.timeout.ms */
  readonly writeTimeoutMs: number;
  readonly updatesPerSnapshot: () => number;
  readonly topic: CoordinatorTopic;
  /** How many partitions the topic of this id has; undefined if there is none. */
  readonly partitionCount: (topicId: string) => number | undefined;
}

/**
 * Where the state of share partitions is kept: what partition leaders and the group coordinator use
 * (Kafka's `Persister`). Errors are in the answers; COORDINATOR_NOT_AVAILABLE and its like mean
 * that it is worth trying again.
 */
export interface SharePersister {
  initialize(key: ShareKey, stateEpoch: number, startOffset: number): Promise<ShareOutcome>;
  read(key: ShareKey, leaderEpoch: number): Promise<ShareRead>;
  write(key: ShareKey, write: ShareWrite): Promise<ShareOutcome>;
  delete(key: ShareKey): Promise<ShareOutcome>;
  summary(key: ShareKey): Promise<ShareSummary>;
}

/** See the header. */
export class ShareCoordinator implements SharePersister {
  readonly #options: ShareCoordinatorOptions;
  readonly #runtime: CoordinatorRuntime<ShareRecord, ShareShard>;
  #closed = false;

  constructor(options: ShareCoordinatorOptions) {
    this.#options = options;
    const { clock, logger, codecs, updatesPerSnapshot, partitionCount } = options;
    this.#runtime = new CoordinatorRuntime({
      name: "share coordinator",
      clock,
      timerClocks: options.timerClocks,
      logger,
      codecs,
      recordCodec: shareRecordCodec,
      commitTimeoutMs: options.writeTimeoutMs,
      newShard: (_partition, timers) =>
        new ShareShard({ clock, timers, updatesPerSnapshot, partitionCount }),
    });
  }

  /** What is led here and cannot be used yet, or at all. */
  loadingState(): LoadingState {
    return this.#runtime.loadingState();
  }

  /** Takes up the partitions that are led here now and gives up the others. */
  follow(): void {
    if (!this.#closed) this.#runtime.follow(this.#options.topic.led());
  }

  /** Topics are gone: so is what was consumed of them. */
  onTopicsDeleted(): void {
    for (const partition of this.#runtime.partitions()) {
      void this.#runtime.write(partition, (shard) => shard.dropDeleted());
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Answers everybody who waits; nothing is coordinated here any more. */
  close(): void {
    this.#closed = true;
    this.#runtime.close();
  }

  /** The broker that coordinates the share partition; creates the topic and waits for loading. */
  find(key: ShareKey): Promise<Outcome<number>> {
    return findCoordinator(
      this.#options.topic,
      () => this.#partitionOf(key),
      (partition) => this.#runtime.ready(partition),
    );
  }

  /**
   * The broker that coordinates the share partition, as far as this one knows; −1: none; undefined:
   * there is no topic with such state.
   */
  leaderOf(key: ShareKey): number | undefined {
    return this.#options.topic.leader(this.#partitionOf(key));
  }

  async initialize(key: ShareKey, stateEpoch: number, startOffset: number): Promise<ShareOutcome> {
    // The first share group of a cluster comes here first; the others find the topic there.
    const found = await this.find(key);
    if (!found.ok) return shareFailure(found.error);
    const outcome = await this.#write(
      key,
      (shard) => shard.initialize(key, stateEpoch, startOffset),
    );
    return outcome.ok ? outcome.value : shareFailure(outcome.error);
  }

  async read(key: ShareKey, leaderEpoch: number): Promise<ShareRead> {
    const outcome = await this.#write(key, (shard) => shard.read(key, leaderEpoch));
    if (outcome.ok) return outcome.value;
    return { ...shareFailure(outcome.error), stateEpoch: 0, startOffset: 0, stateBatches: [] };
  }

  async write(key: ShareKey, write: ShareWrite): Promise<ShareOutcome> {
    const outcome = await this.#write(key, (shard) => shard.write(key, write));
    return outcome.ok ? outcome.value : shareFailure(outcome.error);
  }

  async delete(key: ShareKey): Promise<ShareOutcome> {
    const outcome = await this.#write(key, (shard) => shard.delete(key));
    return outcome.ok ? outcome.value : shareFailure(outcome.error);
  }

  async summary(key: ShareKey): Promise<ShareSummary> {
    const outcome = await this.#write(
      key,
      (shard) => ({ records: [], response: shard.summary(key) }),
    );
    if (outcome.ok) return outcome.value;
    const unknown = { stateEpoch: 0, leaderEpoch: 0, startOffset: 0, deliveryCompleteCount: -1 };
    return { ...shareFailure(outcome.error), ...unknown };
  }

  /**
   * Runs an operation; at once, so that those of one caller keep their order, unless the shard is
   * still loading: clients of share groups would take that for more than the short wait that it is.
   */
  async #write<T>(
    key: ShareKey,
    operation: (shard: ShareShard) => CoordinatorResult<ShareRecord, T>,
  ): Promise<Outcome<T>> {
    const partition = this.#partitionOf(key);
    const state = this.#runtime.now(partition, () => null);
    if (!state.ok && state.error === Errors.COORDINATOR_LOAD_IN_PROGRESS) {
      await this.#runtime.ready(partition);
    }
    return await this.#runtime.write(partition, operation);
  }

  #partitionOf(key: ShareKey): number {
    return coordinatorPartition(shareKeyString(key), this.#options.topic.partitionCount());
  }
}
