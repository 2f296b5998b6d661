/**
 * Judges what lies in a `.log` file, batch by batch, and finds the next good batch behind a bad
 * one. Nothing in a file is trusted until its length, its offsets and, for bytes that this process
 * has not written itself, its CRC have been checked.
 */
import { allocateUncleared } from "../core/buffer-pool.ts";
import type { DiskFile } from "../core/io.ts";
import {
  baseOffset,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  batchSizeBytes,
  crcMatches,
  lastOffsetDelta,
  magic,
} from "../core/records/batch-header.ts";

/** A larger batch is taken for damage: no request that could bring one is accepted. */
export const MAX_BATCH_BYTES = 128 * 1024 * 1024;
/** What a scan reads at a time. */
export const SCAN_CHUNK_BYTES = 1024 * 1024;
const MAX_OFFSET_JUMP = 0x7fff_ffff;
/** No compression packs more records than this into a byte of a batch. */
const RECORDS_PER_BYTE_MAX = 4096;

/** How a batch has to continue what lies before it. */
export interface BatchExpectation {
  /** The offset behind the batch before; null where that is not known. */
  readonly offset: number | null;
  /** Whether offsets have no gaps: so in every log that is not compacted. */
  readonly dense: boolean;
  readonly verifyCrc: boolean;
}

/** `short`: the bytes at hand end before the batch does, the file does not. */
export type BatchVerdict = "good" | "bad" | "short";

/**
 * Judges the batch at `at` in `bytes[0, end)`, of which the file holds `fileBytesLeft` from `at` on.
 */
export function judgeBatch(
  bytes: Uint8Array,
  at: number,
  end: number,
  fileBytesLeft: number,
  expected: BatchExpectation,
): BatchVerdict {
  if (fileBytesLeft < BATCH_HEADER_BYTES) return "bad";
  if (end - at < BATCH_HEADER_BYTES) return "short";
  if (magic(bytes, at) !== BATCH_MAGIC) return "bad";
  const size = batchSizeBytes(bytes, at);
  if (size < BATCH_HEADER_BYTES || size > fileBytesLeft || size > MAX_BATCH_BYTES) return "bad";
  const base = baseOffset(bytes, at);
  if (base < 0 || lastOffsetDelta(bytes, at) < 0) return "bad";
  if (expected.offset !== null) {
    if (base < expected.offset || (expected.dense && base !== expected.offset)) return "bad";
  }
  if (!expected.verifyCrc) return size > end - at ? "short" : "good";
  if (size > end - at) return "short";
  return crcMatches(bytes, at) ? "good" : "bad";
}

const ANY_BATCH: BatchExpectation = { offset: null, dense: false, verifyCrc: false };

/** Whether the bytes can be the header of a batch where the file has `fileBytesLeft` bytes left. */
export function isPlausibleHeader(header: Uint8Array, fileBytesLeft: number): boolean {
  return judgeBatch(header, 0, BATCH_HEADER_BYTES, fileBytesLeft, ANY_BATCH) !== "bad";
}

/** A window of a file in memory. */
export class FileWindow {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where in the file `bytes` starts. */
  position = 0;

  constructor(private readonly file: DiskFile, readonly endPosition: number) {}

  /** Makes sure that `[position, position + count)`, as far as the file has it, is in memory. */
  async load(position: number, count: number): Promise<void> {
    const wanted = Math.min(count, this.endPosition - position);
    if (position >= this.position && position + wanted <= this.position + this.bytes.length) return;
    const size = Math.min(Math.max(wanted, SCAN_CHUNK_BYTES), this.endPosition - position);
    const into = allocateUncleared(Math.max(0, size));
    const read = await this.file.read(into, position);
    this.bytes = into.subarray(0, read);
    this.position = position;
  }

  /** Index in `bytes` of a position in the file. */
  index(position: number): number {
    return position - this.position;
  }
}

/** A batch or a damaged stretch that a scan came upon. */
export type ScanStep =
  | {
    readonly kind: "batch";
    readonly position: number;
    readonly bytes: Uint8Array;
    readonly at: number;
    readonly sizeBytes: number;
  }
  /** `next` is the first good batch behind the damage, null if none follows. */
  | {
    readonly kind: "damage";
    readonly position: number;
    readonly offset: number;
    readonly next: { readonly position: number; readonly baseOffset: number } | null;
  };

/** Walks over the batches of a file from a known batch start. */
export class BatchScan {
  private readonly window: FileWindow;

  constructor(
    file: DiskFile,
    public position: number,
    /** The offset that the next batch has to have. */
    public offset: number,
    endPosition: number,
    private readonly options: { dense: boolean; verifyCrc: (offset: number) => boolean },
  ) {
    this.window = new FileWindow(file, endPosition);
  }

  /** The next step; null at the end. `bytes` is valid until the step after. */
  async next(): Promise<ScanStep | null> {
    const { window, position } = this;
    if (position >= window.endPosition) return null;
    const verifyCrc = this.options.verifyCrc(this.offset);
    const expected = { offset: this.offset, dense: this.options.dense, verifyCrc };
    const { at, verdict } = await this.judge(position, expected);
    if (verdict !== "good") return await this.skipDamage();
    const sizeBytes = batchSizeBytes(window.bytes, at);
    this.position = position + sizeBytes;
    this.offset = baseOffset(window.bytes, at) + lastOffsetDelta(window.bytes, at) + 1;
    return { kind: "batch", position, bytes: window.bytes, at, sizeBytes };
  }

  /** Loads what is at `position`: where it lies in the window, and what it is worth. */
  private async judge(
    position: number,
    expected: BatchExpectation,
  ): Promise<{ at: number; verdict: BatchVerdict }> {
    const { window } = this;
    const left = window.endPosition - position;
    await window.load(position, BATCH_HEADER_BYTES);
    let at = window.index(position);
    let verdict = judgeBatch(window.bytes, at, window.bytes.length, left, expected);
    if (verdict === "short" && window.bytes.length - at >= BATCH_HEADER_BYTES) {
      await window.load(position, batchSizeBytes(window.bytes, at));
      at = window.index(position);
      verdict = judgeBatch(window.bytes, at, window.bytes.length, left, expected);
    }
    return { at, verdict };
  }

  private async skipDamage(): Promise<ScanStep> {
    const { position, offset } = this;
    const next = await this.findGoodBatch(position, offset);
    this.position = next?.position ?? this.window.endPosition;
    this.offset = next?.baseOffset ?? offset;
    return { kind: "damage", position, offset, next };
  }

  /** First where the bad batch says that it ends, then byte by byte. */
  private async findGoodBatch(
    start: number,
    offset: number,
  ): Promise<{ position: number; baseOffset: number } | null> {
    const { window } = this;
    await window.load(start, BATCH_HEADER_BYTES);
    const at = window.index(start);
    if (window.bytes.length - at >= BATCH_HEADER_BYTES) {
      const claimed = start + batchSizeBytes(window.bytes, at);
      const found = claimed > start ? await this.chained(claimed, start, offset) : null;
      if (found !== null) return found;
    }
    for (let position = start + 1; position + BATCH_HEADER_BYTES <= window.endPosition;) {
      await window.load(position, BATCH_HEADER_BYTES);
      const from = window.index(position);
      const candidate = nextCandidate(window.bytes, from, offset);
      if (candidate < 0) {
        position += Math.max(1, window.bytes.length - from - BATCH_HEADER_BYTES + 1);
        if (window.bytes.length - from < BATCH_HEADER_BYTES) return null;
        continue;
      }
      position += candidate - from;
      const found = await this.chained(position, start, offset);
      if (found !== null) return found;
      position++;
    }
    return null;
  }

  /**
   * The right batch at `position`, if there is one and its offset can be believed, which no CRC
   * covers: the skipped bytes could hold the skipped records, unless some may be missing, and a
   * good batch behind it, if there is one, does not have a smaller offset.
   */
  private async chained(
    position: number,
    start: number,
    offset: number,
  ): Promise<{ position: number; baseOffset: number } | null> {
    const batch = await this.goodBatch(position);
    if (batch === null || batch.baseOffset <= offset) return null;
    const isFar = batch.baseOffset - offset > (position - start) * RECORDS_PER_BYTE_MAX;
    if (this.options.dense && isFar) return null;
    const next = await this.goodBatch(batch.endPosition);
    const isBelied = next !== null && offset < next.baseOffset &&
      next.baseOffset < batch.nextOffset;
    if (isBelied) return null;
    return { position, baseOffset: batch.baseOffset };
  }

  /** The whole batch with a right CRC at `position`, or null. */
  private async goodBatch(
    position: number,
  ): Promise<{ baseOffset: number; nextOffset: number; endPosition: number } | null> {
    const { window } = this;
    if (window.endPosition - position < BATCH_HEADER_BYTES) return null;
    const expected = { offset: null, dense: false, verifyCrc: true };
    const { at, verdict } = await this.judge(position, expected);
    if (verdict !== "good") return null;
    const base = baseOffset(window.bytes, at);
    return {
      baseOffset: base,
      nextOffset: base + lastOffsetDelta(window.bytes, at) + 1,
      endPosition: position + batchSizeBytes(window.bytes, at),
    };
  }
}

/** Index of the next place in `bytes` that looks like a batch behind `offset`, or −1. */
function nextCandidate(bytes: Uint8Array, from: number, offset: number): number {
  for (let at = from; at + BATCH_HEADER_BYTES <= bytes.length; at++) {
    if (bytes[at + 16] !== BATCH_MAGIC || bytes[at]! > 0) continue;
    const size = batchSizeBytes(bytes, at);
    if (size < BATCH_HEADER_BYTES || size > MAX_BATCH_BYTES) continue;
    const base = baseOffset(bytes, at);
    if (base > offset && base - offset <= MAX_OFFSET_JUMP) return at;
  }
  return -1;
}
