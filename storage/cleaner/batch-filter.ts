/**
 * What cleaning leaves of one batch (Kafka's `MemoryRecords.filterTo` and `Cleaner.cleanInto`).
 * Offsets never change, nor does what a batch says of its producer. A batch of which nothing is
 * left disappears, unless its header is still needed: it then stays without records.
 *
 * The first cleaning that meets a tombstone, or a marker whose transaction has no data any more,
 * does not drop it: it writes into the batch from when on it may be dropped, the delete horizon
 * (KIP-534), so that consumers have `delete.retention.ms` from then on to see it. The horizon takes
 * the place of the base timestamp, and the records' timestamps become relative to it.
 */
import { codecFor, type Codecs } from "../../core/compression/codec.ts";
import {
  attributes,
  baseTimestamp,
  BATCH_HEADER_BYTES,
  BatchAttributes,
  BatchField,
  batchSizeBytes,
  compressionId,
  hasDeleteHorizon,
  isLogAppendTime,
  LOG_OVERHEAD_BYTES,
  NO_TIMESTAMP,
  updateCrc,
  writeInt16,
  writeInt32,
  writeInt64,
} from "../../core/records/batch-header.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from "../../core/varint.ts";

/** What is to be done with a batch. */
export interface BatchVerdict {
  /** Nothing of it is kept, whatever its records say. */
  readonly dropsRecords: boolean;
  /** Its header stays even if no record does. */
  readonly keepsHeader: boolean;
  /** A marker that may be dropped some time later. */
  readonly isOutlivedMarker: boolean;
}

/** Whether the record on which the cursor stands is kept. */
export type RecordFilter = (cursor: RecordCursor) => boolean;

/** Grows; holds the batches that are kept. */
export class OutputBuffer {
  length = 0;

  constructor(private bytes: Uint8Array) {}

  /** Room for `count` bytes behind what is in; the caller adds to `length` what it used. */
  reserve(count: number): Uint8Array {
    const needed = this.length + count;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    return this.bytes;
  }

  /** What is in; the buffer is given away. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.length);
    this.bytes = new Uint8Array(0);
    this.length = 0;
    return taken;
  }
}

/** Filters batch after batch. Memory for the records of a batch is used again. */
export class BatchFilter {
  /** Start, offset-delta start and end of each kept record in the cursor's source. */
  private kept: number[] = [];
  private timestamps: number[] = [];

  /** `horizonMs` is the delete horizon for batches that get one now. */
  constructor(private readonly codecs: Codecs, private readonly horizonMs: number) {}

  /** Appends what is left of the batch at `at`. Throws `CorruptRecordError`. */
  filter(
    bytes: Uint8Array,
    at: number,
    verdict: BatchVerdict,
    keeps: RecordFilter,
    output: OutputBuffer,
  ): void {
    if (verdict.dropsRecords) {
      if (verdict.keepsHeader) appendEmpty(bytes, at, output);
      return;
    }
    const cursor = new RecordCursor(bytes, at, this.codecs);
    const total = cursor.remaining;
    this.kept.length = 0;
    this.timestamps.length = 0;
    let hasTombstone = false;
    while (cursor.next()) {
      if (!keeps(cursor)) continue;
      this.kept.push(cursor.recordStart, cursor.offsetDeltaStart, cursor.recordEnd);
      this.timestamps.push(cursor.timestamp);
      if (cursor.valueStart < 0) hasTombstone = true;
    }
    if (this.timestamps.length === 0) {
      if (verdict.keepsHeader) appendEmpty(bytes, at, output);
      return;
    }
    const getsHorizon = (hasTombstone || verdict.isOutlivedMarker) && !hasDeleteHorizon(bytes, at);
    if (this.timestamps.length === total && !getsHorizon) return appendWhole(bytes, at, output);
    this.rewrite(bytes, at, cursor.source, getsHorizon, output);
  }

  private rewrite(
    bytes: Uint8Array,
    at: number,
    source: Uint8Array,
    getsHorizon: boolean,
    output: OutputBuffer,
  ): void {
    const codecId = compressionId(bytes, at);
    const start = output.length;
    const target = codecId === 0 ? output : new OutputBuffer(new Uint8Array(source.length));
    if (codecId === 0) {
      output.reserve(BATCH_HEADER_BYTES);
      output.length += BATCH_HEADER_BYTES;
    }
    if (getsHorizon) this.copyRebased(source, target);
    else this.copyVerbatim(source, target);
    if (codecId !== 0) {
      const packed = codecFor(this.codecs, codecId).compress(target.take());
      const room = output.reserve(BATCH_HEADER_BYTES + packed.length);
      room.set(packed, start + BATCH_HEADER_BYTES);
      output.length += BATCH_HEADER_BYTES + packed.length;
    }
    const result = output.reserve(0);
    result.set(bytes.subarray(at, at + BATCH_HEADER_BYTES), start);
    const length = output.length - start - LOG_OVERHEAD_BYTES;
    writeInt32(result, start + BatchField.batchLength, length);
    if (getsHorizon) {
      const flags = attributes(bytes, at) | BatchAttributes.deleteHorizon;
      writeInt16(result, start + BatchField.attributes, flags);
      writeInt64(result, start + BatchField.baseTimestamp, this.horizonMs);
    }
    if (!isLogAppendTime(bytes, at)) {
      let largest = NO_TIMESTAMP;
      for (const timestamp of this.timestamps) if (timestamp > largest) largest = timestamp;
      writeInt64(result, start + BatchField.maxTimestamp, largest);
    }
    writeInt32(result, start + BatchField.recordsCount, this.timestamps.length);
    updateCrc(result, start);
  }

  /** Records are relative to the header alone: without a change there they stay as they are. */
  private copyVerbatim(source: Uint8Array, output: OutputBuffer): void {
    const { kept } = this;
    for (let i = 0; i < kept.length; i += 3) {
      const from = kept[i]!;
      let to = kept[i + 2]!;
      while (kept[i + 3] === to) {
        i += 3;
        to = kept[i + 2]!;
      }
      const room = output.reserve(to - from);
      room.set(source.subarray(from, to), output.length);
      output.length += to - from;
    }
  }

  /** As `copyVerbatim`, with the timestamps relative to the delete horizon. */
  private copyRebased(source: Uint8Array, output: OutputBuffer): void {
    for (let i = 0; i < this.timestamps.length; i++) {
      const from = this.kept[i * 3 + 1]!;
      const to = this.kept[i * 3 + 2]!;
      const delta = this.timestamps[i]! - this.horizonMs;
      const size = 1 + sizeOfVarlong(delta) + (to - from);
      const room = output.reserve(sizeOfVarint(size) + size);
      let at = writeVarint(room, output.length, size);
      room[at++] = 0; // attributes
      at = writeVarlong(room, at, delta);
      room.set(source.subarray(from, to), at);
      output.length = at + to - from;
    }
  }
}

/** Appends the batch as it is. */
export function appendWhole(bytes: Uint8Array, at: number, output: OutputBuffer): void {
  const size = batchSizeBytes(bytes, at);
  output.reserve(size).set(bytes.subarray(at, at + size), output.length);
  output.length += size;
}

/** The header alone, which says from where to where the batch was and whose it is. */
function appendEmpty(bytes: Uint8Array, at: number, output: OutputBuffer): void {
  const start = output.length;
  const result = output.reserve(BATCH_HEADER_BYTES);
  result.set(bytes.subarray(at, at + BATCH_HEADER_BYTES), start);
  output.length += BATCH_HEADER_BYTES;
  writeInt32(
    result,
    start + BatchField.batchLength,
    BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES,
  );
  const kept = BatchAttributes.logAppendTime | BatchAttributes.transactional |
    BatchAttributes.control;
  writeInt16(result, start + BatchField.attributes, attributes(bytes, at) & kept);
  writeInt64(result, start + BatchField.baseTimestamp, NO_TIMESTAMP);
  writeInt32(result, start + BatchField.recordsCount, 0);
  updateCrc(result, start);
}

/** The time from which tombstones of the batch may go; null if it has none yet. */
export function deleteHorizonMs(bytes: Uint8Array, at: number): number | null {
  return hasDeleteHorizon(bytes, at) ? baseTimestamp(bytes, at) : null;
}
