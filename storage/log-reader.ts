/**
 * Reads whole batches out of the segments of a log. A read starts at the place where the last one
 * ended, if it goes on from there, else where the sparse index says, and takes one positioned read
 * as a rule: what it costs does not depend on how much is stored.
 *
 * Bytes below `trustedFrom` were there when the log was opened: their CRC is checked before they
 * are handed out. A damaged batch answers CORRUPT_MESSAGE for its own offsets only, and so do lost
 * ones: offsets below the log's end behind all batches, or in a dense log between them.
 *
 * `read` gives the bytes; `locate` only checks them, in memory that is used again, and answers with
 * the region of the file: the page cache has it then, and a slow client holds no memory.
 */
import { allocateUncleared, type BufferPool } from "../core/buffer-pool.ts";
import { type ErrorCode, Errors } from "../core/errors.ts";
import { DiskError, type DiskFile } from "../core/io.ts";
import {
  baseOffset,
  BATCH_HEADER_BYTES,
  batchSizeBytes,
  lastOffset,
} from "../core/records/batch-header.ts";
import { BatchScan, judgeBatch } from "./batch-scan.ts";
import type { OpenFiles } from "./open-files.ts";
import type { PlaceHints } from "./place-hints.ts";
import {
  type LocateResult,
  type Place,
  type ReadableLog,
  type ReadRange,
  type ReadResult,
  REGION_BYTES_MIN,
  regionOf,
} from "./readable-log.ts";
import { isIndexed, type Segment } from "./segment.ts";
import type { IndexEntry } from "./sparse-index.ts";

/** Room for the batches that an index entry lets a read begin before its target. */
const INDEX_SLACK_BYTES = 8192;
const EMPTY = new Uint8Array(0);

/** Where memory for reading comes from. */
type Memory = Pick<BufferPool, "take" | "give">;

/** Memory that whoever asked for the bytes keeps. */
const FRESH: Memory = { take: allocateUncleared, give: () => {} };

/** Batches that were read into `buffer` from `position` on, at `[start, end)` in it. */
interface Found {
  readonly kind: "found";
  readonly segment: Segment;
  readonly position: number;
  readonly buffer: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly nextOffset: number;
}

type Finding = Found | { readonly kind: "nothing" } | {
  readonly kind: "error";
  readonly error: ErrorCode;
};

/** See the head of this file. */
export class LogReader {
  constructor(
    private readonly log: ReadableLog,
    private readonly files: OpenFiles,
    private readonly buffers: BufferPool,
    private readonly hints: PlaceHints,
  ) {}

  /** Reads; `range.offset` has to be within the log. Throws a `DiskError`. */
  async read(range: ReadRange): Promise<ReadResult> {
    const found = await this.find(range, FRESH);
    if (found.kind === "error") return { ok: false, error: found.error };
    if (found.kind === "nothing") return { ok: true, records: EMPTY, nextOffset: range.offset };
    const { buffer, start, end, nextOffset } = found;
    return { ok: true, records: buffer.subarray(start, end), nextOffset };
  }

  /** As `read`, but many bytes are only checked and stay in their file. */
  async locate(range: ReadRange): Promise<LocateResult> {
    const found = await this.find(range, this.buffers);
    if (found.kind === "error") return { ok: false, error: found.error };
    if (found.kind === "nothing") return { ok: true, records: EMPTY, nextOffset: range.offset };
    const { segment, position, buffer, start, end, nextOffset } = found;
    const length = end - start;
    const records = length <= REGION_BYTES_MIN
      ? buffer.slice(start, end)
      : regionOf(this.log, this.files, segment, position + start, length);
    this.buffers.give(buffer);
    return { ok: true, records, nextOffset };
  }

  /** Opens a scan at or before the batch that holds `offset`; the caller releases the file. */
  async scanFrom(
    segment: Segment,
    offset: number,
  ): Promise<{ scan: BatchScan; release: () => void }> {
    const pinned = this.files.pin(segment.logPath);
    try {
      const place = await this.startFor(segment, pinned.file, offset);
      return {
        scan: this.scan(pinned.file, segment, place.position, place.offset),
        release: pinned.release,
      };
    } catch (error) {
      pinned.release();
      throw error;
    }
  }

  private async find(range: ReadRange, memory: Memory): Promise<Finding> {
    const { segments } = this.log;
    let index = segments.indexFor(range.offset);
    while (index >= 0 && index < segments.count) {
      const segment = segments.at(index)!;
      const found = await this.tryFind(segment, range, memory);
      // What was in a segment stays true if it is cleaned meanwhile; what was not may be elsewhere.
      if (found?.kind === "found" || !segment.isGone) {
        if (found !== null) return found;
        // Segments in front of it may have come or gone meanwhile.
        index = segments.indexFor(segment.baseOffset) + 1;
      } else {
        index = segments.indexFor(range.offset);
      }
    }
    // Cleaning keeps the last batch of a log: where the log ends later than its batches, some were
    // lost. Below all segments nothing is asked for unless they have gone under the read.
    return index < 0 ? { kind: "nothing" } : CORRUPT;
  }

  /** As `findInSegment`; null also if the segment's files have gone under the read. */
  private async tryFind(
    segment: Segment,
    range: ReadRange,
    memory: Memory,
  ): Promise<Finding | null> {
    try {
      return await this.findInSegment(segment, range, memory);
    } catch (error) {
      if (error instanceof DiskError && segment.isGone) return null;
      throw error;
    }
  }

  /** Null if the segment ends before the offset. */
  private async findInSegment(
    segment: Segment,
    range: ReadRange,
    memory: Memory,
  ): Promise<Finding | null> {
    const pinned = this.files.pin(segment.logPath);
    try {
      const place = await this.startFor(segment, pinned.file, range.offset);
      return await this.collect(segment, pinned.file, place, range, memory);
    } finally {
      pinned.release();
    }
  }

  private async startFor(segment: Segment, file: DiskFile, offset: number): Promise<Place> {
    const hint = this.hints.get(offset);
    if (hint?.segmentBase === segment.baseOffset && hint.position <= segment.sizeBytes) {
      return { position: hint.position, offset };
    }
    const entry = segment.offsetIndex.floor(offset - segment.baseOffset);
    const base = entry === null ? null : await this.verify(segment, file, entry);
    if (entry !== null && base !== null) return { position: entry.value, offset: base };
    return { position: 0, offset: segment.baseOffset };
  }

  /** The base offset of the batch that an index entry speaks of; null if it is not there. */
  private async verify(
    segment: Segment,
    file: DiskFile,
    entry: IndexEntry,
  ): Promise<number | null> {
    const header = new Uint8Array(BATCH_HEADER_BYTES);
    if (await file.read(header, entry.value) < header.length) return null;
    return isIndexed(segment, entry, header) ? baseOffset(header, 0) : null;
  }

  /** Walks from `place` to the offset, and takes what fits. */
  private async collect(
    segment: Segment,
    file: DiskFile,
    start: Place,
    range: ReadRange,
    memory: Memory,
  ): Promise<Finding | null> {
    const fileEnd = segment.sizeBytes;
    let { position, offset: expected } = start;
    let wanted = Math.max(range.maxBytes, BATCH_HEADER_BYTES) + INDEX_SLACK_BYTES;
    while (position < fileEnd) {
      const sizeBytes = Math.min(wanted, fileEnd - position);
      const buffer = memory.take(sizeBytes);
      const count = await file.read(buffer.subarray(0, sizeBytes), position);
      const walk = this.walk(buffer, count, fileEnd - position, expected, range);
      if (walk.kind !== "found") memory.give(buffer);
      switch (walk.kind) {
        case "found":
          if (!segment.isGone) {
            this.hints.note(walk.nextOffset, segment.baseOffset, position + walk.end);
          }
          return { segment, position, buffer, ...walk };
        case "nothing":
          return walk;
        case "more":
          position += walk.at;
          expected = walk.offset;
          wanted = Math.max(range.maxBytes, walk.wanted, BATCH_HEADER_BYTES);
          break;
        case "damage": {
          const step = await this.scan(file, segment, position + walk.at, walk.offset).next();
          if (step?.kind !== "damage") return CORRUPT;
          if (step.next === null) {
            const next = this.log.segments.at(this.log.segments.indexFor(segment.baseOffset) + 1);
            if (next !== null && range.offset >= next.baseOffset) return null;
            return CORRUPT;
          }
          if (range.offset < step.next.baseOffset) {
            return CORRUPT;
          }
          position = step.next.position;
          expected = step.next.baseOffset;
          break;
        }
      }
    }
    return null;
  }

  private walk(
    chunk: Uint8Array,
    end: number,
    fileBytesLeft: number,
    startOffset: number,
    range: ReadRange,
  ): Walk {
    let at = 0;
    let first = -1;
    let expected = startOffset;
    while (at < fileBytesLeft) {
      const verifyCrc = expected < this.log.trustedFrom();
      const verdict = judgeBatch(chunk, at, end, fileBytesLeft - at, {
        offset: expected,
        dense: !this.log.hasGaps(),
        verifyCrc,
      });
      if (first < 0 && verdict === "bad") return { kind: "damage", at, offset: expected };
      if (verdict === "short" && first < 0) {
        const known = end - at >= BATCH_HEADER_BYTES;
        const wanted = known ? batchSizeBytes(chunk, at) : 0;
        const isTarget = known && lastOffset(chunk, at) >= range.offset;
        if (isTarget && !range.minOneBatch && wanted > range.maxBytes) return { kind: "nothing" };
        return { kind: "more", at, offset: expected, wanted };
      }
      if (verdict !== "good") break;
      const size = batchSizeBytes(chunk, at);
      const last = lastOffset(chunk, at);
      if (last >= range.offset) {
        if (first < 0 && baseOffset(chunk, at) > range.offset && !this.log.hasGaps()) {
          return { kind: "damage", at, offset: expected };
        }
        if (last >= range.endOffset) break;
        if (first < 0) {
          if (size > range.maxBytes && !range.minOneBatch) return { kind: "nothing" };
          first = at;
        } else if (at + size - first > range.maxBytes) break;
      }
      at += size;
      expected = last + 1;
    }
    if (first < 0) {
      return at < fileBytesLeft
        ? { kind: "nothing" }
        : { kind: "more", at, offset: expected, wanted: 0 };
    }
    return { kind: "found", start: first, end: at, nextOffset: expected };
  }

  private scan(file: DiskFile, segment: Segment, position: number, offset: number): BatchScan {
    return new BatchScan(file, position, offset, segment.sizeBytes, {
      dense: !this.log.hasGaps(),
      verifyCrc: (at) => at < this.log.trustedFrom(),
    });
  }
}

const CORRUPT: Finding = { kind: "error", error: Errors.CORRUPT_MESSAGE };

/** How far a walk over a chunk came. */
type Walk =
  | {
    readonly kind: "found";
    readonly start: number;
    readonly end: number;
    readonly nextOffset: number;
  }
  | { readonly kind: "nothing" }
  | {
    readonly kind: "more";
    readonly at: number;
    readonly offset: number;
    readonly wanted: number;
  }
  | { readonly kind: "damage"; readonly at: number; readonly offset: number };
