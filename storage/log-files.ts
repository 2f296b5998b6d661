/**
 * The folder of one partition: which files there are, which of them still have to be synced, and up
 * to where everything is complete and durable (the recovery point).
 */
import { DiskError, type Random } from "../core/io.ts";
import { deferred } from "../core/deferred.ts";
import { formatEpochs } from "./checkpoint-file.ts";
import { rebuildIndexes } from "./index-rebuild.ts";
import type { LeaderEpochs } from "./leader-epochs.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogContext } from "./log-context.ts";
import {
  ABORTED_INDEX_SUFFIX,
  CLEANED_SUFFIX,
  DELETED_SUFFIX,
  deletedDirName,
  INDEX_SUFFIX,
  LEADER_EPOCH_FILE,
  LOG_SUFFIX,
  PARTITION_METADATA_FILE,
  partitionDirName,
  segmentFileName,
  SNAPSHOT_SUFFIX,
  SWAP_SUFFIX,
  TIME_INDEX_SUFFIX,
} from "./names.ts";
import type { PinnedFile } from "./open-files.ts";
import { decodeProducerSnapshot, encodeProducerSnapshot } from "./producer-snapshot.ts";
import type { ProducerStateEntry, ProducerStates } from "./producer-state.ts";
import type { SegmentFacts } from "./retention.ts";
import { Segment } from "./segment.ts";
import type { SegmentList } from "./segment-list.ts";
import type { SyncSteps } from "./sync-steps.ts";
import { readSmallFile, type StagedFile, stageSmallText, writeSmallText } from "./small-files.ts";

/** Which partition a log belongs to. */
export interface LogIdentity {
  readonly topic: string;
  /** 22 characters, base64url; empty as long as it is unknown, which takes a damaged file. */
  readonly topicId: string;
  readonly partition: number;
}

/** What is known of a log when it is completed. */
export interface SealedState {
  readonly endOffset: number;
  readonly producers: ProducerStates;
  readonly epochs: LeaderEpochs;
  readonly config: LogConfig;
}

/** The text of `partition.metadata`. */
export function formatPartitionMetadata(topicId: string): string {
  return `version: 0\ntopic_id: ${topicId}\n`;
}

/** The topic id in a `partition.metadata`, or null. */
export function parsePartitionMetadata(text: string): string | null {
  return /^version: 0\ntopic_id: ([A-Za-z0-9_-]{22})\n?$/.exec(text)?.[1] ?? null;
}

/** See the head of this file. */
export class LogFiles {
  /** Path of the folder. */
  readonly dir: string;
  /** Complete segments that are not synced yet. */
  private sealed: Segment[] = [];
  /** Further files to sync. */
  private unsyncedPaths: string[] = [];
  private dirIsDirty = false;
  private parentIsDirty = false;
  private snapshotOffsets: number[];
  /** Counts truncations. */
  private cuts = 0;
  /** Settles with the last write of the leader-epoch checkpoint: there is one at a time. */
  private epochsWritten: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: LogContext,
    private readonly identity: LogIdentity,
    private readonly segments: SegmentList,
    private recoveredTo: number,
    snapshotOffsets: readonly number[],
  ) {
    this.dir = `${context.path}/${partitionDirName(identity.topic, identity.partition)}`;
    this.snapshotOffsets = [...snapshotOffsets];
  }

  /** Everything below is complete and on stable storage. */
  get recoveryPoint(): number {
    return this.recoveredTo;
  }

  /** Makes the folder and its first segment. Throws a `DiskError`. */
  addFirst(offset: number, config: LogConfig): Segment {
    const { disk } = this.context.io;
    disk.makeDir(this.dir);
    this.parentIsDirty = true;
    this.dirIsDirty = true;
    const { topic, partition } = this.identity;
    // An earlier log of that name must not lend this one its offsets.
    const name = partitionDirName(topic, partition);
    this.unsyncedPaths.push(...this.context.forgetCheckpoints(name, true));
    this.writeMetadata(this.identity.topicId);
    return this.addSegment(offset, config);
  }

  /** Writes whose folder this is, to be synced with the next commit. Throws a `DiskError`. */
  writeMetadata(topicId: string): void {
    const path = `${this.dir}/${PARTITION_METADATA_FILE}`;
    this.writeNow(path, new TextEncoder().encode(formatPartitionMetadata(topicId)));
  }

  /** Completes the active segment and starts the next one. Throws a `DiskError`. */
  roll(offset: number, producers: ProducerStates, config: LogConfig): Segment {
    const { active } = this.segments;
    active?.flushIndexes();
    if (config.preallocate) active?.trim();
    this.writeSnapshot(offset, producers);
    const segment = this.addSegment(offset, config);
    if (active !== null) this.sealed.push(active);
    return segment;
  }

  /**
   * Syncs everything that was written before the call; true if the recovery point has moved.
   * Throws a `DiskError`, after which nothing is known of what is on stable storage.
   */
  async sync(epochs: LeaderEpochs): Promise<boolean> {
    const { sealed, cuts } = this;
    const { active } = this.segments;
    this.sealed = [];
    const paths = sealed.flatMap((segment) => segment.paths);
    if (active !== null) paths.push(active.logPath);
    await this.syncPaths(paths.concat(this.takeUnsyncedPaths()));
    if (sealed.length === 0 || active === null || cuts !== this.cuts) return false;
    if (!await this.tryWriteEpochs(epochs)) return false;
    // What was synced may have been cut off in the meantime.
    if (cuts !== this.cuts) return false;
    this.recoveredTo = Math.max(this.recoveredTo, active.baseOffset);
    return true;
  }

  /** Completes and syncs everything at a clean shutdown. Throws a `DiskError`. */
  async *seal(state: SealedState): SyncSteps<void> {
    const { endOffset, producers, epochs, config } = state;
    const { active } = this.segments;
    if (active === null) return;
    const earlier = this.epochsWritten;
    const written = deferred<void>();
    this.epochsWritten = written.promise;
    let staged: StagedFile | null = null;
    try {
      await earlier;
      active.flushIndexes();
      if (config.preallocate) active.trim();
      this.writeSnapshot(endOffset, producers);
      const text = formatEpochs(epochs.entries);
      staged = stageSmallText(this.context.io.disk, this.epochsPath, text);
      yield;
      const paths = [...this.sealed, active].flatMap((segment) => segment.paths);
      this.sealed = [];
      await this.syncFiles(paths.concat(this.takeUnsyncedPaths()));
      await staged.replace();
    } finally {
      staged?.close();
      written.resolve();
    }
    yield;
    this.dirIsDirty = true;
    await this.syncDirs();
    this.recoveredTo = endOffset;
  }

  /** What retention looks at, oldest segment first. Throws a `DiskError`. */
  facts(): SegmentFacts[] {
    return this.segments.all.map((segment) => {
      segment.loadMaxTimestamp();
      const { baseOffset, sizeBytes } = segment;
      const maxTimestampMs = this.context.retentionByAppendTime ? -1 : segment.maxTimestampMs;
      const modifiedMs = maxTimestampMs >= 0
        ? maxTimestampMs
        : segment.appendedMs ?? this.context.io.disk.stat(segment.logPath)?.modifiedMs ??
          segment.createdMs;
      return { baseOffset, sizeBytes, maxTimestampMs, modifiedMs };
    });
  }

  /** Takes the oldest segments out of the log; their files go later. Throws a `DiskError`. */
  removeFirst(count: number, delayMs: number): void {
    for (let left = count; left > 0; left--) {
      this.discard(this.segments.at(0)!, delayMs);
      this.segments.removeFirst(1);
    }
    this.pruneSnapshots();
  }

  /**
   * Takes the oldest segments out of the log, with their snapshots, and keeps them under names with
   * `tail`. They are complete and durable. Throws a `DiskError`, after which the log has to be opened
   * anew.
   */
  detach(count: number, tail: string): Segment[] {
    const { disk } = this.context.io;
    const gone = this.segments.removeFirst(count);
    for (const segment of gone) {
      segment.isGone = true;
      segment.rename(disk, tail);
      this.moveSnapshot(segment.baseOffset, "", tail);
    }
    this.sealed = this.sealed.filter((segment) => !gone.includes(segment));
    const bases = new Set(gone.map((segment) => segment.baseOffset));
    this.snapshotOffsets = this.snapshotOffsets.filter((offset) => !bases.has(offset));
    return gone;
  }

  /**
   * Has the checkpoints let go of the log, which is to begin earlier than they say. Returns what is to
   * be synced with `syncAttached`. Throws a `DiskError`.
   */
  forgetStart(): string[] {
    const { topic, partition } = this.identity;
    return this.context.forgetCheckpoints(partitionDirName(topic, partition));
  }

  /**
   * Puts segments whose names have `tail` before all others, to be made durable by `syncAttached`.
   * Throws a `DiskError`, after which the log has to be opened anew.
   */
  attach(segments: readonly Segment[], tail: string): void {
    const { disk } = this.context.io;
    for (const segment of segments) {
      segment.rename(disk, "");
      if (!this.moveSnapshot(segment.baseOffset, tail, "")) continue;
      this.snapshotOffsets.push(segment.baseOffset);
    }
    this.segments.unshift(segments);
  }

  /** Makes durable what `attach` has done, and these files. Throws a `DiskError`. */
  async syncAttached(paths: readonly string[], epochs: LeaderEpochs): Promise<void> {
    await this.syncFiles(paths);
    for (const dir of [this.context.path, this.dir]) await this.context.io.disk.syncDir(dir);
    await this.tryWriteEpochs(epochs);
  }

  /** False if there is none. */
  private moveSnapshot(offset: number, from: string, to: string): boolean {
    const path = this.snapshotPath(offset);
    if (this.context.io.disk.stat(path + from) === null) return false;
    this.context.files.close(path + from);
    this.unsyncedPaths = this.unsyncedPaths.filter((other) => other !== path + from);
    this.context.io.disk.rename(path + from, path + to);
    return true;
  }

  /** Makes a segment that is to take the place of others. Throws a `DiskError`. */
  addCleaned(offset: number): Segment {
    const { files, io } = this.context;
    const createdMs = io.clock.wallMs();
    return Segment.create(files, this.dir, offset, {
      createdMs,
      jitterMs: 0,
      tail: CLEANED_SUFFIX,
    });
  }

  /** Removes what was left of a cleaned segment that nothing came of. Throws a `DiskError`. */
  removeCleaned(offset: number): void {
    for (const suffix of [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, ABORTED_INDEX_SUFFIX]) {
      const path = `${this.dir}/${segmentFileName(offset, suffix)}${CLEANED_SUFFIX}`;
      this.context.files.close(path);
      this.context.io.disk.remove(path);
    }
  }

  /**
   * Puts a cleaned segment into the place of a run of others, such that a crash at any point leaves
   * the old ones or the new one (Kafka's `LocalLog.replaceSegments`):
   *
   *     1. the new files are synced                    .cleaned   the old ones count
   *     2. they are renamed, which is made durable     .swap      the new one counts from here on
   *     3. the old files are renamed, durably          .deleted
   *     4. the new files get their usual names
   *
   * The indexes have been flushed. `onReplaced` is told when readers have the new one, in step 2.
   * False if the run is no part of the log any more: nothing has changed then. Throws a `DiskError`,
   * after which the log has to be opened anew.
   */
  async replace(
    run: readonly Segment[],
    cleaned: Segment,
    delayMs: number,
    onReplaced: () => void,
  ): Promise<boolean> {
    const { disk } = this.context.io;
    await this.syncPaths(cleaned.paths);
    if (!this.segments.hasRun(run)) return false;
    cleaned.rename(disk, SWAP_SUFFIX);
    this.segments.replace(run, cleaned);
    for (const old of run) old.isGone = true;
    onReplaced();
    await disk.syncDir(this.dir);
    for (const old of run) this.discard(old, delayMs);
    await disk.syncDir(this.dir);
    // It may have been cut off or deleted meanwhile.
    if (!cleaned.isGone) cleaned.rename(disk, "");
    this.dirIsDirty = true;
    this.pruneSnapshots();
    return true;
  }

  /**
   * Has the checkpoints let go of the log, which is to be cut at `offset`: a crash in between must not
   * trust what has been cut. Throws a `DiskError`, and nothing has changed then.
   */
  forgetAbove(offset: number): void {
    const { topic, partition } = this.identity;
    this.unsyncedPaths.push(...this.context.forgetCheckpoints(partitionDirName(topic, partition)));
    this.parentIsDirty = true;
    this.recoveredTo = Math.min(this.recoveredTo, offset);
  }

  /**
   * After `forgetAbove`: cuts the files at the start of the batch at `offset`; nothing may be appended
   * meanwhile. Throws a `DiskError`, after which the log has to be opened anew.
   */
  async truncate(
    segment: Segment,
    position: number,
    offset: number,
    indexing: { readonly dense: boolean; readonly indexIntervalBytes: number },
  ): Promise<void> {
    const { disk } = this.context.io;
    await this.syncPaths(this.takeUnsyncedPaths());
    // A sync may have begun meanwhile that still counts on what goes now.
    this.cuts++;
    this.recoveredTo = Math.min(this.recoveredTo, offset);
    const index = this.segments.all.indexOf(segment);
    for (const later of this.segments.all.slice(index + 1)) this.discard(later, 0);
    this.segments.removeFrom(index + 1);
    this.sealed = this.sealed.filter((other) => other.baseOffset < segment.baseOffset);
    segment.cut(position);
    segment.abortedIndex.truncate(offset);
    for (const stale of this.snapshotOffsets.filter((at) => at > offset)) {
      disk.remove(this.snapshotPath(stale));
    }
    this.snapshotOffsets = this.snapshotOffsets.filter((at) => at <= offset);
    this.dirIsDirty = true;
    await rebuildIndexes(this.context.files, segment, indexing);
    await this.syncPaths([segment.logPath]);
    this.context.checkpointLater();
  }

  /** The newest snapshot that can be read. */
  loadSnapshot(): { offset: number; entries: readonly ProducerStateEntry[] } | null {
    for (const offset of [...this.snapshotOffsets].sort((a, b) => b - a)) {
      const bytes = readSmallFile(this.context.io.disk, this.snapshotPath(offset));
      const entries = bytes === null ? null : decodeProducerSnapshot(bytes);
      if (entries !== null) return { offset, entries };
    }
    return null;
  }

  /** A full disk only keeps the recovery point back: the epochs are also in the batches. */
  async tryWriteEpochs(epochs: LeaderEpochs): Promise<boolean> {
    try {
      await this.writeEpochs(epochs);
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.context.logger.warn("cannot write leader epochs", { dir: this.dir, why: error.message });
      return false;
    }
  }

  /** Writes the leader-epoch checkpoint. Throws a `DiskError`. */
  writeEpochs(epochs: LeaderEpochs): Promise<void> {
    const write = () =>
      writeSmallText(this.context.io.disk, this.epochsPath, formatEpochs(epochs.entries));
    const written = this.epochsWritten.then(write);
    this.epochsWritten = written.catch(() => {});
    return written;
  }

  /** Renames the folder away; it goes later. Throws a `DiskError`. */
  removeDir(delayMs: number): void {
    this.closeFiles();
    const { disk, random } = this.context.io;
    if (disk.stat(this.dir) === null) return;
    const path = `${this.context.path}/${randomDeletedDirName(random, this.identity)}`;
    disk.rename(this.dir, path);
    this.context.removeLater([path], delayMs);
  }

  /** Renames the folder to `path`. Throws a `DiskError`. */
  moveDir(path: string): void {
    this.closeFiles();
    const { disk } = this.context.io;
    if (disk.stat(this.dir) === null) return;
    disk.makeDir(path.slice(0, path.lastIndexOf("/")));
    disk.rename(this.dir, path);
  }

  closeFiles(): void {
    for (const segment of this.segments.all) segment.closeFiles();
  }

  private addSegment(offset: number, config: LogConfig): Segment {
    const { files, io } = this.context;
    const segment = Segment.create(files, this.dir, offset, {
      createdMs: io.clock.wallMs(),
      jitterMs: drawJitter(this.context, config),
      ...(config.preallocate ? { reserveBytes: config.segmentBytes } : {}),
    });
    this.segments.push(segment);
    this.dirIsDirty = true;
    return segment;
  }

  /**
   * One that is there says the same, and may be durable: recovery and a clean end leave one at the
   * end of the log. Written anew it would not be, and retention, which goes by the recovery point,
   * could take the last batches that say what it says.
   */
  private writeSnapshot(offset: number, producers: ProducerStates): void {
    if (this.snapshotOffsets.includes(offset)) return;
    this.writeNow(this.snapshotPath(offset), encodeProducerSnapshot([...producers.entries()]));
    this.snapshotOffsets.push(offset);
    this.pruneSnapshots();
  }

  /** Keeps the snapshots at the starts of segments, and the latest one. */
  private pruneSnapshots(): void {
    const bases = new Set(this.segments.all.map((segment) => segment.baseOffset));
    const latest = Math.max(...this.snapshotOffsets);
    this.snapshotOffsets = this.snapshotOffsets.filter((offset) => {
      if (bases.has(offset) || offset === latest) return true;
      const path = this.snapshotPath(offset);
      this.unsyncedPaths = this.unsyncedPaths.filter((other) => other !== path);
      this.context.files.close(path);
      this.context.io.disk.remove(path);
      return false;
    });
  }

  private get epochsPath(): string {
    return `${this.dir}/${LEADER_EPOCH_FILE}`;
  }

  private snapshotPath(offset: number): string {
    return `${this.dir}/${segmentFileName(offset, SNAPSHOT_SUFFIX)}`;
  }

  /** Writes a small file into the page cache, to be synced with the next commit. */
  private writeNow(path: string, bytes: Uint8Array): void {
    this.context.files.close(path);
    this.context.io.disk.remove(path);
    const file = this.context.io.disk.open(path, "create");
    try {
      file.writeSync(bytes, 0);
    } finally {
      file.close();
    }
    this.dirIsDirty = true;
    this.unsyncedPaths.push(path);
  }

  private takeUnsyncedPaths(): string[] {
    const paths = this.unsyncedPaths;
    this.unsyncedPaths = [];
    return paths;
  }

  /** Syncs the files and what names them. */
  private async syncPaths(paths: readonly string[]): Promise<void> {
    await settle([this.syncFiles(paths), this.syncDirs()]);
  }

  /** All are open before anything is awaited. */
  private async syncFiles(paths: readonly string[]): Promise<void> {
    const pinned = paths.map((path): PinnedFile => this.context.files.pin(path));
    try {
      await settle(pinned.map(({ file }) => file.sync()));
    } finally {
      for (const pin of pinned) pin.release();
    }
  }

  private async syncDirs(): Promise<void> {
    const { disk } = this.context.io;
    const { dirIsDirty, parentIsDirty } = this;
    this.dirIsDirty = false;
    this.parentIsDirty = false;
    const syncs: Promise<void>[] = [];
    if (dirIsDirty) syncs.push(disk.syncDir(this.dir));
    if (parentIsDirty) syncs.push(disk.syncDir(this.context.path));
    await settle(syncs);
  }

  private discard(segment: Segment, delayMs: number): void {
    const { disk } = this.context.io;
    segment.isGone = true;
    // Another one of its name may be waiting for its removal, and have readers.
    let tail = DELETED_SUFFIX;
    const isTaken = () => disk.stat(segment.logPathWith(tail)) !== null;
    for (let count = 2; isTaken(); count++) tail = `.${count}${DELETED_SUFFIX}`;
    const renamed = segment.rename(disk, tail);
    this.sealed = this.sealed.filter((other) => other !== segment);
    this.context.removeLater(renamed, delayMs);
  }
}

/** A name for the folder of a deleted log that no other has. */
export function randomDeletedDirName(
  random: Random,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): string {
  const unique = Array.from(random.bytes(16), (byte) => byte.toString(16).padStart(2, "0"));
  return deletedDirName(topic, partition, unique.join(""));
}

/** What comes off a new segment's `segment.ms`. */
export function drawJitter(context: LogContext, config: LogConfig): number {
  const bound = Math.min(config.segmentJitterMs, 2 ** 32);
  return bound > 0 ? context.io.random.below(bound) : 0;
}

/** Waits for all, then throws the first failure: nothing is left running behind an error. */
async function settle(promises: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  for (const result of results) {
    if (result.status === "rejected") {
      throw result.reason instanceof Error
        ? result.reason
        : new DiskError("EIO", "", "sync failed");
    }
  }
}
