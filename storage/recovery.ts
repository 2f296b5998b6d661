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
 *   snapshot above the trusted offset               removed: the log decides
 *   leader epochs missing or damaged                made again from all batches
 *   index missing or of odd size, below             made again from that segment's batches
 *   index above                                     cut at the trusted offset, made again from there
 *   above, damage, a good batch follows             kept: reads of those offsets say CORRUPT_MESSAGE
 *   above, damage, nothing good follows             cut there; segments behind it go
 *   a segment's end is missing, later ones good     kept, as damage
 *   below, damage                                   kept; found by reads, never cut
 *   below, data missing at the end of the log       the end stays where it was: no offset comes twice
 *   recovery point missing or beyond all data       everything is read
 *   log start offset above the end                  the log is emptied and goes on from there
 *   `.tmp`, `.deleted`, indexes without a log       removed
 *
 * Afterwards everything that was read is synced, so that the log's end is durable.
 */
import {
  baseOffset,
  lastOffset,
  maxTimestamp,
  partitionLeaderEpoch,
} from "../core/records/batch-header.ts";
import { BatchScan } from "./batch-scan.ts";
import { parseEpochs } from "./checkpoint-file.ts";
import { LeaderEpochs } from "./leader-epochs.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogContext } from "./log-context.ts";
import { drawJitter } from "./log-files.ts";
import {
  DELETED_SUFFIX,
  INDEX_SUFFIX,
  LEADER_EPOCH_FILE,
  LOG_SUFFIX,
  offsetOfFileName,
  PARTITION_METADATA_FILE,
  segmentFileName,
  SNAPSHOT_SUFFIX,
  TEMPORARY_SUFFIX,
  TIME_INDEX_SUFFIX,
} from "./names.ts";
import { decodeProducerSnapshot } from "./producer-snapshot.ts";
import { ProducerStates } from "./producer-state.ts";
import { Segment } from "./segment.ts";
import { readSmallFile, readSmallText } from "./small-files.ts";

/** What is on disk of a log, and what was found out about it. */
export interface RecoveredLog {
  readonly segments: Segment[];
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly recoveryPoint: number;
  readonly epochs: LeaderEpochs;
  readonly producers: ProducerStates;
  readonly snapshotOffsets: readonly number[];
}

/** What the checkpoints of the data directory say of a log; null where they say nothing. */
export interface LogCheckpoints {
  readonly recoveryPoint: number | null;
  readonly logStartOffset: number | null;
  readonly wasClean: boolean;
}

/** The names in a partition's folder, sorted out. */
interface Found {
  readonly bases: readonly number[];
  readonly snapshots: readonly number[];
}

/** Opens the log in `dir`; null if nothing has been appended to it. Throws a `DiskError`. */
export async function recoverLog(
  context: LogContext,
  dir: string,
  config: LogConfig,
  checkpoints: LogCheckpoints,
): Promise<RecoveredLog | null> {
  const found = sortOut(context, dir);
  if (found.bases.length === 0) return null;
  return await new LogRecovery(context, dir, config, checkpoints, found).run();
}

function sortOut(context: LogContext, dir: string): Found {
  const { disk } = context.io;
  const names = disk.list(dir).filter((entry) => !entry.isDirectory).map((entry) => entry.name);
  const offsetsOf = (suffix: string) =>
    names.map((name) => offsetOfFileName(name, suffix))
      .filter((offset) => offset !== null).sort((a, b) => a - b);
  const bases = offsetsOf(LOG_SUFFIX);
  const isStray = (name: string) => {
    if (name.endsWith(DELETED_SUFFIX) || name.endsWith(TEMPORARY_SUFFIX)) return true;
    const base = offsetOfFileName(name, INDEX_SUFFIX) ?? offsetOfFileName(name, TIME_INDEX_SUFFIX);
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
  private readonly producers = new ProducerStates();
  private readonly nowMs: number;
  private readonly segments: Segment[];
  private snapshots: number[];
  private epochs: LeaderEpochs;
  private readonly trusted: number;
  /** Batches from here on are not in `producers` yet. */
  private replayFrom = 0;
  /** Batches from here on are not in `epochs` yet. */
  private epochsFrom: number;
  private endOffset: number;
  /** Damage behind the last good batch. */
  private cut: Cut | null = null;
  private readonly scanned = new Set<Segment>();

  constructor(
    private readonly context: LogContext,
    private readonly dir: string,
    private readonly config: LogConfig,
    private readonly checkpoints: LogCheckpoints,
    found: Found,
  ) {
    this.nowMs = context.io.clock.wallMs();
    this.segments = found.bases.map((base) => this.openSegment(base));
    this.snapshots = [...found.snapshots];
    this.trusted = checkpoints.recoveryPoint ?? 0;
    this.endOffset = Math.max(this.trusted, this.segments[0]!.baseOffset);
    const text = readSmallText(context.io.disk, `${dir}/${LEADER_EPOCH_FILE}`);
    const epochs = text === null ? null : parseEpochs(text);
    this.epochs = new LeaderEpochs(epochs ?? []);
    this.epochsFrom = epochs === null ? 0 : this.trusted;
    this.epochs.truncateFromEnd(this.trusted);
  }

  async run(): Promise<RecoveredLog> {
    this.loadSnapshot();
    const from = Math.min(this.replayFrom, this.epochsFrom, this.trusted);
    const isComplete = this.checkpoints.wasClean && this.checkpoints.recoveryPoint !== null;
    if (!isComplete || from < this.trusted) await this.scanFrom(from);
    await this.remakeIndexes();
    this.applyCut();
    if (this.scanned.size > 0) await this.syncScanned();
    const start = Math.max(this.checkpoints.logStartOffset ?? 0, this.segments[0]!.baseOffset);
    const logStartOffset = Math.min(start, this.endOffset);
    this.epochs.truncateFromEnd(this.endOffset);
    this.epochs.truncateFromStart(logStartOffset);
    return {
      segments: this.segments,
      logStartOffset,
      logEndOffset: this.endOffset,
      recoveryPoint: Math.min(this.trusted, this.endOffset),
      epochs: this.epochs,
      producers: this.producers,
      snapshotOffsets: this.snapshots,
    };
  }

  private openSegment(base: number): Segment {
    const { disk } = this.context.io;
    const size = (suffix: string) =>
      disk.stat(`${this.dir}/${segmentFileName(base, suffix)}`)?.sizeBytes ?? 0;
    const sizes = {
      log: size(LOG_SUFFIX),
      index: size(INDEX_SUFFIX),
      timeIndex: size(TIME_INDEX_SUFFIX),
    };
    const jitterMs = drawJitter(this.context, this.config);
    return new Segment(this.context.files, this.dir, base, sizes, this.nowMs, jitterMs);
  }

  /**
   * Takes the newest good snapshot that does not reach above the trusted offset. The one at the
   * start of the first segment counts too: what is before it was durable when it was deleted.
   */
  private loadSnapshot(): void {
    const limit = Math.max(this.trusted, this.segments[0]!.baseOffset);
    const { disk } = this.context.io;
    const path = (offset: number) => `${this.dir}/${segmentFileName(offset, SNAPSHOT_SUFFIX)}`;
    this.replayFrom = this.segments[0]!.baseOffset;
    while (this.snapshots.length > 0) {
      const offset = this.snapshots.at(-1)!;
      const bytes = offset <= limit ? readSmallFile(disk, path(offset)) : null;
      const entries = bytes === null ? null : decodeProducerSnapshot(bytes);
      if (entries !== null) {
        for (const entry of entries) this.producers.restore(entry, this.nowMs);
        this.replayFrom = Math.max(offset, this.replayFrom);
        return;
      }
      if (offset <= limit) this.report("a producer snapshot is damaged", { offset });
      disk.remove(path(offset));
      this.snapshots.pop();
    }
  }

  /** Reads from the segment that holds `from` to the end. */
  private async scanFrom(from: number): Promise<void> {
    let index = this.segments.findLastIndex((segment) => segment.baseOffset <= from);
    if (index < 0) index = 0;
    for (; index < this.segments.length; index++) await this.scanSegment(this.segments[index]!);
  }

  private async scanSegment(segment: Segment): Promise<void> {
    segment.clearIndexes();
    this.scanned.add(segment);
    if (segment.baseOffset > this.endOffset && this.cut === null && segment !== this.segments[0]) {
      this.noteMissing(segment);
    }
    const pinned = this.context.files.pin(segment.logPath);
    try {
      const scan = new BatchScan(pinned.file, 0, segment.baseOffset, segment.sizeBytes, {
        dense: !this.config.cleanupPolicy.compact,
        verifyCrc: () => true,
      });
      for (let step = await scan.next(); step !== null; step = await scan.next()) {
        if (step.kind === "batch") this.take(segment, step.bytes, step.at, step);
        else this.noteDamage(segment, step);
      }
    } finally {
      pinned.release();
    }
  }

  private take(
    segment: Segment,
    bytes: Uint8Array,
    at: number,
    batch: { position: number; sizeBytes: number },
  ): void {
    const facts = {
      sizeBytes: batch.sizeBytes,
      baseOffset: baseOffset(bytes, at),
      lastOffset: lastOffset(bytes, at),
      maxTimestampMs: maxTimestamp(bytes, at),
    };
    segment.note(facts, batch.position, this.config.indexIntervalBytes);
    if (facts.baseOffset >= this.epochsFrom) {
      this.epochs.assign(partitionLeaderEpoch(bytes, at), facts.baseOffset);
    }
    if (facts.baseOffset >= this.replayFrom) this.producers.update(bytes, at, this.nowMs);
    if (this.cut !== null) {
      const { offset } = this.cut;
      this.report("damaged batches are fenced", { from: offset, to: facts.baseOffset - 1 });
    }
    this.cut = null;
    this.endOffset = Math.max(this.endOffset, facts.lastOffset + 1);
  }

  private noteDamage(segment: Segment, damage: { position: number; offset: number }): void {
    this.cut ??= { segment, position: damage.position, offset: damage.offset };
  }

  /** The end of the segment before this one is missing. */
  private noteMissing(segment: Segment): void {
    const before = this.segments[this.segments.indexOf(segment) - 1]!;
    this.cut = { segment: before, position: before.sizeBytes, offset: this.endOffset };
  }

  private applyCut(): void {
    const { cut } = this;
    if (cut === null) return;
    if (cut.offset < this.trusted) {
      this.report("data is damaged at the end of a log", { from: cut.offset, to: this.endOffset });
      return;
    }
    const behind = cut.segment.sizeBytes - cut.position;
    this.report("a torn end is cut off", { offset: cut.offset, bytes: behind });
    cut.segment.truncate(cut.position, cut.offset);
    const { disk } = this.context.io;
    for (const later of this.segments.splice(this.segments.indexOf(cut.segment) + 1)) {
      later.closeFiles();
      this.scanned.delete(later);
      for (const path of later.paths) disk.remove(path);
    }
  }

  /** A segment that was not read but lacks an index gets new ones. */
  private async remakeIndexes(): Promise<void> {
    for (const segment of this.segments) {
      if (this.scanned.has(segment)) continue;
      const needsIndex = segment.sizeBytes > 2 * this.config.indexIntervalBytes;
      const isWhole = segment.offsetIndex.isWhole && segment.timeIndex.isWhole;
      if (isWhole && (segment.timeIndex.count > 0 || !needsIndex)) continue;
      this.report("an index is made again", { segment: segment.baseOffset });
      await this.remakeIndex(segment);
    }
  }

  private async remakeIndex(segment: Segment): Promise<void> {
    segment.clearIndexes();
    const pinned = this.context.files.pin(segment.logPath);
    try {
      const scan = new BatchScan(pinned.file, 0, segment.baseOffset, segment.sizeBytes, {
        dense: !this.config.cleanupPolicy.compact,
        verifyCrc: () => true,
      });
      for (let step = await scan.next(); step !== null; step = await scan.next()) {
        if (step.kind === "damage") continue;
        segment.note(
          {
            sizeBytes: step.sizeBytes,
            baseOffset: baseOffset(step.bytes, step.at),
            lastOffset: lastOffset(step.bytes, step.at),
            maxTimestampMs: maxTimestamp(step.bytes, step.at),
          },
          step.position,
          this.config.indexIntervalBytes,
        );
      }
    } finally {
      pinned.release();
    }
    this.scanned.add(segment);
  }

  private async syncScanned(): Promise<void> {
    const { disk } = this.context.io;
    for (const segment of this.scanned) {
      segment.flushIndexes();
      for (const path of segment.paths) await this.sync(path);
    }
    const metadata = `${this.dir}/${PARTITION_METADATA_FILE}`;
    if (disk.stat(metadata) !== null) await this.sync(metadata);
    await disk.syncDir(this.dir);
    await disk.syncDir(this.context.path);
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
