import { assert } from "../core/assert.ts";
import { type ErrorCode, Errors } from "../core/errors.ts";
import { deferred } from "../core/deferred.ts";
import { type Clock, DiskError } from "../core/io.ts";
import type { PartitionImage } from "../cluster/metadata-image.ts";
import {
  type FollowerFetch,
  type IsrProposal,
  type IsrSettings,
  LeaderReplicas,
} from "../cluster/replication/leader-replicas.ts";
import type { LogConfig } from "../storage/log-config.ts";
import { Traffic } from "./metrics/traffic.ts";
import { ByteProgress } from "./byte-progress.ts";
import type {
  AbortedTransaction,
  AppendOptions,
  AppendOrigin,
  AppendResult,
  LocateResult,
  PartitionLog,
  ReadResult,
} from "../storage/partition-log.ts";

/**
 * What a reader may see: what is below the high watermark, of that only what no open transaction holds
 * back, or (`log_end`: followers) everything.
 */
export type Isolation = "read_uncommitted" | "read_committed" | "log_end";

/** What a partition needs to know of its broker and the others. */
export interface PartitionSurroundings {
  readonly clock: Clock;
  readonly nodeId: number;
  /** `replica.lag.time.max.ms`. */
  replicaLagTimeMaxMs(): number;
  /** Whether the broker, as of this registration, may be in an ISR. */
  mayBeInIsr(brokerId: number, brokerEpoch: number): boolean;
  /** Asks the controller for another ISR, until the metadata say what has come of it. */
  alterIsr(partition: Partition, proposal: IsrProposal): void;
  /** A batch cannot be read that others may have. */
  onDamage?(partition: Partition, offset: number): void;
}

/** The topic's configuration, as far as a partition needs it. */
export interface PartitionConfig {
  readonly log: LogConfig;
  readonly minInsyncReplicas: number;
}

/** What an append says of its transaction. */
export type TransactionalAppend = Pick<AppendOptions, "verification" | "transactionVersion">;

/** Who leads a partition, as responses say it (KIP-951). */
export interface Leadership {
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

/** An acknowledgement that waits until the high watermark has reached `offset`. */
interface OffsetWaiter {
  readonly offset: number;
  readonly settle: (error: ErrorCode) => void;
}

const NOTHING = new Uint8Array(0);
const EMPTY_READ = (offset: number): LocateResult => ({
  ok: true,
  records: NOTHING,
  nextOffset: offset,
});
const OUT_OF_RANGE: LocateResult = { ok: false, error: Errors.OFFSET_OUT_OF_RANGE };

/**
 * One hosted partition: its log, who leads it, how far readers may see, and who waits for that to
 * move. Kafka's `kafka.cluster.Partition`.
 *
 * With one replica the high watermark is the log's durable end: the synced end under
 * `kstream.durability=fsync`, the log end under `os`. With followers `LeaderReplicas` works it out where
 * this broker leads; where it follows, the leader tells it.
 */
export class Partition {
  readonly topic: string;
  readonly topicId: string;
  readonly index: number;
  readonly #surroundings: PartitionSurroundings;
  #log: PartitionLog;
  #unsubscribe: () => void;
  /** Where the log is being moved to, once it has everything; nothing counts that it lacks. */
  #future: { readonly log: PartitionLog; readonly unsubscribe: () => void } | null = null;
  readonly #listeners = new Set<() => void>();
  #waiters: OffsetWaiter[] = [];
  /** Who waits for followers to say where their logs start. */
  readonly #startWaiters = new Set<() => void>();
  #image: PartitionImage;
  #config: PartitionConfig;
  #highWatermark: number;
  /** Where this broker leads and there are followers. */
  #followers: LeaderReplicas | null = null;
  readonly #isrSettings: IsrSettings;
  /** Where the log ended when this broker began to lead. */
  #epochStartOffset: number;
  /** Why it is closed, or null. */
  #closed: ErrorCode | null = null;
  #appending = false;
  /** While the log is cut: who waits for that, and what the metadata have said since. */
  #cutting: { readonly done: Promise<void>; image: PartitionImage | null } | null = null;
  /** Bytes below the high watermark, below the last stable offset, and all. */
  #visible: ByteProgress;
  #stable: ByteProgress;
  #writtenBytes = 0;
  /** Since it was opened. */
  readonly traffic = new Traffic();

  constructor(
    surroundings: PartitionSurroundings,
    log: PartitionLog,
    image: PartitionImage,
    config: PartitionConfig,
  ) {
    this.#surroundings = surroundings;
    this.#log = log;
    this.#config = config;
    this.topic = log.topic;
    this.topicId = log.topicId;
    this.index = log.partition;
    this.#image = image;
    this.#isrSettings = this.#makeIsrSettings();
    this.#epochStartOffset = log.logEndOffset;
    // What else is on other replicas, too, is to be heard.
    this.#highWatermark = this.#isReplicated
      ? log.highWatermark ?? log.logStartOffset
      : this.#durableEnd();
    log.highWatermark = this.#isReplicated ? this.#highWatermark : null;
    this.#visible = this.#progress();
    this.#stable = this.#progress();
    this.#unsubscribe = log.onDurable(() => this.#onDurable());
    if (this.isLeader) this.#lead();
  }

  /** Another one after the log was moved to another directory. */
  get log(): PartitionLog {
    return this.#log;
  }

  get leadership(): Leadership {
    return { leaderId: this.#image.leader, leaderEpoch: this.#image.leaderEpoch };
  }

  get leaderEpoch(): number {
    return this.#image.leaderEpoch;
  }

  get isLeader(): boolean {
    return this.#image.leader === this.#surroundings.nodeId;
  }

  /** Set once the partition goes or the broker stops; nothing is read or written after that. */
  get closed(): boolean {
    return this.#closed !== null;
  }

  /** Brokers in the committed ISR, this one among them where it leads. */
  get isr(): readonly number[] {
    return this.#image.isr;
  }

  /**
   * Whether the high watermark may be behind what an earlier leader's was: it is known when the followers
   * have all that this log had at the election (KIP-207).
   */
  get isBehindElection(): boolean {
    return this.#followers !== null && this.#highWatermark < this.#epochStartOffset;
  }

  /** Resolves when the log is not being cut; null if it is not. */
  get cutDone(): Promise<void> | null {
    return this.#cutting?.done ?? null;
  }

  get #isReplicated(): boolean {
    return this.#image.replicas.length > 1;
  }

  /** Whether its data directory has failed: nothing more becomes durable. */
  get failed(): boolean {
    return this.log.failed;
  }

  get logStartOffset(): number {
    return this.log.logStartOffset;
  }

  get logEndOffset(): number {
    return this.log.logEndOffset;
  }

  /** The end of what consumers may see and acks=all acknowledges. */
  get highWatermark(): number {
    return this.#highWatermark;
  }

  /** The end of what read_committed consumers may see: no open transaction begins below it. */
  get lastStableOffset(): number {
    const unstable = this.log.firstUnstableOffset(this.#highWatermark);
    return unstable === null ? this.#highWatermark : Math.min(unstable, this.#highWatermark);
  }

  /** Whether a transaction is open here, or its end is not below the high watermark. */
  get hasUnstable(): boolean {
    return this.log.firstUnstableOffset(this.#highWatermark) !== null;
  }

  /** Bytes that readers may see, since the partition was opened; only differences mean something. */
  visibleBytes(isolation: Isolation): number {
    switch (isolation) {
      case "read_committed":
        return this.#stable.reachedBytes;
      case "read_uncommitted":
        return this.#visible.reachedBytes;
      case "log_end":
        return this.#writtenBytes;
    }
  }

  /** The end of what a reader of this isolation may see. */
  endOffset(isolation: Isolation): number {
    switch (isolation) {
      case "read_committed":
        return this.lastStableOffset;
      case "read_uncommitted":
        return this.#highWatermark;
      case "log_end":
        return this.log.logEndOffset;
    }
  }

  /**
   * Whether this broker may answer for the partition, given the leader epoch that the client
   * believes in (−1: it does not say). FENCED_LEADER_EPOCH sends the client to fresh metadata,
   * UNKNOWN_LEADER_EPOCH makes it wait for this broker (KIP-320). KAFKA_STORAGE_ERROR once the data
   * directory has failed (KIP-112).
   */
  checkLeader(currentLeaderEpoch: number): ErrorCode {
    const error = this.checkReplica(currentLeaderEpoch);
    if (error !== Errors.NONE) return error;
    return this.isLeader ? Errors.NONE : Errors.NOT_LEADER_OR_FOLLOWER;
  }

  /** As `checkLeader`, but a follower will do (KIP-392). */
  checkReplica(currentLeaderEpoch: number): ErrorCode {
    if (this.#closed !== null) return this.#closed;
    if (this.failed) return Errors.KAFKA_STORAGE_ERROR;
    if (currentLeaderEpoch >= 0) {
      if (currentLeaderEpoch < this.leaderEpoch) return Errors.FENCED_LEADER_EPOCH;
      if (currentLeaderEpoch > this.leaderEpoch) return Errors.UNKNOWN_LEADER_EPOCH;
    }
    return Errors.NONE;
  }

  /**
   * Follows the metadata image. A change of leader fails who waits for acknowledgements. While the log is
   * cut it waits: a leader's log stays as it is.
   */
  updateImage(image: PartitionImage): void {
    if (this.#cutting !== null) {
      this.#cutting.image = image;
      return;
    }
    const before = this.#image;
    if (image === before || image.partitionEpoch < before.partitionEpoch) return;
    this.#image = image;
    const isSameLeadership = before.leader === image.leader &&
      before.leaderEpoch === image.leaderEpoch;
    if (isSameLeadership) return this.#updateReplicas();
    this.#followers = null;
    if (this.isLeader) this.#lead();
    else this.#failWaiters(Errors.NOT_LEADER_OR_FOLLOWER);
    this.#notify();
  }

  #lead(): void {
    const { logEndOffset } = this.log;
    this.#epochStartOffset = logEndOffset;
    this.#updateReplicas();
    this.#advance();
  }

  /** The same leader, and perhaps other replicas or another ISR. */
  #updateReplicas(): void {
    const { replicas } = this.#image;
    this.log.highWatermark = this.#isReplicated ? this.#highWatermark : null;
    if (!this.isLeader) return;
    if (this.#followers !== null) {
      const settings = this.#isrSettings;
      this.#followers.onCommitted(this.#image, replicas, settings, this.#nowMs());
      this.#advance();
      return;
    }
    if (replicas.length === 1) return;
    this.#followers = new LeaderReplicas(
      {
        ...this.#image,
        self: this.#surroundings.nodeId,
        epochStartOffset: this.#epochStartOffset,
        highWatermark: this.#highWatermark,
      },
      this.log.logEndOffset,
      this.#durableEnd(),
      this.#nowMs(),
    );
  }

  #nowMs(): number {
    return this.#surroundings.clock.monotonicMs();
  }

  #makeIsrSettings(): IsrSettings {
    const surroundings = this.#surroundings;
    const minInsync = () => this.#config.minInsyncReplicas;
    return {
      get lagTimeMaxMs() {
        return surroundings.replicaLagTimeMaxMs();
      },
      get minInsync() {
        return minInsync();
      },
      isEligible: (brokerId, brokerEpoch) =>
        this.#image.offline?.includes(brokerId) !== true &&
        surroundings.mayBeInIsr(brokerId, brokerEpoch),
    };
  }

  /** Whether acks=all can be kept at the moment: NONE or NOT_ENOUGH_REPLICAS. */
  checkInsync(): ErrorCode {
    const { isr, replicas } = this.#image;
    const least = Math.min(this.#config.minInsyncReplicas, replicas.length);
    return isr.length < least ? Errors.NOT_ENOUGH_REPLICAS : Errors.NONE;
  }

  /**
   * A follower has everything before its fetch. False if it is none of the replicas, or its broker has
   * begun anew since: NOT_LEADER_OR_FOLLOWER.
   */
  noteFetch(fetch: FollowerFetch): boolean {
    const moved = this.#followers?.onFetch(fetch, this.#isrSettings, this.#nowMs());
    if (moved === undefined || moved === null) return false;
    if (moved) this.#advance();
    for (const look of this.#startWaiters) look();
    this.checkIsr();
    return true;
  }

  /**
   * Settles with NONE once `lowWatermark` is at `offset` or past it; else with REQUEST_TIMED_OUT at
   * `deadlineMs` (monotonic), or with why this broker does not lead any more.
   */
  waitForStarts(
    offset: number,
    isAlive: (brokerId: number) => boolean,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<ErrorCode> {
    return new Promise((resolve) => {
      const settle = (error: ErrorCode) => {
        timer.cancel();
        signal.removeEventListener("abort", giveUp);
        this.#startWaiters.delete(look);
        resolve(error);
      };
      const giveUp = () => settle(Errors.REQUEST_TIMED_OUT);
      const look = () => {
        const error = this.checkLeader(-1);
        const isDone = error !== Errors.NONE || this.lowWatermark(isAlive) >= offset;
        if (isDone) settle(error);
      };
      const delayMs = Math.max(0, deadlineMs - this.#nowMs());
      const timer = this.#surroundings.clock.setTimer(delayMs, giveUp);
      this.#startWaiters.add(look);
      if (signal.aborted) return giveUp();
      signal.addEventListener("abort", giveUp, { once: true });
      look();
    });
  }

  /** Followers in the ISR that consumers can fetch from at `offset`, the best first (KIP-392). */
  inSyncFollowers(offset: number): readonly number[] {
    return this.#followers?.inSyncWith(offset) ?? [];
  }

  /** The least start of the log on this broker and on the others that are alive; −1: unknown yet. */
  lowWatermark(isAlive: (brokerId: number) => boolean): number {
    return Math.min(this.logStartOffset, this.#followers?.lowWatermark(isAlive) ?? Infinity);
  }

  /** Proposes the change of the ISR that is due, if any. */
  checkIsr(): void {
    // Its followers get nothing from here: they must not leave the ISR for that.
    if (this.failed) return;
    const proposal = this.#followers?.propose(this.#isrSettings, this.#nowMs());
    if (proposal !== undefined && proposal !== null) this.#surroundings.alterIsr(this, proposal);
  }

  /** Whether `cleanup.policy` is compact alone, so that records go only by their keys. */
  get isCompactOnly(): boolean {
    const { cleanupPolicy } = this.#config.log;
    return cleanupPolicy.compact && !cleanupPolicy.delete;
  }

  /** Follows a change of the topic's configuration. */
  updateConfig(config: PartitionConfig): void {
    this.#config = config;
    this.log.updateConfig(config.log);
    this.#future?.log.updateConfig(config.log);
    // Fewer in-sync replicas may be enough from now on.
    if (this.#closed === null && !this.failed) this.#advance();
  }

  /** The log is being moved to `future`, which gets each append, too; null: it stays. */
  setFuture(future: PartitionLog | null): void {
    this.#future?.unsubscribe();
    this.#future = future === null
      ? null
      : { log: future, unsubscribe: future.onDurable(() => this.#onDurable()) };
    if (this.#closed === null && !this.failed) this.#advance();
  }

  /** The log is `moved` from now on. */
  replaceLog(moved: PartitionLog): void {
    this.#unsubscribe();
    this.#log = moved;
    this.#unsubscribe = moved.onDurable(() => this.#onDurable());
    this.setFuture(null);
  }

  /** Moves the start of the log up to `offset`, which is at most the high watermark. */
  deleteRecordsBefore(offset: number): ErrorCode {
    if (offset > this.#highWatermark) return Errors.OFFSET_OUT_OF_RANGE;
    if (offset <= this.log.logStartOffset) return Errors.NONE;
    return this.log.deleteRecordsBefore(offset);
  }

  /** Appends one batch as the leader: checked, numbered and in the page cache on return. */
  append(
    records: Uint8Array,
    origin: AppendOrigin,
    transaction: TransactionalAppend = {},
  ): AppendResult {
    const error = this.checkLeader(-1);
    if (error !== Errors.NONE) {
      return { ok: false, error, message: "This broker is not the leader.", recordErrors: [] };
    }
    if (origin === "coordinator" && this.checkInsync() !== Errors.NONE) {
      const message = "Too few replicas are in sync.";
      return { ok: false, error: Errors.NOT_ENOUGH_REPLICAS, message, recordErrors: [] };
    }
    // The log may call back before it returns; the bytes have to be counted first.
    this.#appending = true;
    const { leaderEpoch } = this;
    const result = this.log.append(records, { ...transaction, leaderEpoch, origin });
    this.#appending = false;
    if (result.ok && !result.duplicate) {
      this.#noteWritten(result.lastOffset + 1, records.length);
      this.traffic.appendedRecords += result.lastOffset - result.baseOffset + 1;
      this.traffic.appendedBytes += records.length;
      // Followers read what nobody else may see yet.
      if (!this.#advance() && this.#followers !== null) this.#notify();
    }
    return result;
  }

  #noteWritten(endOffset: number, bytes: number): void {
    this.#visible.note(endOffset, bytes);
    this.#stable.note(endOffset, bytes);
    this.#writtenBytes += bytes;
  }

  /**
   * Appends a batch as it came from the leader of this epoch. The caller sees to it that it still
   * follows that leader.
   */
  appendFetched(records: Uint8Array): AppendResult {
    assert(!this.isLeader, "a leader fetches from nobody");
    this.#appending = true;
    const { leaderEpoch } = this;
    const result = this.log.append(records, { leaderEpoch, origin: "replication" });
    this.#appending = false;
    if (result.ok) {
      this.#noteWritten(result.lastOffset + 1, records.length);
      this.traffic.followedBytes += records.length;
    }
    return result;
  }

  /** What the leader says of itself: followers hold to it as far as they have the records. */
  followTo(leaderHighWatermark: number, leaderStartOffset: number): void {
    const { log } = this;
    this.#moveHighWatermark(Math.min(leaderHighWatermark, log.logEndOffset));
    const startOffset = Math.min(leaderStartOffset, this.#highWatermark);
    if (startOffset > log.logStartOffset) log.deleteRecordsBefore(startOffset);
  }

  /**
   * Cuts the log, which has what its leader has not. That is above the high watermark unless the leader
   * was elected uncleanly. Throws a `DiskError`.
   */
  async truncateTo(offset: number): Promise<void> {
    assert(!this.isLeader && this.#cutting === null, "a follower cuts its log, once at a time");
    const done = deferred<void>();
    this.#cutting = { done: done.promise, image: null };
    try {
      await this.log.truncateTo(offset);
    } finally {
      const { image } = this.#cutting;
      this.#cutting = null;
      this.#resetProgress(Math.min(this.#highWatermark, this.log.logEndOffset));
      if (image !== null && this.#closed === null) this.updateImage(image);
      done.resolve();
    }
  }

  /** The log has been begun anew, as `fresh`: its leader has nothing of what it had. */
  restartWith(fresh: PartitionLog): void {
    assert(!this.isLeader && this.#cutting === null, "a follower begins anew");
    this.replaceLog(fresh);
    this.#resetProgress(fresh.logEndOffset);
  }

  #resetProgress(highWatermark: number): void {
    this.#highWatermark = highWatermark;
    if (this.#isReplicated) this.log.highWatermark = highWatermark;
    this.#visible = this.#progress();
    this.#stable = this.#progress();
    this.#notify();
  }

  #progress(): ByteProgress {
    const { log } = this;
    const progress = new ByteProgress(this.#highWatermark);
    if (this.#highWatermark < log.logEndOffset) progress.note(log.logEndOffset, log.sizeBytes);
    return progress;
  }

  /**
   * Settles with NONE once the high watermark is at `offset` or past it: what acks=all waits for.
   * With NOT_ENOUGH_REPLICAS_AFTER_APPEND if the ISR is smaller than `min.insync.replicas` then. Else
   * with REQUEST_TIMED_OUT at `deadlineMs` (monotonic), with NOT_LEADER_OR_FOLLOWER or
   * UNKNOWN_TOPIC_OR_PARTITION if the partition goes, with KAFKA_STORAGE_ERROR if its log fails.
   */
  waitForOffset(offset: number, deadlineMs: number, signal?: AbortSignal): Promise<ErrorCode> {
    if (this.#highWatermark >= offset) return Promise.resolve(Errors.NONE);
    const error = this.checkLeader(-1);
    if (error !== Errors.NONE) return Promise.resolve(error);
    if (signal?.aborted) return Promise.resolve(Errors.REQUEST_TIMED_OUT);
    return new Promise((resolve) => {
      const giveUp = () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        settle(Errors.REQUEST_TIMED_OUT);
      };
      const settle = (error: ErrorCode) => {
        timer.cancel();
        signal?.removeEventListener("abort", giveUp);
        resolve(error);
      };
      const delayMs = Math.max(0, deadlineMs - this.#nowMs());
      const timer = this.#surroundings.clock.setTimer(delayMs, giveUp);
      signal?.addEventListener("abort", giveUp, { once: true });
      const waiter: OffsetWaiter = { offset, settle };
      this.#waiters.push(waiter);
    });
  }

  /** Calls back whenever readers may see more, or the partition closed. Returns unsubscribe. */
  onAdvance(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Whole batches from the one that holds `offset`, as far as `isolation` lets the reader see.
   * Answers at once where the page cache has the bytes, with a region of the file if they are many.
   * `minOneBatch` returns the first batch even where it alone is larger than `maxBytes`.
   */
  fetch(
    offset: number,
    maxBytes: number,
    isolation: Isolation,
    minOneBatch: boolean,
  ): LocateResult | Promise<LocateResult> {
    const log = this.log;
    if (offset < log.logStartOffset || offset > log.logEndOffset) return OUT_OF_RANGE;
    const endOffset = this.endOffset(isolation);
    if (offset >= endOffset || (maxBytes <= 0 && !minOneBatch)) return EMPTY_READ(offset);
    return log.locateCached(offset, maxBytes, endOffset, minOneBatch) ??
      log.locate(offset, maxBytes, endOffset, minOneBatch);
  }

  /** As `fetch`, into memory: for readers in this process. */
  async read(offset: number, maxBytes: number, isolation: Isolation): Promise<ReadResult> {
    const result = await this.log.read(offset, maxBytes, this.endOffset(isolation), true);
    if (!result.ok) this.noteRefusal(offset, result.error);
    return result;
  }

  /** A read at `offset` came to this error. */
  noteRefusal(offset: number, error: ErrorCode): void {
    if (error !== Errors.CORRUPT_MESSAGE || !this.#isReplicated) return;
    this.#surroundings.onDamage?.(this, offset);
  }

  /**
   * What was aborted between two offsets, for a read_committed reader to leave out; null if the
   * disk refuses to say.
   */
  abortedTransactions(offset: number, endOffset: number): readonly AbortedTransaction[] | null {
    try {
      return this.log.abortedTransactions(offset, endOffset);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return null;
    }
  }

  /** Calls the listeners back though nothing has moved: the broker stops. */
  wake(): void {
    this.#notify();
  }

  /**
   * The largest epoch up to the one asked for, and where it ended; −1 and −1 for one that is not
   * known. As in Kafka a leader's own epoch begins when it is elected, not with its first record,
   * so a consumer's position in a partition without records is valid too.
   */
  epochEndOffset(epoch: number): { readonly leaderEpoch: number; readonly endOffset: number } {
    const endOffset = this.log.logEndOffset;
    if (epoch < 0 || epoch > this.leaderEpoch) return { leaderEpoch: -1, endOffset: -1 };
    if (epoch === this.leaderEpoch) return { leaderEpoch: epoch, endOffset };
    const latest = this.log.latestEpoch();
    if (latest === null) return { leaderEpoch: epoch, endOffset };
    if (epoch >= latest) return { leaderEpoch: latest, endOffset };
    return this.log.epochEndOffset(epoch);
  }

  /** The leader epoch in which the record at `offset` was or will be written; −1 if not known. */
  epochOf(offset: number): number {
    const epoch = this.log.epochForOffset(offset);
    return epoch < 0 && offset >= this.log.logEndOffset ? this.leaderEpoch : epoch;
  }

  /**
   * Ends all waiting with the error: the topic is deleted, or the broker stops, or others have the
   * partition. The log is not touched.
   */
  close(error: ErrorCode = Errors.UNKNOWN_TOPIC_OR_PARTITION): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    this.#followers = null;
    this.#unsubscribe();
    this.#future?.unsubscribe();
    this.#failWaiters(error);
    this.#notify();
  }

  /** The end of what counts as written on this broker. */
  #durableEnd(): number {
    const { durableEndOffset } = this.log;
    return this.#future === null
      ? durableEndOffset
      : Math.min(durableEndOffset, this.#future.log.durableEndOffset);
  }

  /** The high watermark as the leader works it out; a follower has it from there. */
  #computeHighWatermark(): number {
    const followers = this.#followers;
    if (followers === null) {
      return this.#isReplicated ? this.#highWatermark : this.#durableEnd();
    }
    const { logEndOffset } = this.log;
    followers.onOwnEnd(logEndOffset, this.#durableEnd(), this.#isrSettings, this.#nowMs());
    return followers.highWatermark;
  }

  #onDurable(): void {
    if (this.#appending) return;
    if (this.failed) {
      this.#failWaiters(Errors.KAFKA_STORAGE_ERROR);
      this.#notify();
    } else {
      this.#advance();
    }
  }

  /** Whether the high watermark has moved. */
  #advance(): boolean {
    return this.#moveHighWatermark(this.#computeHighWatermark());
  }

  #moveHighWatermark(highWatermark: number): boolean {
    if (highWatermark <= this.#highWatermark) return false;
    this.#highWatermark = highWatermark;
    if (this.#isReplicated) this.log.highWatermark = highWatermark;
    this.#visible.reach(highWatermark);
    this.#stable.reach(this.lastStableOffset);
    if (this.#waiters.length > 0) this.#settleReached();
    if (this.#listeners.size > 0) this.#notify();
    return true;
  }

  #settleReached(): void {
    const still: OffsetWaiter[] = [];
    const reached: OffsetWaiter[] = [];
    for (const waiter of this.#waiters) {
      (waiter.offset <= this.#highWatermark ? reached : still).push(waiter);
    }
    this.#waiters = still;
    const isShort = this.checkInsync() !== Errors.NONE;
    const outcome = isShort ? Errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND : Errors.NONE;
    for (const waiter of reached) waiter.settle(outcome);
  }

  #failWaiters(error: ErrorCode): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.settle(error);
  }

  #notify(): void {
    // A listener may unsubscribe itself or others while it is called; a Set allows that.
    for (const listener of this.#listeners) listener();
    for (const look of this.#startWaiters) look();
  }
}
