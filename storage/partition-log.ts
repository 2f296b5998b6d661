/**
 * The log of one partition: appends, reads, offsets and what an acknowledgement may cover.
 *
 * Non-obvious:
 * - An append writes into the page cache and returns. Under `fsync`, `durableEndOffset` follows
 *   when the log's next group commit is through; nothing may be acknowledged or shown beyond it.
 * - The folder is made at the first append, so that an empty partition costs nothing.
 * - The recovery point only moves when a segment is complete and all its files are synced, or on a
 *   clean shutdown: everything below it is trusted at the next start without being read.
 * - `locateCached` finds bytes without reading them; `locate` and `read` check what an earlier
 *   process wrote.
 */
import { assert } from "../core/assert.ts";
import { type ErrorCode, Errors } from "../core/errors.ts";
import { DiskError } from "../core/io.ts";
import type { AbortedTransaction } from "./aborted-index.ts";
import type { VerificationGuard } from "./verifications.ts";
import { LogCleaning } from "./cleaner/log-cleaning.ts";
import { type AppendOptions, type AppendResult, LogAppender } from "./log-appender.ts";
import {
  type KeyedRecord,
  type KeyHistoryQuery,
  type KeyQuery,
  KeySearch,
} from "./keys/key-search.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogContext } from "./log-context.ts";
import { LogDurability } from "./log-durability.ts";
import { LogFiles, type LogIdentity } from "./log-files.ts";
import { LogState } from "./log-state.ts";
import { LogView } from "./log-view.ts";
import { PlaceHints } from "./place-hints.ts";
import type { LocateResult, ReadResult } from "./readable-log.ts";
import { LogPurges } from "./log-purges.ts";
import type { RecoveredLog } from "./recovery.ts";
import { type Damage, findDamage, mend } from "./repair.ts";
import type { ProducerStateEntry } from "./producer-state.ts";
import { expiredSegments } from "./retention.ts";
import type { SyncSteps } from "./sync-steps.ts";
import { type CutPlace, findCut, rebuildProducers } from "./truncation.ts";
import type { TimestampOffset } from "./timestamp-lookup.ts";

export type { AbortedTransaction } from "./aborted-index.ts";
export type { Damage } from "./repair.ts";
export type { VerificationGuard } from "./verifications.ts";
export type { AppendOptions, AppendOrigin, AppendResult } from "./log-appender.ts";
export type { LogIdentity } from "./log-files.ts";
export type { LocateResult, ReadResult } from "./readable-log.ts";
export {
  type KeyedRecord,
  type KeyHistoryQuery,
  KeyIndexUnfinished,
  type KeyQuery,
  KeySearchError,
} from "./keys/key-search.ts";
export type { TimestampOffset } from "./timestamp-lookup.ts";

/** See the head of this file. */
export class PartitionLog {
  private readonly state: LogState;
  private readonly files: LogFiles;
  private readonly durability: LogDurability;
  private readonly appender: LogAppender;
  private readonly view: LogView;
  /** For the cleaner of the data directory. */
  readonly cleaning: LogCleaning;
  /** Takes all records out and puts them back. */
  readonly purges: LogPurges;
  private readonly keys: KeySearch;
  private mirrorLog: PartitionLog | null = null;

  constructor(
    private readonly context: LogContext,
    identity: LogIdentity,
    config: LogConfig,
    recovered: RecoveredLog | null,
  ) {
    const state = new LogState(identity, config, recovered);
    const hints = new PlaceHints();
    const point = recovered?.recoveryPoint ?? 0;
    const snapshots = recovered?.snapshotOffsets ?? [];
    this.state = state;
    this.files = new LogFiles(context, identity, state.segments, point, snapshots);
    this.durability = new LogDurability(context, state, this.files, hints);
    this.appender = new LogAppender(context, state, this.files, this.durability);
    this.view = new LogView(context, state, hints);
    this.keys = new KeySearch(context, state, this.view);
    this.cleaning = new LogCleaning(
      context,
      state,
      this.files,
      this.view,
      () => this.stableOffset(),
    );
    const log = {
      roll: () => void this.appender.roll(state.endOffset),
      moveStart: (offset: number) => this.moveStart(offset),
      forgetPlaces: () => this.view.forgetPlaces(),
    };
    const purges = recovered?.purges ?? [];
    this.purges = new LogPurges(context, state, this.files, this.durability, log, purges);
  }

  get topic(): string {
    return this.state.identity.topic;
  }

  get topicId(): string {
    return this.state.identity.topicId;
  }

  get partition(): number {
    return this.state.identity.partition;
  }

  /** The topic's configuration, as far as it concerns the log. */
  get config(): LogConfig {
    return this.state.config;
  }

  /** `topic-partition`, as the folder is named. */
  get name(): string {
    return this.state.name;
  }

  /** The first offset that may be read. */
  get logStartOffset(): number {
    return this.state.startOffset;
  }

  /** The next offset to be assigned. */
  get logEndOffset(): number {
    return this.state.endOffset;
  }

  /** Up to where an acknowledgement may go: the synced end under `fsync`, the log end under `os`. */
  get durableEndOffset(): number {
    return this.durability.durableEndOffset;
  }

  /** Everything below is trusted at the next start without being read. */
  get recoveryPoint(): number {
    return this.files.recoveryPoint;
  }

  /** Whether the data directory has failed: nothing more becomes durable. */
  get failed(): boolean {
    return this.context.failure() !== null;
  }

  /**
   * Below it everything is on all replicas that count; null for a log that is not replicated. Nothing
   * above it is cleaned or given up. Whoever hosts the partition sets it.
   */
  get highWatermark(): number | null {
    return this.state.highWatermark;
  }

  set highWatermark(offset: number | null) {
    this.state.highWatermark = offset;
  }

  /** What a checkpoint says of it: the log may have lost its end since. */
  restoreHighWatermark(offset: number): void {
    const { startOffset, endOffset } = this.state;
    this.highWatermark = Math.max(startOffset, Math.min(offset, endOffset));
  }

  /** Up to where the log has been cleaned; null if it never was. */
  get cleanedTo(): number | null {
    return this.state.cleanedTo;
  }

  /** Bytes of all record batches on disk. */
  get sizeBytes(): number {
    return this.state.segments.sizeBytes;
  }

  /** How many segments there are. */
  get segmentCount(): number {
    return this.state.segments.count;
  }

  /** Validates, assigns offsets, writes into the page cache. All or nothing. */
  append(records: Uint8Array, options: AppendOptions): AppendResult {
    return this.appender.append(records, options);
  }

  /** Calls back when `durableEndOffset` has moved, or the log failed. Returns how to unsubscribe. */
  onDurable(listener: () => void): () => void {
    return this.durability.onDurable(listener);
  }

  /**
   * Whole batches from the one that holds `offset`, of at most `maxBytes` (the first one of any
   * size with `minOneBatch`) and below `endOffset`, as a region of a file where they are many. Null
   * if this process has not written them or the page cache lacks them: `locate` finds them then.
   */
  locateCached(
    offset: number,
    maxBytes: number,
    endOffset: number,
    minOneBatch: boolean,
  ): LocateResult | null {
    return this.view.locateCached({ offset, maxBytes, endOffset, minOneBatch });
  }

  /** As `locateCached`, after a look at every byte, which brings them into the page cache. */
  locate(
    offset: number,
    maxBytes: number,
    endOffset: number,
    minOneBatch: boolean,
  ): Promise<LocateResult> {
    return this.view.locate({ offset, maxBytes, endOffset, minOneBatch });
  }

  /** As `locate`, into memory. */
  read(
    offset: number,
    maxBytes: number,
    endOffset: number,
    minOneBatch: boolean,
  ): Promise<ReadResult> {
    return this.view.read({ offset, maxBytes, endOffset, minOneBatch });
  }

  /** The first record whose timestamp is at or after `timestampMs`, or null. */
  offsetForTimestamp(timestampMs: number): Promise<TimestampOffset | null> {
    return this.view.offsetForTimestamp(timestampMs);
  }

  /** The first record with the largest timestamp of all, or null. */
  maxTimestamp(): Promise<TimestampOffset | null> {
    return this.view.maxTimestamp();
  }

  /** As `KeySearch.latest`. */
  latestOfKey(query: KeyQuery): Promise<KeyedRecord | null> {
    return this.keys.latest(query);
  }

  /** As `KeySearch.history`. */
  historyOfKey(
    query: KeyHistoryQuery,
  ): Promise<{ records: KeyedRecord[]; nextOffset: number | null }> {
    return this.keys.history(query);
  }

  /** The epoch of the last batch, or null. */
  latestEpoch(): number | null {
    return this.state.epochs.latest();
  }

  /** As Kafka's OffsetForLeaderEpoch: the largest epoch up to `leaderEpoch` and its end offset. */
  epochEndOffset(leaderEpoch: number): { leaderEpoch: number; endOffset: number } {
    return this.state.epochs.endOffsetFor(leaderEpoch, this.state.endOffset);
  }

  /** The epoch in which `offset` was written, −1 if unknown. */
  epochForOffset(offset: number): number {
    return this.state.epochs.epochFor(offset);
  }

  /** Moves the log start up to `offset`; whole segments below it go. */
  deleteRecordsBefore(offset: number): ErrorCode {
    const { state } = this;
    if (state.isClosed || this.failed) return Errors.KAFKA_STORAGE_ERROR;
    if (offset > state.endOffset || offset < 0) return Errors.OFFSET_OUT_OF_RANGE;
    if (offset <= state.startOffset) return Errors.NONE;
    this.moveStart(offset);
    return this.cleanUp() ? Errors.NONE : Errors.KAFKA_STORAGE_ERROR;
  }

  /**
   * Drops the batch that holds `offset` and everything behind it, damage as if it were a batch; the log
   * then starts no later than it ends. Appends are refused until it is done. Throws a `DiskError`: either
   * nothing has changed then, or the directory has failed.
   */
  async truncateTo(offset: number): Promise<void> {
    const { files, state, view } = this;
    if (offset >= state.endOffset) return;
    assert(offset >= state.startOffset, "a log is not cut below its start");
    assert(state.phase === "open", "an open log is cut, once at a time");
    state.phase = "cutting";
    let hasBegun = false;
    try {
      const cut = await findCut(state.segments, view.reader, offset, !state.hasGaps);
      if (state.isClosed) return;
      files.forgetAbove(cut.offset);
      hasBegun = true;
      await this.cut(cut);
    } catch (error) {
      const isHalfDone = hasBegun && error instanceof DiskError && !state.isClosed;
      if (isHalfDone) this.context.fail(error);
      throw error;
    } finally {
      if (state.phase === "cutting") state.phase = "open";
    }
    this.durability.notify();
  }

  private async cut(cut: CutPlace): Promise<void> {
    const { context, files, state, view } = this;
    this.mirrorTo(null);
    this.startGeneration();
    state.endOffset = cut.offset;
    state.startOffset = Math.min(state.startOffset, cut.offset);
    if (state.highWatermark !== null) {
      state.highWatermark = Math.min(state.highWatermark, cut.offset);
    }
    state.trustedEnd = Math.min(state.trustedEnd, cut.offset);
    state.epochs.truncateFromEnd(cut.offset);
    this.durability.noteCut(cut.offset);
    if (state.cleanedTo !== null) state.cleanedTo = Math.min(state.cleanedTo, cut.offset);
    const { indexIntervalBytes } = state.config;
    const indexing = { dense: !state.hasGaps, indexIntervalBytes };
    await files.truncate(cut.segment, cut.position, cut.offset, indexing);
    // A commit that ran meanwhile has noted places in the longer file.
    this.startGeneration();
    await files.tryWriteEpochs(state.epochs);
    await rebuildProducers(context, files, state.segments, view.reader, state.producers);
  }

  /** As `findDamage` in `repair.ts`. */
  findDamage(offset: number): Promise<Damage | null> {
    return findDamage(this.state, this.view.reader, offset);
  }

  /** As `mend` in `repair.ts`. */
  mend(damage: Damage, records: Uint8Array): Promise<boolean> {
    return mend(this.context, this.state, damage, records);
  }

  /** Gives a log its topic id whose `partition.metadata` was damaged. Throws a `DiskError`. */
  adopt(topicId: string): void {
    assert(this.topicId === "", "a topic id is never changed");
    this.state.identity = { ...this.state.identity, topicId };
    this.files.writeMetadata(topicId);
  }

  /**
   * Makes the folder of a new log that begins at `offset`, as a copy of one that has been cleaned up
   * to `cleanedTo`. Throws a `DiskError`.
   */
  beginAt(offset: number, cleanedTo: number | null): void {
    const { state } = this;
    assert(state.segments.count === 0, "only a new log can begin anywhere");
    state.startOffset = offset;
    state.endOffset = offset;
    state.trustedEnd = offset;
    state.cleanedTo = cleanedTo;
    this.files.addFirst(offset, state.config);
  }

  /** Counts the cuts: what was copied before one may not be what is there now. */
  get generation(): number {
    return this.state.generation;
  }

  /** Whether it is being copied to another directory: the cleaner then leaves it alone. */
  set isMoving(isMoving: boolean) {
    this.state.isMoving = isMoving;
  }

  /** The log that each append goes to as well; null if there is none, or it has failed to take one. */
  get mirror(): PartitionLog | null {
    return this.mirrorLog;
  }

  /** Has each append go to `future`, too, which is equal so far; null ends that. */
  mirrorTo(future: PartitionLog | null): void {
    assert(future === null || future.logEndOffset === this.logEndOffset, "a mirror is equal");
    this.mirrorLog = future;
    this.state.mirror = future === null ? null : (batch) => {
      const appended = future.append(batch, { leaderEpoch: -1, origin: "replication" });
      if (!appended.ok) this.mirrorTo(null);
    };
    if (future === null) return;
    future.moveStart(this.logStartOffset);
    // While it was copied, a cleaning that had begun before may have gone on.
    if (this.cleanedTo !== null) future.state.cleanedTo ??= future.logStartOffset;
  }

  /** Takes over from the log that this one mirrors: what is not in the batches comes along. */
  succeed(source: PartitionLog): void {
    assert(source.mirror === this, "only a mirror has everything");
    source.mirrorTo(null);
    this.state.producers = source.state.producers;
    this.highWatermark = source.highWatermark;
    this.updateConfig(source.config);
    this.moveStart(source.logStartOffset);
  }

  /** Takes a changed topic configuration. */
  updateConfig(config: LogConfig): void {
    this.durability.changeConfig(config);
  }

  /** Resolves when everything appended so far is on stable storage, or the directory has failed. */
  flush(): Promise<void> {
    return this.durability.flush();
  }

  /** The producers that idempotence knows of. */
  producers(): Iterable<ProducerStateEntry> {
    return this.state.producers.entries();
  }

  /**
   * The first offset that a transaction holds back from readers of what is committed: one that is
   * open, or whose end is not below the high watermark. Null if none does.
   */
  firstUnstableOffset(highWatermark: number): number | null {
    const first = this.state.producers.firstUnstableOffset(highWatermark);
    return first === null ? null : Math.max(first, this.state.startOffset);
  }

  /** What was aborted between two offsets, for readers to leave out. Throws a `DiskError`. */
  abortedTransactions(offset: number, endOffset: number): AbortedTransaction[] {
    return this.view.abortedTransactions(offset, endOffset);
  }

  /**
   * Begins to ask whether the producer's transaction includes this partition (KIP-890): the batch
   * is appended with the guard. Null if the transaction is open here and nobody has to ask.
   */
  startVerification(
    producerId: number,
    producerEpoch: number,
    baseSequence: number,
  ): VerificationGuard | null {
    const nowMs = this.context.io.clock.wallMs();
    return this.state.producers.startVerification(producerId, producerEpoch, baseSequence, nowMs);
  }

  /** What has to be done now and then: retention, age of segments, producers, `flush.ms`. */
  maintain(): void {
    if (this.state.isClosed || this.failed) return;
    const nowMs = this.context.io.clock.wallMs();
    this.state.producers.expire(nowMs, this.context.producerIdExpirationMs);
    this.cleanUp();
  }

  /** Syncs if `flush.ms` has passed since the oldest record that is not synced. */
  flushIfDue(): void {
    this.durability.flushIfDue();
  }

  /** Writes everything out, so that the next start needs no recovery. Throws a `DiskError`. */
  async *close(): SyncSteps<void> {
    const { state } = this;
    if (state.isClosed) return;
    state.phase = "closed";
    if (!this.failed) yield* this.files.seal(state);
    this.files.closeFiles();
    this.durability.notify();
  }

  /** Renames the folder away; the files go after `file.delete.delay.ms`. Throws a `DiskError`. */
  remove(): void {
    const { state } = this;
    if (state.isClosed) return;
    state.phase = "removed";
    state.generation++;
    this.files.removeDir(state.config.fileDeleteDelayMs);
    this.durability.notify();
  }

  /** As `remove`, but the folder is kept at `path`, unless the disk refuses that. */
  removeTo(path: string): void {
    const { state } = this;
    if (state.isClosed) return;
    state.phase = "removed";
    state.generation++;
    try {
      this.files.moveDir(path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.files.removeDir(state.config.fileDeleteDelayMs);
    }
    this.durability.notify();
  }

  /** Called by the data directory when it has failed. */
  notifyFailed(): void {
    this.durability.notify();
  }

  /** What was read or synced before a cut does not speak of the log behind it. */
  private startGeneration(): void {
    this.state.generation++;
    this.view.forgetPlaces();
  }

  /** Up to where the log is complete, durable and decided. */
  private stableOffset(): number {
    // With one replica, what is durable is committed.
    const committed = this.highWatermark ?? Infinity;
    const durable = Math.min(this.recoveryPoint, this.durableEndOffset, committed);
    return Math.min(durable, this.firstUnstableOffset(durable) ?? durable);
  }

  /** Removes what retention no longer keeps. False if the disk refused. */
  private cleanUp(): boolean {
    const { state, files } = this;
    const log = {
      logStartOffset: state.startOffset,
      logEndOffset: state.endOffset,
      durableEndOffset: Math.min(this.durableEndOffset, this.highWatermark ?? Infinity),
      recoveryPoint: this.recoveryPoint,
      nowMs: this.context.io.clock.wallMs(),
    };
    try {
      let count = expiredSegments(files.facts(), state.config, log);
      if (count > 0 && count === state.segments.count) {
        // The active one goes with a later run, once its successor is durable.
        this.appender.roll(state.endOffset);
        count--;
      }
      if (count === 0) return true;
      const next = state.segments.at(count)!.baseOffset;
      this.moveStart(Math.max(next, state.startOffset));
      files.removeFirst(count, state.config.fileDeleteDelayMs);
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.context.logger.error("cannot clean up a log", { log: this.name, why: error.message });
      return false;
    }
  }

  private moveStart(offset: number): void {
    if (offset <= this.state.startOffset) return;
    this.state.startOffset = offset;
    this.state.epochs.truncateFromStart(offset);
    this.context.checkpointLater();
  }
}
