/**
 * One segment of a log: a run of record batches in a `.log` file, exactly as on the wire, its two
 * sparse indexes, and the list of aborted transactions. It knows bytes and positions; what offsets
 * mean is the log's business.
 */
import { type Disk, DiskError } from "../core/io.ts";
import { AbortedIndex } from "./aborted-index.ts";
import {
  baseOffset,
  batchSizeBytes,
  lastOffset,
  maxTimestamp,
  NO_TIMESTAMP,
  readInt32,
  recordsCount,
} from "../core/records/batch-header.ts";
import { isPlausibleHeader } from "./batch-scan.ts";
import { KeyIndex } from "./keys/key-index.ts";
import {
  ABORTED_INDEX_SUFFIX,
  DELETED_SUFFIX,
  INDEX_SUFFIX,
  KEY_INDEX_SUFFIX,
  LOG_SUFFIX,
  segmentFileName,
  TIME_INDEX_SUFFIX,
} from "./names.ts";
import type { OpenFiles } from "./open-files.ts";
import { type IndexEntry, SparseIndex } from "./sparse-index.ts";

/** Largest distance of an offset from its segment's base, and largest size of a `.log`. */
const INT32_MAX = 0x7fff_ffff;

/** Sizes of a segment's files as they were found, in bytes; 0 for one that is not there. */
export interface SegmentSizes {
  readonly log: number;
  readonly index: number;
  readonly timeIndex: number;
  /** Null if there is no file. */
  readonly abortedIndex: number | null;
  readonly keyIndex: number | null;
}

/** What the log knows of a batch that it appends. */
export interface BatchFacts {
  readonly sizeBytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly maxTimestampMs: number;
}

/** See the head of this file. */
export class Segment {
  /** Bytes of whole batches in the `.log` file. */
  sizeBytes: number;
  readonly offsetIndex: SparseIndex;
  readonly timeIndex: SparseIndex;
  readonly abortedIndex: AbortedIndex;
  readonly keyIndex: KeyIndex;
  /** The largest timestamp of all batches, and the last offset of the batch that has it. */
  maxTimestampMs = NO_TIMESTAMP;
  maxTimestampOffset = -1;
  private knowsMaxTimestamp: boolean;
  /** The largest timestamp of the first batch: the age of a segment counts from it. */
  firstTimestampMs: number | null = null;
  /** Wall time of the last batch that this process has appended, or null. */
  appendedMs: number | null = null;
  private bytesSinceIndexEntry = 0;
  /** Whether it is no part of the log any more; who reads it may go on for a while. */
  isGone = false;
  /** What the names of its files have behind their usual suffix. */
  private tail = "";
  /** A failed write may have left bytes behind the end: they are cut off before the next write. */
  private hasTornTail = false;

  constructor(
    private readonly files: OpenFiles,
    private readonly dir: string,
    readonly baseOffset: number,
    sizes: SegmentSizes,
    /** Wall time at which the segment was made or opened. */
    readonly createdMs: number,
    /** What `segment.jitter.ms` takes off this segment's `segment.ms`. */
    readonly jitterMs: number,
  ) {
    this.sizeBytes = sizes.log;
    this.knowsMaxTimestamp = sizes.log === 0;
    const path = (suffix: string) => () => this.pathWith(suffix);
    this.offsetIndex = new SparseIndex(files, path(INDEX_SUFFIX), "offset", sizes.index);
    this.timeIndex = new SparseIndex(files, path(TIME_INDEX_SUFFIX), "time", sizes.timeIndex);
    this.abortedIndex = new AbortedIndex(files, path(ABORTED_INDEX_SUFFIX), sizes.abortedIndex);
    this.keyIndex = new KeyIndex(files, path(KEY_INDEX_SUFFIX), baseOffset, sizes.keyIndex);
  }

  /** Makes the empty `.log` file, with room for `reserveBytes`. Throws a `DiskError`. */
  static create(
    files: OpenFiles,
    dir: string,
    baseOffset: number,
    options: { createdMs: number; jitterMs: number; tail?: string; reserveBytes?: number },
  ): Segment {
    const none = { log: 0, index: 0, timeIndex: 0, abortedIndex: null, keyIndex: null };
    const { createdMs, jitterMs } = options;
    const segment = new Segment(files, dir, baseOffset, none, createdMs, jitterMs);
    segment.tail = options.tail ?? "";
    const file = files.create(segment.logPath);
    if (options.reserveBytes !== undefined) {
      file.allocateSync(Math.min(options.reserveBytes, INT32_MAX));
    }
    return segment;
  }

  /** Opens one whose files have this tail, and are complete. Throws a `DiskError`. */
  static open(
    files: OpenFiles,
    disk: Disk,
    dir: string,
    baseOffset: number,
    { createdMs, jitterMs, tail }: { createdMs: number; jitterMs: number; tail: string },
  ): Segment {
    const stat = (suffix: string) =>
      disk.stat(`${dir}/${segmentFileName(baseOffset, suffix)}${tail}`);
    const sizes = {
      log: stat(LOG_SUFFIX)?.sizeBytes ?? 0,
      index: stat(INDEX_SUFFIX)?.sizeBytes ?? 0,
      timeIndex: stat(TIME_INDEX_SUFFIX)?.sizeBytes ?? 0,
      abortedIndex: stat(ABORTED_INDEX_SUFFIX)?.sizeBytes ?? null,
      keyIndex: stat(KEY_INDEX_SUFFIX)?.sizeBytes ?? null,
    };
    const segment = new Segment(files, dir, baseOffset, sizes, createdMs, jitterMs);
    segment.tail = tail;
    return segment;
  }

  /** Gives back the room behind the end of the `.log`. Throws a `DiskError`. */
  trim(): void {
    this.files.get(this.logPath).truncateSync(this.sizeBytes);
  }

  get logPath(): string {
    return this.pathWith(LOG_SUFFIX);
  }

  /** What `logPath` would be under another tail. */
  logPathWith(tail: string): string {
    return `${this.dir}/${segmentFileName(this.baseOffset, LOG_SUFFIX)}${tail}`;
  }

  /** Whether its files have their usual names: not while it takes the place of others. */
  get hasUsualName(): boolean {
    return this.tail === "";
  }

  /** All paths that the segment may have. */
  get paths(): string[] {
    const { logPath, offsetIndex, timeIndex, abortedIndex, keyIndex } = this;
    return [
      logPath,
      offsetIndex.path,
      timeIndex.path,
      ...abortedIndex.paths,
      ...keyIndex.paths,
    ];
  }

  /** Whether a batch of this size and last offset fits what the formats can say. */
  canHold(sizeBytes: number, lastOffset: number): boolean {
    return this.sizeBytes + sizeBytes <= INT32_MAX && lastOffset - this.baseOffset <= INT32_MAX;
  }

  /**
   * Writes one batch into the page cache. Throws a `DiskError`, and then nothing has changed.
   */
  append(bytes: Uint8Array, facts: BatchFacts, indexIntervalBytes: number): void {
    const file = this.files.get(this.logPath);
    if (this.hasTornTail) file.truncateSync(this.sizeBytes);
    this.hasTornTail = false;
    try {
      file.writeSync(bytes, this.sizeBytes);
    } catch (error) {
      this.cutTornTail();
      throw error;
    }
    this.note(facts, this.sizeBytes, indexIntervalBytes);
    this.sizeBytes += facts.sizeBytes;
  }

  /**
   * Writes whole batches into the page cache, in one go. Throws a `DiskError`, after which the
   * segment is to be thrown away.
   */
  appendAll(bytes: Uint8Array, indexIntervalBytes: number): void {
    this.files.get(this.logPath).writeSync(bytes, this.sizeBytes);
    for (let at = 0; at < bytes.length;) {
      const facts = factsOf(bytes, at);
      this.note(facts, this.sizeBytes, indexIntervalBytes);
      this.sizeBytes += facts.sizeBytes;
      at += facts.sizeBytes;
    }
  }

  /**
   * Renames its files, those of them that are there. Returns their new paths. Throws a `DiskError`.
   */
  rename(disk: Disk, tail: string): string[] {
    const before = this.paths;
    this.closeFiles();
    this.tail = tail;
    const after = this.paths;
    // A crash may keep only the first of the renames, and what has no `.log` is removed then: so it
    // goes first where all are to go, and last where all are to come.
    const order = [...before.keys()];
    if (!tail.endsWith(DELETED_SUFFIX)) order.reverse();
    const renamed: string[] = [];
    for (const index of order) {
      if (disk.stat(before[index]!) === null) continue;
      disk.rename(before[index]!, after[index]!);
      renamed.push(after[index]!);
    }
    return renamed;
  }

  /** Takes a batch that is in the file at `position` into the indexes and the largest timestamp. */
  note(facts: BatchFacts, position: number, indexIntervalBytes: number): void {
    this.loadMaxTimestamp();
    if (position === 0) this.firstTimestampMs = facts.maxTimestampMs;
    if (facts.maxTimestampMs > this.maxTimestampMs) {
      this.maxTimestampMs = facts.maxTimestampMs;
      this.maxTimestampOffset = facts.lastOffset;
    }
    if (this.bytesSinceIndexEntry > indexIntervalBytes) {
      this.offsetIndex.append(facts.lastOffset - this.baseOffset, position);
      this.noteTimestamp();
      this.bytesSinceIndexEntry = 0;
    }
    this.bytesSinceIndexEntry += facts.sizeBytes;
  }

  /** Where to start looking for `offset`: the start of a batch at or before it. */
  positionFor(offset: number): number {
    return this.offsetIndex.floor(offset - this.baseOffset)?.value ?? 0;
  }

  /** Writes the waiting index entries, with one for the largest timestamp. Throws a `DiskError`. */
  flushIndexes(): void {
    this.noteTimestamp();
    this.offsetIndex.ensureFile();
    this.timeIndex.ensureFile();
    this.offsetIndex.flush();
    this.timeIndex.flush();
  }

  /** Cuts the `.log` at the start of a batch; the indexes stay as they are. Throws a `DiskError`. */
  cut(sizeBytes: number): void {
    this.keyIndex.clear();
    this.files.get(this.logPath).truncateSync(sizeBytes);
    this.sizeBytes = sizeBytes;
    this.hasTornTail = false;
  }

  /** Takes the largest timestamp from the time index: right once the indexes are complete. */
  loadMaxTimestamp(): void {
    if (this.knowsMaxTimestamp) return;
    this.knowsMaxTimestamp = true;
    const last = this.timeIndex.last();
    this.maxTimestampMs = last?.key ?? NO_TIMESTAMP;
    this.maxTimestampOffset = last === null ? -1 : this.baseOffset + last.value;
  }

  /** Forgets indexes and timestamps, to make them anew with `note`. Throws a `DiskError`. */
  clearIndexes(): void {
    this.keyIndex.clear();
    this.offsetIndex.clear();
    this.timeIndex.clear();
    this.knowsMaxTimestamp = true;
    this.maxTimestampMs = NO_TIMESTAMP;
    this.maxTimestampOffset = -1;
    this.firstTimestampMs = null;
    this.bytesSinceIndexEntry = 0;
  }

  /** The timestamp from which the age of the segment counts; null if it is empty. */
  loadFirstTimestamp(): number | null {
    if (this.firstTimestampMs !== null || this.sizeBytes === 0) return this.firstTimestampMs;
    const header = new Uint8Array(61);
    if (this.files.get(this.logPath).readSync(header, 0) < header.length) return null;
    // The batches at the start may have been cleaned away.
    if (baseOffset(header, 0) < this.baseOffset || readInt32(header, 8) < 0) return null;
    this.firstTimestampMs = maxTimestamp(header, 0);
    return this.firstTimestampMs;
  }

  /** Closes the handles. */
  closeFiles(): void {
    for (const path of this.paths) this.files.close(path);
  }

  private noteTimestamp(): void {
    this.loadMaxTimestamp();
    if (this.maxTimestampOffset < this.baseOffset) return;
    this.timeIndex.append(this.maxTimestampMs, this.maxTimestampOffset - this.baseOffset);
  }

  private cutTornTail(): void {
    try {
      this.files.get(this.logPath).truncateSync(this.sizeBytes);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.hasTornTail = true;
    }
  }

  private pathWith(suffix: string): string {
    return `${this.dir}/${segmentFileName(this.baseOffset, suffix)}${this.tail}`;
  }
}

/** What the indexes need of the batch at `at`. One without records has no timestamp that counts. */
export function factsOf(bytes: Uint8Array, at: number): BatchFacts {
  return {
    sizeBytes: batchSizeBytes(bytes, at),
    baseOffset: baseOffset(bytes, at),
    lastOffset: lastOffset(bytes, at),
    maxTimestampMs: recordsCount(bytes, at) === 0 ? NO_TIMESTAMP : maxTimestamp(bytes, at),
  };
}

/**
 * Whether an entry of the offset index is true: `header`, which was read at its position, begins a
 * batch, and that ends with its offset. Anything else is damage, of the index or of the batch.
 */
export function isIndexed(segment: Segment, entry: IndexEntry, header: Uint8Array): boolean {
  return isPlausibleHeader(header, segment.sizeBytes - entry.value) &&
    lastOffset(header, 0) === segment.baseOffset + entry.key;
}
