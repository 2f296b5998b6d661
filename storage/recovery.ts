/**
 * Opens the log of one partition as it lies on disk.
 *
 * `trusted` is the offset below which all files were complete and synced: the checkpointed recovery
 * point, which after a clean shutdown is the log's end. Only what lies above it is read. Cases:
 *
 *   what is found                                   what is done
 *   ---------------------------------------------   -----------------------------------------------
 *   clean shutdown, snapshot at the end             nothing is read
 *   snapshot missing, damaged or older              batches from the newest good one on are replayed
 *   snapshot above the trusted offset, good         taken when the reading comes to its offset
 *   snapshot above, behind damage or off a batch    removed: it may speak of what is lost
 *   leader epochs missing or damaged                made again from all batches
 *   index missing or of odd size, below             made again from that segment's batches
 *   index above                                     cut at the trusted offset, made again from there
 *   above, damage, a good batch follows             kept: reads of those offsets say CORRUPT_MESSAGE
 *                                                   (a replica, `cutsDamage`: cut there)
 *   above, damage, nothing good follows             cut there; segments behind it go
 *   a segment's end is missing, later ones good     kept, as damage
 *   below, damage                                   kept; found by reads, never cut
 *   below, data missing at the end of the log       the end stays: no offset comes twice; new segment
 *   recovery point missing or beyond all data       everything is read
 *   log start offset above the end                  the log is empty, the checkpoint forgets it
 *   aborted transactions, below                     kept; of odd size, made again with the segment
 *   aborted transactions above                      made again while the batches are read
 *   `.purge`, with segments below that are there    they are renamed: all of them are purged
 *   `.purge`, of which a segment is missing         given up, with the rest
 *   key index of a segment that is read             emptied; others are checked when they are used
 *   `.cleaned`                                      removed: what it is made from is there
 *   `.swap`, complete but for the old segments      takes their place: they are removed, it is renamed
 *   `.tmp`, `.deleted`, indexes without a log       removed
 *
 * Afterwards everything is complete and synced as after a clean shutdown, but for the entry of the
 * folder in the data directory, which `DataDir` syncs once for all logs.
 */
import { partitionLeaderEpoch } from "../core/records/batch-header.ts";
import type { AbortedTransaction } from "./aborted-index.ts";
import { formatEpochs, parseEpochs } from "./checkpoint-file.ts";
import { fullScan, rebuildIndexes } from "./index-rebuild.ts";
import { LeaderEpochs } from "./leader-epochs.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogContext } from "./log-context.ts";
import { drawJitter } from "./log-files.ts";
import {
  ABORTED_INDEX_SUFFIX,
  CLEANED_SUFFIX,
  DELETED_SUFFIX,
  INDEX_SUFFIX,
  KEY_INDEX_SUFFIX,
  LEADER_EPOCH_FILE,
  LOG_SUFFIX,
  offsetOfFileName,
  PARTITION_METADATA_FILE,
  segmentFileName,
  SNAPSHOT_SUFFIX,
  SWAP_SUFFIX,
  TEMPORARY_SUFFIX,
  TIME_INDEX_SUFFIX,
} from "./names.ts";
import { ProducerRecovery } from "./producer-recovery.ts";
import type { ProducerStates } from "./producer-state.ts";
import { type Purge, settlePurges } from "./purges.ts";
import { factsOf, Segment } from "./segment.ts";
import { readSmallText, stageSmallText } from "./small-files.ts";
import { finishSwaps } from "./swap-recovery.ts";
import type { SyncSteps } from "./sync-steps.ts";

/** What is on disk of a log, and what was found out about it. */
export interface RecoveredLog {
  readonly segments: Segment[];
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly recoveryPoint: number;
  readonly epochs: LeaderEpochs;
  readonly producers: ProducerStates;
  readonly snapshotOffsets: readonly number[];
  /** Up to where the log has been cleaned; null if it never was. */
  readonly cleanedTo: number | null;
  /** What was purged and can come back, the oldest first. */
  readonly purges: readonly Purge[];
}

/** What the checkpoints of the data directory say of a log; null where they say nothing. */
export interface LogCheckpoints {
  readonly recoveryPoint: number | null;
  readonly logStartOffset: number | null;
  readonly cleanedTo: number | null;
  readonly wasClean: boolean;
}

const INDEX_SUFFIXES = [
  INDEX_SUFFIX,
  TIME_INDEX_SUFFIX,
  ABORTED_INDEX_SUFFIX,
  KEY_INDEX_SUFFIX,
];
const STRAY_SUFFIXES = [DELETED_SUFFIX, TEMPORARY_SUFFIX, CLEANED_SUFFIX, SWAP_SUFFIX];

/** The names in a partition's folder, sorted out. */
interface Found {
  readonly bases: readonly number[];
  readonly snapshots: readonly number[];
  /** Segments whose swap was finished just now, and who lack their indexes. */
  readonly swapped: readonly number[];
  readonly purges: readonly Purge[];
}

/** Opens the log in `dir`; null if nothing has been appended to it. Throws a `DiskError`. */
export async function* recoverLog(
  context: LogContext,
  dir: string,
  config: LogConfig,
  checkpoints: LogCheckpoints,
): SyncSteps<RecoveredLog | null> {
  const purges = await settlePurges(context, dir);
  const swapped = await finishSwaps(context, dir);
  const found = { ...sortOut(context, dir), swapped, purges };
  if (found.bases.length === 0) return null;
  return yield* new LogRecovery(context, dir, config, checkpoints, found).run();
}

function sortOut(context: LogContext, dir: string): Omit<Found, "swapped" | "purges"> {
  const { disk } = context.io;
  const names = disk.list(dir).filter((entry) => !entry.isDirectory).map((entry) => entry.name);
  const offsetsOf = (suffix: string) =>
    names.map((name) => offsetOfFileName(name, suffix))
      .filter((offset) => offset !== null).sort((a, b) => a - b);
  const bases = offsetsOf(LOG_SUFFIX);
  const isStray = (name: string) => {
    if (STRAY_SUFFIXES.some((suffix) => name.endsWith(suffix))) return true;
    const base = INDEX_SUFFIXES.map((suffix) => offsetOfFileName(name, suffix))
      .find((offset) => offset !== null) ?? null;
    return base !== null && !bases.includes(base);
  };
  for (const name of names.filter(isStray)) disk.remove(`${dir}/${name}`);
  return { bases, snapshots: offsetsOf(SNAPSHOT_SUFFIX) };
}

/** The end of what can be used, as far as the scan has come. */
interface Cut {
  readonly segment: Segment;
  readonly position: number;
  readonly offset: number;
}

class LogRecovery {
  private readonly producers: ProducerRecovery;
  private readonly nowMs: number;
  private readonly segments: Segment[];
  private readonly epochs: LeaderEpochs;
  private readonly trusted: number;
  /** Batches from here on are not in `epochs` yet. */
  private readonly epochsFrom: number;
  private endOffset: number;
  /** The offset behind the last good batch. */
  private foundEnd: number;
  /** Damage behind the last good batch. */
  private cut: Cut | null = null;
  /** Whether something at or above the trusted offset is damaged. */
  private isBehindDamage = false;
  private readonly scanned = new Set<Segment>();
  /** Base offsets of segments that lack an index. */
  private readonly incomplete = new Set<number>();

  constructor(
    private readonly context: LogContext,
    private readonly dir: string,
    private readonly config: LogConfig,
    private readonly checkpoints: LogCheckpoints,
    private readonly found: Found,
  ) {
    this.nowMs = context.io.clock.wallMs();
    this.segments = found.bases.map((base) => this.openSegment(base));
    const first = this.segments[0]!.baseOffset;
    this.producers = new ProducerRecovery(context, dir, found.snapshots, first);
    this.trusted = checkpoints.recoveryPoint ?? 0;
    this.endOffset = Math.max(this.trusted, first);
    this.foundEnd = first;
    const text = readSmallText(context.io.disk, `${dir}/${LEADER_EPOCH_FILE}`);
    const epochs = text === null ? null : parseEpochs(text);
    this.epochs = new LeaderEpochs(epochs ?? []);
    this.epochsFrom = epochs === null ? 0 : this.trusted;
    this.epochs.truncateFromEnd(this.trusted);
  }

  async *run(): SyncSteps<RecoveredLog> {
    const first = this.segments[0]!.baseOffset;
    // What was before the first segment was durable when it was deleted, and its snapshot too.
    this.producers.load(Math.max(this.trusted, first));
    const from = Math.min(this.producers.replayFrom, this.epochsFrom, this.trusted);
    const isComplete = this.checkpoints.wasClean && this.checkpoints.recoveryPoint !== null;
    if (!isComplete || from < this.trusted) await this.scanFrom(from);
    await this.remakeIndexes();
    this.applyCut();
    if (this.scanned.size > 0 && this.foundEnd < this.endOffset) this.addSegmentAtEnd();
    this.producers.reach(this.endOffset, this.isBehindDamage);
    this.producers.cut(this.endOffset);
    const start = Math.max(this.checkpoints.logStartOffset ?? 0, first);
    const logStartOffset = Math.min(start, this.endOffset);
    if (start > this.endOffset) await this.forgetStart();
    this.epochs.truncateFromEnd(this.endOffset);
    this.epochs.truncateFromStart(logStartOffset);
    if (this.scanned.size > 0) yield* this.complete();
    return {
      segments: this.segments,
      logStartOffset,
      logEndOffset: this.endOffset,
      recoveryPoint: this.endOffset,
      epochs: this.epochs,
      producers: this.producers.producers,
      snapshotOffsets: this.producers.kept,
      cleanedTo: this.checkpoints.cleanedTo ?? (this.found.swapped.length > 0 ? 0 : null),
      purges: this.found.purges,
    };
  }

  /** The topic's own configuration is not known yet: what was cleaned once may have gaps. */
  private get hasGaps(): boolean {
    return this.config.cleanupPolicy.compact || this.checkpoints.cleanedTo !== null ||
      this.found.swapped.length > 0;
  }

  /** The start in the checkpoint would hide what is appended from now on. */
  private async forgetStart(): Promise<void> {
    const name = this.dir.slice(this.dir.lastIndexOf("/") + 1);
    for (const path of this.context.forgetCheckpoints(name)) await this.sync(path);
    await this.context.io.disk.syncDir(this.context.path);
  }

  private openSegment(base: number): Segment {
    const { disk } = this.context.io;
    const size = (suffix: string) => {
      const stat = disk.stat(`${this.dir}/${segmentFileName(base, suffix)}`);
      if (stat === null) this.incomplete.add(base);
      return stat?.sizeBytes ?? 0;
    };
    const sizeOrNull = (suffix: string) =>
      disk.stat(`${this.dir}/${segmentFileName(base, suffix)}`)?.sizeBytes ?? null;
    const sizes = {
      log: size(LOG_SUFFIX),
      index: size(INDEX_SUFFIX),
      timeIndex: size(TIME_INDEX_SUFFIX),
      abortedIndex: sizeOrNull(ABORTED_INDEX_SUFFIX),
      keyIndex: sizeOrNull(KEY_INDEX_SUFFIX),
    };
    const jitterMs = drawJitter(this.context, this.config);
    return new Segment(this.context.files, this.dir, base, sizes, this.nowMs, jitterMs);
  }

  /** Reads from the segment that holds `from` to the end. */
  private async scanFrom(from: number): Promise<void> {
    let index = this.segments.findLastIndex((segment) => segment.baseOffset <= from);
    if (index < 0) index = 0;
    for (; index < this.segments.length; index++) await this.scanSegment(this.segments[index]!);
  }

  private async scanSegment(segment: Segment): Promise<void> {
    segment.clearIndexes();
    const { abortedIndex } = segment;
    // What is replayed from the segment's start on lists all of it while it is read.
    const isRemade = !abortedIndex.isWhole && this.producers.replayFrom > segment.baseOffset;
    if (isRemade) await this.remakeAborted(segment);
    else abortedIndex.truncate(Math.max(segment.baseOffset, this.producers.replayFrom));
    this.scanned.add(segment);
    if (segment.baseOffset > this.endOffset && this.cut === null && segment !== this.segments[0]) {
      this.noteMissing(segment);
    }
    if (segment !== this.segments[0] && this.cut === null && segment.baseOffset >= this.trusted) {
      this.producers.reach(segment.baseOffset, this.isBehindDamage);
      this.producers.write(segment.baseOffset);
    }
    const { scan, release } = fullScan(this.context.files, segment, !this.hasGaps);
    try {
      for (let step = await scan.next(); step !== null; step = await scan.next()) {
        if (step.kind === "batch") this.take(segment, step.bytes, step.at, { ...step, isRemade });
        else this.noteDamage(segment, step);
      }
    } finally {
      release();
    }
  }

  private take(
    segment: Segment,
    bytes: Uint8Array,
    at: number,
    batch: { position: number; sizeBytes: number; isRemade: boolean },
  ): void {
    if (this.isBehindCut) return;
    const facts = factsOf(bytes, at);
    segment.note(facts, batch.position, this.config.indexIntervalBytes);
    if (facts.baseOffset >= this.epochsFrom) {
      this.epochs.assign(partitionLeaderEpoch(bytes, at), facts.baseOffset);
    }
    if (this.cut !== null) this.snapshotBehind(this.cut, segment);
    this.producers.reach(facts.baseOffset, this.isBehindDamage);
    const aborted = this.producers.update(bytes, at);
    if (aborted !== null && !batch.isRemade) segment.abortedIndex.append(aborted);
    if (this.cut !== null) {
      const { offset } = this.cut;
      this.report("damaged batches are fenced", { from: offset, to: facts.baseOffset - 1 });
    }
    this.cut = null;
    this.foundEnd = facts.lastOffset + 1;
    this.endOffset = Math.max(this.endOffset, this.foundEnd);
  }

  /**
   * Damage that stays reaches to `segment`, or into it: the segments that begin behind its start get the
   * snapshots without which the log could not be cut there once those before them have gone.
   */
  private snapshotBehind(damage: Cut, segment: Segment): void {
    const last = this.segments.indexOf(segment);
    for (let index = this.segments.indexOf(damage.segment) + 1; index <= last; index++) {
      const base = this.segments[index]!.baseOffset;
      if (base < this.trusted) continue;
      this.producers.reach(base, this.isBehindDamage);
      this.producers.write(base);
    }
  }

  /** Whether what is read goes, good as it may be (`DataDirOptions.cutsDamage`). */
  private get isBehindCut(): boolean {
    return this.context.cutsDamage && this.cut !== null && this.cut.offset >= this.trusted;
  }

  private noteDamage(segment: Segment, damage: { position: number; offset: number }): void {
    if (damage.offset >= this.trusted) this.isBehindDamage = true;
    this.cut ??= { segment, position: damage.position, offset: damage.offset };
  }

  /** The end of the segment before this one is missing. */
  private noteMissing(segment: Segment): void {
    this.isBehindDamage = true;
    const before = this.segments[this.segments.indexOf(segment) - 1]!;
    this.cut = { segment: before, position: before.sizeBytes, offset: this.endOffset };
  }

  private applyCut(): void {
    const { cut } = this;
    if (cut === null) return;
    if (cut.offset < this.trusted) {
      this.report("data is damaged at the end of a log", { from: cut.offset, to: this.endOffset });
    } else {
      const behind = cut.segment.sizeBytes - cut.position;
      this.report("a torn end is cut off", { offset: cut.offset, bytes: behind });
      cut.segment.cut(cut.position);
    }
    // Nothing good is in the segments behind; those that begin at the end or later have to go.
    const end = Math.max(cut.offset, this.trusted);
    const isBehind = (segment: Segment) =>
      segment.baseOffset > cut.segment.baseOffset && segment.baseOffset >= end;
    const index = this.segments.findIndex(isBehind);
    if (index < 0) return;
    for (const segment of this.segments.splice(index)) {
      segment.closeFiles();
      this.scanned.delete(segment);
      for (const path of segment.paths) this.context.io.disk.remove(path);
    }
  }

  /**
   * Data is missing at the end, below the trusted offset. The next batch goes into a segment of its
   * own, so that its offset is beyond doubt.
   */
  private addSegmentAtEnd(): void {
    const last = this.segments.at(-1)!;
    if (last.baseOffset >= this.endOffset) return;
    const segment = Segment.create(this.context.files, this.dir, this.endOffset, {
      createdMs: this.nowMs,
      jitterMs: drawJitter(this.context, this.config),
    });
    this.segments.push(segment);
    this.scanned.add(segment);
  }

  /** A segment that was not read but lacks an index gets new ones. */
  private async remakeIndexes(): Promise<void> {
    for (const segment of this.segments) {
      if (this.scanned.has(segment)) continue;
      const needsIndex = segment.sizeBytes > 2 * this.config.indexIntervalBytes;
      const isListed = segment.abortedIndex.isWhole;
      if (!isListed) await this.remakeAborted(segment);
      const isWhole = isListed && segment.offsetIndex.isWhole && segment.timeIndex.isWhole;
      const isAnew = this.found.swapped.includes(segment.baseOffset) ||
        this.incomplete.has(segment.baseOffset);
      if (!isAnew && isWhole && (segment.timeIndex.count > 0 || !needsIndex)) continue;
      this.report("an index is made again", { segment: segment.baseOffset });
      const { indexIntervalBytes } = this.config;
      const indexing = { dense: !this.hasGaps, indexIntervalBytes };
      await rebuildIndexes(this.context.files, segment, indexing);
      this.scanned.add(segment);
    }
  }

  /** From what was open at the start of the segment, as its snapshot says, and its batches. */
  private async remakeAborted(segment: Segment): Promise<void> {
    this.report("aborted transactions are listed again", { segment: segment.baseOffset });
    const { files } = this.context;
    const entries: AbortedTransaction[] = [];
    const producers = new ProducerRecovery(
      this.context,
      this.dir,
      this.producers.kept.filter((offset) => offset === segment.baseOffset),
      segment.baseOffset,
    );
    producers.load(segment.baseOffset);
    const { scan, release } = fullScan(files, segment, !this.hasGaps);
    try {
      for (let step = await scan.next(); step !== null; step = await scan.next()) {
        const aborted = step.kind === "batch" ? producers.update(step.bytes, step.at) : null;
        if (aborted !== null) entries.push(aborted);
      }
    } finally {
      release();
    }
    await segment.abortedIndex.replace(entries, (path) => this.sync(path));
  }

  /** Makes everything complete and durable, as a clean shutdown does. */
  private async *complete(): SyncSteps<void> {
    const { disk } = this.context.io;
    for (const segment of this.scanned) segment.flushIndexes();
    this.producers.write(this.endOffset);
    const epochs = formatEpochs(this.epochs.entries);
    const staged = stageSmallText(disk, `${this.dir}/${LEADER_EPOCH_FILE}`, epochs);
    try {
      yield;
      for (const segment of this.scanned) {
        for (const path of segment.paths) await this.sync(path);
      }
      for (const offset of this.producers.kept) await this.sync(this.producers.path(offset));
      const metadata = `${this.dir}/${PARTITION_METADATA_FILE}`;
      if (disk.stat(metadata) !== null) await this.sync(metadata);
      await staged.replace();
    } finally {
      staged.close();
    }
    yield;
    await disk.syncDir(this.dir);
  }

  private async sync(path: string): Promise<void> {
    const pinned = this.context.files.pin(path);
    try {
      await pinned.file.sync();
    } finally {
      pinned.release();
    }
  }

  private report(message: string, fields: Record<string, number>): void {
    this.context.logger.warn(message, { dir: this.dir, ...fields });
  }
}
