/**
 * Finds the bytes of a fetch as a region of a segment's file, so that they can go from the page
 * cache to the socket without being read. Only batches that this process has written and that the
 * page cache holds are found this way; for all others the answer is null, and `LogReader` reads and
 * checks them.
 *
 * Cost: a fetch that goes on where an earlier one ended, up to the end of what may be read, needs
 * no disk access; others look into the sparse index and at a few batch headers.
 */
import {
  baseOffset,
  BATCH_HEADER_BYTES,
  batchSizeBytes,
  lastOffset,
} from "../core/records/batch-header.ts";
import { isPlausibleHeader } from "./batch-scan.ts";
import type { OpenFiles } from "./open-files.ts";
import type { PlaceHints } from "./place-hints.ts";
import {
  type Located,
  type Place,
  type ReadableLog,
  type ReadRange,
  REGION_BYTES_MIN,
  regionOf,
} from "./readable-log.ts";
import { isIndexed, type Segment } from "./segment.ts";
import type { IndexEntry } from "./sparse-index.ts";

/** Batch headers that are looked at before the slow path is taken. */
const STEPS_MAX = 256;
const EMPTY = new Uint8Array(0);

/** See the head of this file. */
export class RegionFinder {
  private readonly header = new Uint8Array(BATCH_HEADER_BYTES);
  private readonly memo = { segmentBase: -1, position: -1 };

  constructor(
    private readonly log: ReadableLog,
    private readonly files: OpenFiles,
    private readonly hints: PlaceHints,
  ) {}

  /** The log has been cut: places may have changed. */
  reset(): void {
    this.memo.position = -1;
  }

  /** `range.offset` is within the log. Null if it has to be read. Throws a `DiskError`. */
  find(range: ReadRange, logEndOffset: number): Located | null {
    if (range.offset < this.log.trustedFrom()) return null;
    const { segments } = this.log;
    const index = segments.indexFor(range.offset);
    const segment = segments.at(index);
    if (segment === null) return null;
    const segmentEnd = segments.at(index + 1)?.baseOffset ?? logEndOffset;
    const start = this.placeOf(segment, range.offset);
    if (start === null || start.position >= segment.sizeBytes) return null;
    const end = this.endOf(segment, start, range, segmentEnd);
    if (end === null) return null;
    if (end.position <= start.position) {
      return { ok: true, records: EMPTY, nextOffset: range.offset };
    }
    return this.take(segment, start.position, end);
  }

  private take(segment: Segment, position: number, end: Place): Located | null {
    const length = end.position - position;
    const file = this.files.get(segment.logPath);
    if (!file.isCached(position, length)) return null;
    this.hints.note(end.offset, segment.baseOffset, end.position);
    const nextOffset = end.offset;
    if (length <= REGION_BYTES_MIN) {
      const records = new Uint8Array(length);
      return file.readSync(records, position) === length ? { ok: true, records, nextOffset } : null;
    }
    return {
      ok: true,
      records: regionOf(this.log, this.files, segment, position, length),
      nextOffset,
    };
  }

  /** The batch that holds `offset`: where it starts. */
  private placeOf(segment: Segment, offset: number): Place | null {
    const hint = this.hints.get(offset);
    if (hint?.segmentBase === segment.baseOffset) return { position: hint.position, offset };
    const entry = segment.offsetIndex.floor(offset - segment.baseOffset);
    if (!this.isTrue(segment, entry)) return null;
    return this.walk(segment, entry?.value ?? 0, (last) => last >= offset);
  }

  /** Where the read ends: at the bound of its bytes or of what may be read, after whole batches. */
  private endOf(
    segment: Segment,
    start: Place,
    range: ReadRange,
    segmentEnd: number,
  ): Place | null {
    const visible = range.endOffset >= segmentEnd
      ? { position: segment.sizeBytes, offset: segmentEnd }
      : this.placeOf(segment, range.endOffset);
    const limit = start.position + Math.max(0, range.maxBytes);
    if (visible === null || visible.position <= limit) return visible;
    const entry = segment.offsetIndex.floorByValue(limit);
    if (!this.isTrue(segment, entry)) return null;
    const from = Math.max(entry?.value ?? 0, start.position);
    const end = this.walk(segment, from, (_last, batchEnd) => batchEnd > limit);
    if (end === null || end.position > start.position || !range.minOneBatch) return end;
    if (!this.readHeader(segment, start.position)) return null;
    return {
      position: start.position + batchSizeBytes(this.header, 0),
      offset: lastOffset(this.header, 0) + 1,
    };
  }

  /** The first batch from `position` on for which `stop` says so, or the end of the segment. */
  private walk(
    segment: Segment,
    position: number,
    stop: (lastOffset: number, batchEnd: number) => boolean,
  ): Place | null {
    let at = position;
    let expected = position === 0 ? segment.baseOffset : null;
    for (let step = 0; step < STEPS_MAX; step++) {
      if (at >= segment.sizeBytes || !this.readHeader(segment, at)) return null;
      const end = at + batchSizeBytes(this.header, 0);
      const base = baseOffset(this.header, 0);
      const last = lastOffset(this.header, 0);
      // The walk may pass batches of an earlier process, which can be damaged.
      if (expected !== null && base !== expected && !this.log.hasGaps()) return null;
      if (stop(last, end)) {
        return base >= this.log.trustedFrom() ? { position: at, offset: base } : null;
      }
      at = end;
      expected = last + 1;
    }
    return null;
  }

  /** An index entry is taken only if the batch is there that it speaks of. */
  private isTrue(segment: Segment, entry: IndexEntry | null): boolean {
    if (entry === null) return true;
    return this.readHeader(segment, entry.value) &&
      isIndexed(segment, entry, this.header);
  }

  /** Reads the batch header at `position`; false if there is none, or the page cache lacks it. */
  private readHeader(segment: Segment, position: number): boolean {
    const { memo } = this;
    if (memo.segmentBase === segment.baseOffset && memo.position === position) return true;
    memo.position = -1;
    if (position + BATCH_HEADER_BYTES > segment.sizeBytes) return false;
    const file = this.files.get(segment.logPath);
    if (!file.isCached(position, BATCH_HEADER_BYTES)) return false;
    if (file.readSync(this.header, position) < BATCH_HEADER_BYTES) return false;
    if (!isPlausibleHeader(this.header, segment.sizeBytes - position)) return false;
    memo.segmentBase = segment.baseOffset;
    memo.position = position;
    return true;
  }
}
