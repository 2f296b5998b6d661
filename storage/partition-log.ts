/**
 * The log of one partition: appends, reads, offsets and what an acknowledgement may cover.
 *
 * Non-obvious:
 * - An append writes into the page cache and returns. Under `fsync`, `durableEndOffset` follows
 *   when the log's next group commit is through; nothing may be acknowledged or shown beyond it.
 * - The folder is made at the first append, so that an empty partition costs nothing.
 * - The recovery point only moves when a segment is complete and all its files are synced, or on a
 *   clean shutdown: everything below it is trusted at the next start without being read.
 * - `locate` finds bytes without reading them; `read` reads, and checks what an earlier process wrote.
 */
import { assert } from "../core/assert.ts";
import { type ErrorCode, Errors } from "../core/errors.ts";
import { type Chunk, DiskError } from "../core/io.ts";
import {
  baseOffset,
  batchSizeAt,
  batchSizeBytes,
  lastOffset,
  lastOffsetDelta,
  maxTimestamp,
  partitionLeaderEpoch,
  setBaseOffset,
  setLogAppendTime,
  setPartitionLeaderEpoch,
} from "../core/records/batch-header.ts";
import { CorruptRecordError } from "../core/records/corrupt-record-error.ts";
import { type BatchRules, validateProduceBatch } from "../core/records/validate.ts";
import type { Committable } from "./commit-scheduler.ts";
import { LeaderEpochs } from "./leader-epochs.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogContext } from "./log-context.ts";
import { LogFiles, type LogIdentity } from "./log-files.ts";
import { LogReader, type ReadResult } from "./log-reader.ts";
import { partitionDirName } from "./names.ts";
import { PlaceHints } from "./place-hints.ts";
import { RegionFinder } from "./region-finder.ts";
import type { RecoveredLog } from "./recovery.ts";
import { type ProducerStateEntry, ProducerStates } from "./producer-state.ts";
import { expiredSegments, shouldRoll } from "./retention.ts";
import type { Segment } from "./segment.ts";
import { SegmentList } from "./segment-list.ts";
import { findCut, rebuildProducers } from "./truncation.ts";
import { findMaxTimestamp, findTimestamp, type TimestampOffset } from "./timestamp-lookup.ts";

export type { LogIdentity } from "./log-files.ts";
export type { ReadResult } from "./log-reader.ts";

/** As `ReadResult`, where the records may still be in their file. */
export type LocateResult =
  | ReadResult
  | {
    readonly ok: true;
    readonly records: Chunk;
    readonly nextOffset: number;
    readonly release?: undefined;
  };
export type { TimestampOffset } from "./timestamp-lookup.ts";

/**
 * Who appends. `client`: validated as Kafka's LogValidator does, sequences checked. `coordinator`:
 * the broker's own batch. `replication`: batches with the offsets and epochs of the leader.
 */
export type AppendOrigin = "client" | "coordinator" | "replication";

/** The outcome of an append; on an error nothing has changed. */
export type AppendResult =
  | {
    readonly ok: true;
    readonly baseOffset: number;
    readonly lastOffset: number;
    /** Wall time of the append with LogAppendTime, else −1. */
    readonly logAppendTimeMs: number;
    /** The batch had been appended before, and the offsets are those of then. */
    readonly duplicate: boolean;
  }
  | {
    readonly ok: false;
    readonly error: ErrorCode;
    readonly message: string;
    readonly recordErrors: readonly { readonly index: number; readonly message: string }[];
  };

/** See the head of this file. */
export class PartitionLog implements Committable {
  private readonly segments: SegmentList;
  private readonly epochs: LeaderEpochs;
  private readonly producerStates: ProducerStates;
  private readonly hints = new PlaceHints();
  private readonly finder: RegionFinder;
  private readonly reader: LogReader;
  private readonly files: LogFiles;
  private readonly listeners = new Set<() => void>();
  private startOffset: number;
  private endOffset: number;
  private syncedEndOffset: number;
  /** What was acknowledged before the durability became `fsync` is not taken back. */
  private acknowledgedUnderOs = 0;
  private unsyncedRecords = 0;
  private unsyncedSinceMs = 0;
  /** Counts truncations, so that what began before one does not speak of what came after. */
  private generation = 0;
  private isClosed = false;
  private isRemoved = false;
  private isTruncating = false;
  /** Offsets from here on were written by this process. */
  private trustedEnd: number;
  private waiters: (() => void)[] = [];

  constructor(
    private readonly context: LogContext,
    private identity: LogIdentity,
    private config: LogConfig,
    recovered: RecoveredLog | null,
  ) {
    this.segments = new SegmentList(recovered?.segments ?? []);
    this.epochs = recovered?.epochs ?? new LeaderEpochs([]);
    this.producerStates = recovered?.producers ?? new ProducerStates();
    this.startOffset = recovered?.logStartOffset ?? 0;
    this.endOffset = recovered?.logEndOffset ?? 0;
    this.syncedEndOffset = this.endOffset;
    this.trustedEnd = this.endOffset;
    const point = recovered?.recoveryPoint ?? 0;
    const snapshots = recovered?.snapshotOffsets ?? [];
    this.files = new LogFiles(context, identity, this.segments, point, snapshots);
    const { segments } = this;
    const trustedFrom = () => this.trustedEnd;
    const hasGaps = () => this.config.cleanupPolicy.compact;
    const readable = { segments, trustedFrom, hasGaps };
    this.reader = new LogReader(readable, context.files, context.buffers, this.hints);
    this.finder = new RegionFinder(readable, context.files, this.hints);
  }

  get topic(): string {
    return this.identity.topic;
  }

  get topicId(): string {
    return this.identity.topicId;
  }

  get partition(): number {
    return this.identity.partition;
  }

  /** `topic-partition`, as the folder is named. */
  get name(): string {
    return partitionDirName(this.topic, this.partition);
  }

  /** The first offset that may be read. */
  get logStartOffset(): number {
    return this.startOffset;
  }

  /** The next offset to be assigned. */
  get logEndOffset(): number {
    return this.endOffset;
  }

  /** Up to where an acknowledgement may go: the synced end under `fsync`, the log end under `os`. */
  get durableEndOffset(): number {
    if (!this.acknowledgesSynced) return this.endOffset;
    return Math.max(this.syncedEndOffset, this.acknowledgedUnderOs);
  }

  /** Everything below is trusted at the next start without being read. */
  get recoveryPoint(): number {
    return this.files.recoveryPoint;
  }

  /** Whether the data directory has failed: nothing more becomes durable. */
  get failed(): boolean {
    return this.context.failure() !== null;
  }

  /** Bytes of all record batches on disk. */
  get sizeBytes(): number {
    return this.segments.sizeBytes;
  }

  /** How many segments there are. */
  get segmentCount(): number {
    return this.segments.count;
  }

  /** Validates, assigns offsets, writes into the page cache. All or nothing. */
  append(
    records: Uint8Array,
    options: { leaderEpoch: number; origin: AppendOrigin },
  ): AppendResult {
    const obstacle = this.obstacle();
    if (obstacle !== null) return refused(Errors.KAFKA_STORAGE_ERROR, obstacle);
    if (options.origin === "replication") return this.appendReplicated(records);
    const nowMs = this.context.io.clock.wallMs();
    let bytes = records;
    if (options.origin === "client") {
      const verdict = validateProduceBatch(records, this.rules(), nowMs, this.context.codecs);
      if (!verdict.ok) return verdict;
      if (verdict.sizeBytes < records.length) bytes = records.subarray(0, verdict.sizeBytes);
      const answer = this.checkSequence(bytes);
      if (answer !== null) return answer;
    }
    if (bytes.length > this.config.segmentBytes) {
      return refused(
        Errors.RECORD_LIST_TOO_LARGE,
        `the batch has ${bytes.length} bytes, a segment holds ${this.config.segmentBytes}`,
      );
    }
    const usesAppendTime = this.config.messageTimestampType === "LogAppendTime";
    if (usesAppendTime) setLogAppendTime(bytes, 0, nowMs);
    const base = this.endOffset;
    setBaseOffset(bytes, 0, base);
    setPartitionLeaderEpoch(bytes, 0, options.leaderEpoch);
    const error = this.write(bytes, nowMs);
    if (error !== null) return error;
    return {
      ok: true,
      baseOffset: base,
      lastOffset: this.endOffset - 1,
      logAppendTimeMs: usesAppendTime ? nowMs : -1,
      duplicate: false,
    };
  }

  /** Calls back when `durableEndOffset` has moved, or the log failed. Returns how to unsubscribe. */
  onDurable(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /**
   * Whole batches from the one that holds `offset`, of at most `maxBytes` (the first one of any
   * size with `minOneBatch`) and below `endOffset`, as a region of a file where they are many; null
   * if `read` has to be awaited for them.
   */
  locate(
    offset: number,
    maxBytes: number,
    endOffset: number,
    minOneBatch: boolean,
  ): LocateResult | null {
    const edge = this.checkRange(offset, endOffset);
    if (edge !== null) return edge;
    try {
      const range = { offset, maxBytes, endOffset, minOneBatch };
      const found = this.finder.find(range, this.endOffset);
      return found === null ? null : { ok: true, ...found };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return null; // `read` says what is wrong
    }
  }

  /** As `locate`, into memory. */
  async read(
    offset: number,
    maxBytes: number,
    endOffset: number,
    minOneBatch: boolean,
  ): Promise<ReadResult> {
    const edge = this.checkRange(offset, endOffset);
    if (edge !== null) return edge;
    const { generation } = this;
    try {
      const result = await this.reader.read({ offset, maxBytes, endOffset, minOneBatch });
      // A truncation or a retention run may have pulled the file away under the read.
      if (generation === this.generation && offset >= this.startOffset) return result;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (generation === this.generation && offset >= this.startOffset) {
        this.context.logger.error("cannot read a log", {
          log: this.name,
          offset,
          why: error.message,
        });
        return { ok: false, error: Errors.KAFKA_STORAGE_ERROR };
      }
    }
    return this.checkRange(offset, endOffset) ?? { ok: false, error: Errors.KAFKA_STORAGE_ERROR };
  }

  /** The first record whose timestamp is at or after `timestampMs`, or null. */
  offsetForTimestamp(timestampMs: number): Promise<TimestampOffset | null> {
    return findTimestamp(this.lookup(), timestampMs);
  }

  /** The first record with the largest timestamp of all, or null. */
  maxTimestamp(): Promise<TimestampOffset | null> {
    return findMaxTimestamp(this.lookup());
  }

  /** The epoch of the last batch, or null. */
  latestEpoch(): number | null {
    return this.epochs.latest();
  }

  /** As Kafka's OffsetForLeaderEpoch: the largest epoch up to `leaderEpoch` and its end offset. */
  epochEndOffset(leaderEpoch: number): { leaderEpoch: number; endOffset: number } {
    return this.epochs.endOffsetFor(leaderEpoch, this.endOffset);
  }

  /** The epoch in which `offset` was written, −1 if unknown. */
  epochForOffset(offset: number): number {
    return this.epochs.epochFor(offset);
  }

  /** Moves the log start up to `offset`; whole segments below it go. */
  deleteRecordsBefore(offset: number): ErrorCode {
    if (this.isClosed || this.context.failure() !== null) return Errors.KAFKA_STORAGE_ERROR;
    if (offset > this.endOffset || offset < 0) return Errors.OFFSET_OUT_OF_RANGE;
    if (offset <= this.startOffset) return Errors.NONE;
    this.moveStart(offset);
    return this.cleanUp() ? Errors.NONE : Errors.KAFKA_STORAGE_ERROR;
  }

  /**
   * Drops the batch that holds `offset` and everything behind it. Appends are refused until it is
   * done. Throws a `DiskError`, after which the log has to be opened anew.
   */
  async truncateTo(offset: number): Promise<void> {
    if (offset >= this.endOffset) return;
    assert(offset >= this.startOffset, "a log is not cut below its start");
    assert(!this.isTruncating, "a log is cut once at a time");
    this.isTruncating = true;
    try {
      const cut = await findCut(this.segments, this.reader, offset);
      this.generation++;
      this.hints.clear();
      this.finder.reset();
      this.endOffset = cut.offset;
      this.syncedEndOffset = Math.min(this.syncedEndOffset, cut.offset);
      this.acknowledgedUnderOs = Math.min(this.acknowledgedUnderOs, cut.offset);
      this.trustedEnd = Math.min(this.trustedEnd, cut.offset);
      this.epochs.truncateFromEnd(cut.offset);
      await this.files.truncate(cut.segment, cut.position, cut.offset, this.config);
      // A commit that ran meanwhile has noted places in the longer file.
      this.generation++;
      this.hints.clear();
      this.finder.reset();
      await this.files.writeEpochs(this.epochs);
      const { context, files, segments, reader, producerStates } = this;
      await rebuildProducers(context, files, segments, reader, producerStates);
    } finally {
      this.isTruncating = false;
    }
    this.notify();
  }

  /** Gives a log its topic id whose `partition.metadata` was damaged. Throws a `DiskError`. */
  adopt(topicId: string): void {
    assert(this.identity.topicId === "", "a topic id is never changed");
    this.identity = { ...this.identity, topicId };
    this.files.writeMetadata(topicId);
  }

  /** Takes a changed topic configuration. */
  updateConfig(config: LogConfig): void {
    if (!this.acknowledgesSynced) this.acknowledgedUnderOs = this.endOffset;
    this.config = config;
    if (this.unsyncedRecords > 0 && this.acknowledgesSynced) this.requestCommit();
  }

  /** Resolves when everything appended so far is on stable storage, or the directory has failed. */
  async flush(): Promise<void> {
    const target = this.endOffset;
    while (!this.isClosed && this.syncedEndOffset < Math.min(target, this.endOffset)) {
      if (this.context.failure() !== null) return;
      this.requestCommit();
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  /** The producers that idempotence knows of. */
  producers(): Iterable<ProducerStateEntry> {
    return this.producerStates.entries();
  }

  /** What has to be done now and then: retention, age of segments, producers, `flush.ms`. */
  maintain(): void {
    if (this.isClosed || this.context.failure() !== null) return;
    const nowMs = this.context.io.clock.wallMs();
    this.producerStates.expire(nowMs, this.context.producerIdExpirationMs);
    this.cleanUp();
  }

  /** Syncs if `flush.ms` has passed since the oldest record that is not synced. */
  flushIfDue(): void {
    if (this.unsyncedRecords === 0) return;
    const waitedMs = this.context.io.clock.monotonicMs() - this.unsyncedSinceMs;
    if (waitedMs >= this.config.flushMs) this.requestCommit();
  }

  /** The commit scheduler calls this: syncs what has been written before. */
  async commit(): Promise<void> {
    if (!this.isClosed && this.context.failure() === null) {
      const { generation, endOffset: target } = this;
      const { active } = this.segments;
      const endPosition = active?.sizeBytes ?? 0;
      this.unsyncedRecords = 0;
      try {
        const moved = await this.files.sync(this.epochs);
        if (generation === this.generation) {
          this.syncedEndOffset = Math.max(this.syncedEndOffset, target);
          // Consumers read up to here: they find the place without a look at the index.
          if (active !== null) this.hints.note(target, active.baseOffset, endPosition);
        }
        if (moved) this.context.checkpointLater();
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        if (!this.isRemoved) this.context.fail(error);
      }
    }
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter();
    this.notify();
  }

  /** Writes everything out, so that the next start needs no recovery. Throws a `DiskError`. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.context.failure() === null) {
      await this.files.seal(this.endOffset, this.producerStates, this.epochs);
    }
    this.files.closeFiles();
    this.notify();
  }

  /** Renames the folder away; the files go after `file.delete.delay.ms`. Throws a `DiskError`. */
  remove(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isRemoved = true;
    this.generation++;
    this.files.removeDir(this.config.fileDeleteDelayMs);
    this.notify();
  }

  /** Called by the data directory when it has failed. */
  notifyFailed(): void {
    this.notify();
  }

  /** Why nothing can be appended, or null. */
  private obstacle(): string | null {
    if (this.isClosed) return "the log is closed";
    if (this.isTruncating) return "the log is being cut";
    return this.context.failure()?.message ?? null;
  }

  private get acknowledgesSynced(): boolean {
    return this.config.durability === "fsync" || this.config.flushMessages <= 1;
  }

  private rules(): BatchRules {
    const { config } = this;
    return {
      maxBatchBytes: config.maxMessageBytes,
      timestampType: config.messageTimestampType,
      timestampBeforeMaxMs: config.messageTimestampBeforeMaxMs,
      timestampAfterMaxMs: config.messageTimestampAfterMaxMs,
      requireKeys: config.cleanupPolicy.compact,
    };
  }

  private checkSequence(bytes: Uint8Array): AppendResult | null {
    const verdict = this.producerStates.check(bytes, 0);
    switch (verdict.kind) {
      case "append":
        return null;
      case "refused":
        return refused(verdict.error, verdict.message);
      case "duplicate":
        return {
          ok: true,
          baseOffset: verdict.baseOffset,
          lastOffset: verdict.lastOffset,
          logAppendTimeMs: this.config.messageTimestampType === "LogAppendTime"
            ? verdict.timestampMs
            : -1,
          duplicate: true,
        };
    }
  }

  /** Batches that have their offsets: all have to be whole and to follow the log's end. */
  private appendReplicated(records: Uint8Array): AppendResult {
    const nowMs = this.context.io.clock.wallMs();
    const first = this.endOffset;
    try {
      for (let at = 0; at < records.length;) {
        const size = batchSizeAt(records, at);
        if (size === 0) break;
        if (baseOffset(records, at) < this.endOffset) {
          return refused(Errors.CORRUPT_MESSAGE, `offset ${baseOffset(records, at)} is taken`);
        }
        const error = this.write(records.subarray(at, at + size), nowMs);
        if (error !== null) return error;
        at += size;
      }
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      return refused(error.code, error.message);
    }
    return {
      ok: true,
      baseOffset: first,
      lastOffset: this.endOffset - 1,
      logAppendTimeMs: -1,
      duplicate: false,
    };
  }

  /** Writes one batch whose offsets are set. Null if it went well. */
  private write(bytes: Uint8Array, nowMs: number): AppendResult | null {
    const facts = {
      sizeBytes: batchSizeBytes(bytes, 0),
      baseOffset: baseOffset(bytes, 0),
      lastOffset: lastOffset(bytes, 0),
      maxTimestampMs: maxTimestamp(bytes, 0),
    };
    assert(facts.sizeBytes === bytes.length, "one whole batch is written at a time");
    assert(facts.baseOffset >= this.endOffset, "offsets ascend");
    try {
      const segment = this.segmentFor(facts, nowMs);
      segment.append(bytes, facts, this.config.indexIntervalBytes);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.context.logger.error("cannot append to a log", { log: this.name, why: error.message });
      return refused(Errors.KAFKA_STORAGE_ERROR, `cannot write to the log: ${error.code}`);
    }
    this.epochs.assign(partitionLeaderEpoch(bytes, 0), facts.baseOffset);
    this.producerStates.update(bytes, 0, nowMs);
    this.endOffset = facts.lastOffset + 1;
    this.noteUnsynced(lastOffsetDelta(bytes, 0) + 1);
    return null;
  }

  private noteUnsynced(records: number): void {
    if (this.unsyncedRecords === 0) this.unsyncedSinceMs = this.context.io.clock.monotonicMs();
    this.unsyncedRecords += records;
    if (this.acknowledgesSynced || this.unsyncedRecords >= this.config.flushMessages) {
      this.requestCommit();
    }
    if (!this.acknowledgesSynced) this.notify();
  }

  /** The active segment, rolled if the batch does not fit. Throws a `DiskError`. */
  private segmentFor(
    facts: { sizeBytes: number; baseOffset: number; lastOffset: number; maxTimestampMs: number },
    nowMs: number,
  ): Segment {
    const { active } = this.segments;
    if (active === null) return this.files.addFirst(facts.baseOffset, this.config);
    const indexBytes = Math.max(active.offsetIndex.sizeBytes, active.timeIndex.sizeBytes);
    const state = {
      sizeBytes: active.sizeBytes,
      firstTimestampMs: active.loadFirstTimestamp(),
      createdMs: active.createdMs,
      jitterMs: active.jitterMs,
      indexBytes,
    };
    const fits = active.canHold(facts.sizeBytes, facts.lastOffset);
    if (fits && !shouldRoll(state, facts, this.config, nowMs)) return active;
    return this.roll(facts.baseOffset);
  }

  private roll(offset: number): Segment {
    const segment = this.files.roll(offset, this.producerStates, this.config);
    this.requestCommit();
    return segment;
  }

  private requestCommit(): void {
    this.context.scheduler.request(this);
  }

  /** The answer for an offset outside of what may be read; null if there is something to read. */
  private checkRange(offset: number, endOffset: number): ReadResult | null {
    if (offset < this.startOffset || offset > this.endOffset) {
      return { ok: false, error: Errors.OFFSET_OUT_OF_RANGE };
    }
    if (offset < Math.min(endOffset, this.endOffset)) return null;
    return { ok: true, records: EMPTY, nextOffset: offset };
  }

  private lookup() {
    return {
      segments: this.segments,
      reader: this.reader,
      codecs: this.context.codecs,
      logStartOffset: this.startOffset,
    };
  }

  /** Removes what retention no longer keeps. False if the disk refused. */
  private cleanUp(): boolean {
    const nowMs = this.context.io.clock.wallMs();
    const log = {
      logStartOffset: this.startOffset,
      logEndOffset: this.endOffset,
      durableEndOffset: this.durableEndOffset,
      recoveryPoint: this.recoveryPoint,
      nowMs,
    };
    try {
      const facts = this.files.facts();
      let count = expiredSegments(facts, this.config, log);
      if (count > 0 && count === this.segments.count) {
        // The active one goes with a later run, once its successor is durable.
        this.roll(this.endOffset);
        count--;
      }
      if (count === 0) return true;
      const next = this.segments.at(count)!.baseOffset;
      this.moveStart(Math.max(next, this.startOffset));
      this.files.removeFirst(count, this.config.fileDeleteDelayMs);
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.context.logger.error("cannot clean up a log", { log: this.name, why: error.message });
      return false;
    }
  }

  private moveStart(offset: number): void {
    if (offset <= this.startOffset) return;
    this.startOffset = offset;
    this.epochs.truncateFromStart(offset);
    this.context.checkpointLater();
  }

  private notify(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

const EMPTY = new Uint8Array(0);

function refused(error: ErrorCode, message: string): AppendResult {
  return { ok: false, error, message, recordErrors: [] };
}
