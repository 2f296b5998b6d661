/**
 * One partition as one share group consumes it: reads the log, hands records to members, takes their
 * acknowledgements, runs their locks, and persists what has become of the records before anybody
 * hears of it (Kafka's `SharePartition`). What may happen to a record is in `delivery-window.ts`.
 *
 * What was acquired is in memory only. A new leader delivers again what was not acknowledged, and
 * then counts one delivery less than there were: the limit of deliveries holds for each leader.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { type Clock, DiskError, type Timer } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { ReadResult } from "../../storage/partition-log.ts";
import type { SharePersister } from "../coordinator/share/share-coordinator.ts";
import {
  DeliveryStates,
  type ShareKey,
  type StateBatch,
} from "../coordinator/share/share-records.ts";
import type { Isolation } from "../partition.ts";
import { type Acknowledgement, type Run, runsOf } from "./acknowledgement.ts";
import { acquire, type LogBatch } from "./acquire.ts";
import {
  type AcknowledgeProblem,
  AcknowledgeTypes,
  type AcquiredRange,
  type Change,
  DeliveryWindow,
  type Lock,
} from "./delivery-window.ts";
import { sliceAcquired } from "./log-batches.ts";
import type { ShareConfig } from "./share-config.ts";

/** What a share partition needs of the partition under it. */
export interface SharedLog {
  readonly leaderEpoch: number;
  readonly logStartOffset: number;
  endOffset(isolation: Isolation): number;
  read(offset: number, maxBytes: number, isolation: Isolation): Promise<ReadResult>;
  /**
   * What the bytes of a read hold; under read_committed batches of aborted transactions are not for
   * delivery. Null if the disk refuses to say which these are.
   */
  batches(records: Uint8Array, isolation: Isolation): LogBatch[] | null;
  /** The first offset whose record is as young as `timestampMs`, or null. Throws a `DiskError`. */
  offsetForTimestamp(timestampMs: number): Promise<number | null>;
}

/** What a share partition is made of. */
export interface SharePartitionOptions {
  readonly key: ShareKey;
  readonly log: SharedLog;
  readonly persister: SharePersister;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The group's configuration as it is now. */
  readonly config: () => ShareConfig;
  /** Another leader or a new initialization has taken over; the share partition is of no use. */
  readonly onFenced: (partition: SharePartition) => void;
}

/** How much a member wants. */
export interface ShareFetchWish {
  readonly memberId: string;
  readonly maxBytes: number;
  readonly maxRecords: number;
  readonly batchSize: number;
  readonly recordLimit: boolean;
}

/** What a member gets: whole batches, and which of their records are its own for now. */
export interface Acquired {
  readonly error: ErrorCode;
  readonly records: Uint8Array;
  readonly ranges: readonly AcquiredRange[];
}

const NO_BYTES = new Uint8Array(0);
const NOTHING: Acquired = { error: Errors.NONE, records: NO_BYTES, ranges: [] };
/** A start offset that leaves what is persisted as it is. */
const UNCHANGED = -1;
/** A read takes no less, as far as it may. */
const READ_BYTES_MIN = 64 * 1024;
/** Reads of one fetch that may find nothing but holes. */
const READS_MAX = 16;

/** See the header. Has to be initialized before anything else. */
export class SharePartition {
  readonly key: ShareKey;
  readonly leaderEpoch: number;
  readonly #options: SharePartitionOptions;
  readonly #listeners = new Set<() => void>();
  #window = new DeliveryWindow(0);
  #stateEpoch = 0;
  /** The largest start offset that was sent to the share coordinator. */
  #writtenStart = -1;
  /** The largest start offset that is persisted for sure. */
  #persistedStart = 0;
  #timer: { readonly deadlineMs: number; readonly timer: Timer } | null = null;
  /** How large a record of this partition was at the last read, on average. */
  #recordBytes = 1_024;
  #fetching = false;
  /** Somebody came while another was reading. */
  #turnedAway = false;
  #closed = false;

  constructor(options: SharePartitionOptions) {
    this.#options = options;
    this.key = options.key;
    this.leaderEpoch = options.log.leaderEpoch;
  }

  get log(): SharedLog {
    return this.#options.log;
  }

  /** Whether another has taken over, or the group or the partition has gone. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether nobody has records and nobody reads: it can be made anew at any time. */
  get isIdle(): boolean {
    return !this.#fetching && this.#window.isIdle;
  }

  /** What tests and descriptions look at. */
  get window(): Pick<
    DeliveryWindow,
    "startOffset" | "nextOffset" | "inFlightCount" | "spanCount" | "batches"
  > {
    return this.#window;
  }

  /** Takes up what is persisted; NONE, or why this cannot be consumed now. */
  async initialize(): Promise<ErrorCode> {
    const { persister, log } = this.#options;
    const read = await persister.read(this.key, this.leaderEpoch);
    if (read.errorCode !== Errors.NONE) return this.#persisterError(read.errorCode);
    this.#stateEpoch = read.stateEpoch;
    if (read.startOffset >= 0) {
      this.#writtenStart = read.startOffset;
      this.#persistedStart = read.startOffset;
      this.#window = new DeliveryWindow(read.startOffset, read.stateBatches);
      this.#window.moveStart(log.logStartOffset);
      return Errors.NONE;
    }
    const resetOffset = await this.#resetOffset();
    if (resetOffset === null) return Errors.KAFKA_STORAGE_ERROR;
    // Persisted at once: after a crash "latest" must not mean a later offset, and lose records.
    this.#window = new DeliveryWindow(resetOffset);
    return await this.#write([], null);
  }

  /** Calls back when there may be something to fetch that was not before. Returns unsubscribe. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends locks and waiting; what is persisted stays. */
  close(): void {
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#timer = null;
    this.#notify();
  }

  // ---- Fetching.

  /**
   * Reads and acquires; answers nothing where there is nothing to be had, or where somebody else is
   * just reading: `onChange` calls when that ends.
   */
  async fetch(wish: ShareFetchWish): Promise<Acquired> {
    if (this.#closed) return { ...NOTHING, error: Errors.NOT_LEADER_OR_FOLLOWER };
    if (wish.maxRecords <= 0 || !this.#mayHaveMore()) return NOTHING;
    if (this.#fetching) {
      this.#turnedAway = true;
      return NOTHING;
    }
    this.#fetching = true;
    try {
      for (let reads = 0; reads < READS_MAX; reads++) {
        const before = this.#window.nextFetchOffset;
        const acquired = await this.#readOnce(wish);
        const isDone = acquired.error !== Errors.NONE || acquired.ranges.length > 0;
        if (isDone || this.#closed || this.#window.nextFetchOffset === before) return acquired;
      }
      return NOTHING;
    } finally {
      this.#fetching = false;
      if (this.#turnedAway) this.#notify();
      this.#turnedAway = false;
    }
  }

  /** Whether a read may find something for somebody; without a look at the log's bytes. */
  #mayHaveMore(): boolean {
    const { log, config } = this.#options;
    const { isolation, maxRecordLocks } = config();
    const window = this.#window;
    window.moveStart(log.logStartOffset);
    const fetchOffset = window.nextFetchOffset;
    const isFull = fetchOffset === window.nextOffset && window.inFlightCount >= maxRecordLocks;
    return !isFull && fetchOffset < log.endOffset(isolation);
  }

  async #readOnce(wish: ShareFetchWish): Promise<Acquired> {
    const { log, config } = this.#options;
    const { isolation, maxRecordLocks, deliveryCountLimit } = config();
    if (!this.#mayHaveMore()) return NOTHING;
    const window = this.#window;
    const fetchOffset = window.nextFetchOffset;
    const read = await log.read(fetchOffset, this.#readBytes(wish, maxRecordLocks), isolation);
    if (this.#closed) return { ...NOTHING, error: Errors.NOT_LEADER_OR_FOLLOWER };
    if (!read.ok) {
      // The log's start has moved in the meantime; the next look finds it.
      if (read.error === Errors.OFFSET_OUT_OF_RANGE) return NOTHING;
      return { ...NOTHING, error: read.error };
    }
    const batches = log.batches(read.records, isolation);
    if (batches === null) return { ...NOTHING, error: Errors.KAFKA_STORAGE_ERROR };
    this.#noteSize(batches, read.records.length);
    const ranges = acquire(window, {
      lock: this.#newLock(wish.memberId),
      fetchOffset,
      batches,
      maxRecords: wish.maxRecords,
      batchSize: wish.batchSize,
      recordLimit: wish.recordLimit,
      maxInFlight: maxRecordLocks,
      deliveryLimit: deliveryCountLimit,
    });
    if (ranges.length === 0) return NOTHING;
    this.#armTimer();
    return { error: Errors.NONE, records: sliceAcquired(read.records, ranges), ranges };
  }

  /** About as many bytes as the wanted records take: consumers ask for few records and many bytes. */
  #readBytes({ maxBytes, maxRecords }: ShareFetchWish, maxRecordLocks: number): number {
    const wantedBytes = Math.ceil(Math.min(maxRecords, maxRecordLocks) * this.#recordBytes);
    return Math.min(maxBytes, Math.max(READ_BYTES_MIN, wantedBytes + READ_BYTES_MIN / 2));
  }

  #noteSize(batches: readonly LogBatch[], sizeBytes: number): void {
    let count = 0;
    for (const { firstOffset, lastOffset } of batches) count += lastOffset - firstOffset + 1;
    if (count > 0) this.#recordBytes = sizeBytes / count;
  }

  // ---- Acknowledging.

  /** All or nothing; answers when it is persisted. */
  async acknowledge(
    memberId: string,
    acknowledgements: readonly Acknowledgement[],
  ): Promise<ErrorCode> {
    if (this.#closed) return Errors.NOT_LEADER_OR_FOLLOWER;
    const change: Change = { memberId };
    const renewals: Run[] = [];
    const past: StateBatch[] = [];
    for (const acknowledgement of acknowledgements) {
      for (const run of runsOf(acknowledgement)) {
        const problem = this.#acknowledgeRun(change, run, renewals);
        if (run.type !== AcknowledgeTypes.RENEW) past.push(...this.#unpersistedPast(run));
        if (problem === null) continue;
        this.#settle(change, false);
        return problem === "invalid request" ? Errors.INVALID_REQUEST : Errors.INVALID_RECORD_STATE;
      }
    }
    const lock = this.#newLock(memberId);
    for (const { first, last } of renewals) this.#window.renew(first, last, lock);
    if (renewals.length > 0) this.#armTimer();
    return await this.#persist(change, past);
  }

  /**
   * What of a run lies below the start: it is done, whoever speaks of it (`SharePartition` ignores
   * it). But what ran out for the last time, or left the log, may not be persisted yet, or never;
   * who is told that it counts must not see it delivered again after a crash.
   */
  #unpersistedPast({ first, last }: Run): StateBatch[] {
    const firstOffset = Math.max(first, this.#persistedStart);
    const lastOffset = Math.min(last, this.#window.startOffset - 1);
    if (firstOffset > lastOffset) return [];
    return [{ firstOffset, lastOffset, deliveryState: DeliveryStates.ARCHIVED, deliveryCount: 0 }];
  }

  #acknowledgeRun(change: Change, run: Run, renewals: Run[]): AcknowledgeProblem | null {
    const { first, last, type } = run;
    const problem = this.#window.acknowledgeProblem(change.memberId, first, last);
    if (problem !== null) return problem;
    if (type === AcknowledgeTypes.RENEW) renewals.push(run);
    else if (last >= this.#window.startOffset) {
      this.#window.acknowledge(change, first, last, type, this.#deliveryLimit);
    }
    return null;
  }

  /** The member is gone: others get what it had, and its deliveries do not count. */
  async release(memberId: string): Promise<ErrorCode> {
    if (this.#closed) return Errors.NOT_LEADER_OR_FOLLOWER;
    const change: Change = { memberId };
    this.#window.release(change);
    return await this.#persist(change);
  }

  async #persist(change: Change, past: readonly StateBatch[] = []): Promise<ErrorCode> {
    const batches = [...past, ...this.#window.pendingOf(change)];
    if (batches.length === 0) return Errors.NONE;
    const error = await this.#write(batches, change);
    if (!this.#closed) this.#settle(change, error === Errors.NONE);
    return error;
  }

  #settle(change: Change, persisted: boolean): void {
    this.#window.settle(change, persisted, this.#deliveryLimit);
    this.#armTimer();
    this.#notify();
  }

  /**
   * Persists batches, and the start as it will be with them. Writes may overlap: one must not move
   * the start back over what another is just writing, nor on over what may yet fail.
   */
  async #write(stateBatches: readonly StateBatch[], change: Change | null): Promise<ErrorCode> {
    const startOffset = this.#window.startAfter(change);
    const moves = startOffset > this.#writtenStart;
    if (moves) this.#writtenStart = startOffset;
    const outcome = await this.#options.persister.write(this.key, {
      stateEpoch: this.#stateEpoch,
      leaderEpoch: this.leaderEpoch,
      startOffset: moves ? startOffset : UNCHANGED,
      deliveryCompleteCount: this.#window.doneFrom(this.#writtenStart),
      stateBatches,
    });
    if (outcome.errorCode === Errors.NONE) {
      if (moves) this.#persistedStart = Math.max(this.#persistedStart, startOffset);
      return Errors.NONE;
    }
    const error = this.#persisterError(outcome.errorCode);
    if (error === Errors.NOT_LEADER_OR_FOLLOWER && !this.#closed) {
      this.close();
      this.#options.onFenced(this);
    }
    return error;
  }

  /** What a member hears of an error of the share coordinator (`SharePartition.fetchPersisterError`). */
  #persisterError(error: ErrorCode): ErrorCode {
    switch (error) {
      case Errors.NOT_COORDINATOR:
      case Errors.COORDINATOR_NOT_AVAILABLE:
      case Errors.COORDINATOR_LOAD_IN_PROGRESS:
        return Errors.COORDINATOR_NOT_AVAILABLE;
      case Errors.GROUP_ID_NOT_FOUND:
      case Errors.UNKNOWN_TOPIC_OR_PARTITION:
        return error;
      case Errors.FENCED_LEADER_EPOCH:
      case Errors.FENCED_STATE_EPOCH:
        return Errors.NOT_LEADER_OR_FOLLOWER;
      default:
        return Errors.UNKNOWN_SERVER_ERROR;
    }
  }

  // ---- Time.

  get #deliveryLimit(): number {
    return this.#options.config().deliveryCountLimit;
  }

  #newLock(memberId: string): Lock {
    const { clock, config } = this.#options;
    return { memberId, deadlineMs: clock.monotonicMs() + config().recordLockDurationMs };
  }

  /** One timer serves all locks: it runs until the first of them ends. */
  #armTimer(): void {
    if (this.#closed) return;
    const deadlineMs = this.#window.nextDeadlineMs;
    if (this.#timer !== null && this.#timer.deadlineMs <= deadlineMs) return;
    this.#timer?.timer.cancel();
    this.#timer = null;
    if (deadlineMs === Infinity) return;
    const { clock } = this.#options;
    const delayMs = Math.max(0, Math.ceil(deadlineMs - clock.monotonicMs()));
    this.#timer = { deadlineMs, timer: clock.setTimer(delayMs, () => this.#onDeadline()) };
  }

  #onDeadline(): void {
    this.#timer = null;
    const nowMs = this.#options.clock.monotonicMs();
    const expired = this.#window.expire(nowMs, this.#deliveryLimit);
    this.#armTimer();
    if (expired.length === 0) return;
    // If it is not persisted, a new leader counts a delivery less.
    void this.#write(expired, null);
    this.#notify();
  }

  /** Where a group begins that has consumed nothing; null if the disk refuses to say. */
  async #resetOffset(): Promise<number | null> {
    const { log, clock, config } = this.#options;
    const { autoOffsetReset } = config();
    switch (autoOffsetReset.kind) {
      case "earliest":
        return log.logStartOffset;
      case "latest":
        return log.endOffset("read_uncommitted");
      case "by_duration": {
        const since = clock.wallMs() - autoOffsetReset.durationMs;
        try {
          return await log.offsetForTimestamp(since) ?? log.endOffset("read_uncommitted");
        } catch (error) {
          if (!(error instanceof DiskError)) throw error;
          return null;
        }
      }
    }
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
