/**
 * Reads the records of one batch. A record (Kafka's `DefaultRecord`), all integers zigzag varints:
 *
 *     size · attributes int8 (unused) · timestampDelta (varlong) · offsetDelta ·
 *     keyLength (−1: null) key · valueLength (−1: null) value ·
 *     headerCount, then for each: nameLength name · valueLength (−1: null) value
 */
import { codecFor, type Codecs } from "../compression/codec.ts";
import {
  baseOffset,
  baseTimestamp,
  BATCH_HEADER_BYTES,
  BatchField,
  batchSizeBytes,
  clampToSafe,
  compressionId,
  isLogAppendTime,
  maxTimestamp,
  recordsCount,
} from "./batch-header.ts";
import { CorruptRecordError } from "./corrupt-record-error.ts";

/** A header of a record. Names may repeat and their order counts (KIP-82). */
export type RecordHeader = readonly [name: string, value: Uint8Array | null];

/** A record as it stands in a batch; the bytes are views into it. */
export interface RecordView {
  readonly offset: number;
  /** Milliseconds since 1970, or −1. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** What a batch may unpack to where the caller knows no better bound. */
export const MAX_DECOMPRESSED_BYTES = 128 * 1024 * 1024;

const NO_HEADERS: readonly RecordHeader[] = [];
const TWO_32 = 0x1_0000_0000;
/** `ignoreBOM`: a byte order mark that begins a name is part of it. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Walks over the records of a batch without allocating per record:
 *
 *     const cursor = new RecordCursor(bytes, position, codecs);
 *     while (cursor.next()) use(cursor.offset, cursor.value());
 *
 * The constructor unpacks compressed records. It and `next` throw `CorruptRecordError`, and nothing
 * else, whatever the bytes are; the CRC is not checked here. The batch has to be whole
 * (`batchSizeAt`). Offsets and timestamps beyond ±(2^53 − 1) read as that bound.
 */
export class RecordCursor {
  /** Offset of the current record. */
  offset = -1;
  /** Its distance from the base offset of the batch. */
  offsetDelta = -1;
  /** Its time in milliseconds since 1970, or −1; the time of the append if the batch says so. */
  timestamp = -1;
  /** What the ranges below point into: the batch's own bytes or the unpacked ones. */
  readonly source: Uint8Array;
  /** Range of the key in `source`; `keyStart` is −1 if it is null. */
  keyStart = -1;
  keyEnd = -1;
  /** Range of the value in `source`; `valueStart` is −1 if it is null. */
  valueStart = -1;
  valueEnd = -1;
  /** Where the current record begins, its size included. */
  recordStart = -1;
  /** Where all begins that does not depend on the base timestamp: the offset delta. */
  offsetDeltaStart = -1;
  /** How many headers the record has. */
  headerCount = 0;
  /** How many records have not been read yet. */
  remaining: number;

  private headersStart = 0;
  private position: number;
  private readonly end: number;
  private readonly baseOffset: number;
  private readonly baseTimestamp: number;
  private readonly appendTime: number | null;

  constructor(
    bytes: Uint8Array,
    position: number,
    codecs: Codecs,
    maxBytes: number = MAX_DECOMPRESSED_BYTES,
  ) {
    const end = position + batchSizeBytes(bytes, position);
    const start = position + BatchField.records;
    if (position + BATCH_HEADER_BYTES > end || end > bytes.length) {
      throw new CorruptRecordError("a record batch is cut short");
    }
    const compression = compressionId(bytes, position);
    if (compression === 0) {
      this.source = bytes;
      this.position = start;
      this.end = end;
    } else {
      this.source = codecFor(codecs, compression).decompress(bytes.subarray(start, end), maxBytes);
      this.position = 0;
      this.end = this.source.length;
    }
    this.remaining = recordsCount(bytes, position);
    this.baseOffset = baseOffset(bytes, position);
    this.baseTimestamp = baseTimestamp(bytes, position);
    this.appendTime = isLogAppendTime(bytes, position) ? maxTimestamp(bytes, position) : null;
    if (this.remaining < 0) {
      throw new CorruptRecordError(`a record batch claims ${this.remaining} records`);
    }
  }

  /** Goes to the next record; false behind the last one, where the batch must end. */
  next(): boolean {
    if (this.remaining === 0) {
      if (this.position === this.end) return false;
      throw new CorruptRecordError(
        `${this.end - this.position} bytes are left behind the last record of a batch`,
      );
    }
    this.remaining--;
    this.recordStart = this.position;
    const size = this.varint();
    const recordEnd = this.position + size;
    if (size < 1 || recordEnd > this.end) {
      throw new CorruptRecordError(
        `a record claims ${size} bytes where ${this.end - this.position} are left`,
      );
    }
    this.position++; // attributes: no bit has a meaning
    const timestampDelta = this.varlong();
    this.timestamp = this.appendTime ?? clampToSafe(this.baseTimestamp + timestampDelta);
    this.offsetDeltaStart = this.position;
    this.offsetDelta = this.varint();
    this.offset = clampToSafe(this.baseOffset + this.offsetDelta);

    const keyBytes = this.varint();
    this.keyStart = keyBytes < 0 ? -1 : this.position;
    this.keyEnd = keyBytes < 0 ? -1 : this.skip(keyBytes);
    const valueBytes = this.varint();
    this.valueStart = valueBytes < 0 ? -1 : this.position;
    this.valueEnd = valueBytes < 0 ? -1 : this.skip(valueBytes);

    this.headerCount = this.varint();
    this.headersStart = this.position;
    if (this.headerCount !== 0) this.skipHeaders();
    if (this.position !== recordEnd) {
      throw new CorruptRecordError(
        `a record of ${size} bytes holds ${size + this.position - recordEnd}`,
      );
    }
    return true;
  }

  /** Where the current record ends. */
  get recordEnd(): number {
    return this.position;
  }

  /** The key of the current record: a view. */
  key(): Uint8Array | null {
    return this.keyStart < 0 ? null : this.source.subarray(this.keyStart, this.keyEnd);
  }

  /** The value of the current record: a view. */
  value(): Uint8Array | null {
    return this.valueStart < 0 ? null : this.source.subarray(this.valueStart, this.valueEnd);
  }

  /** The headers of the current record, in their order: values are views. */
  headers(): readonly RecordHeader[] {
    if (this.headerCount === 0) return NO_HEADERS;
    const behind = this.position;
    this.position = this.headersStart;
    const headers: RecordHeader[] = [];
    for (let left = this.headerCount; left > 0; left--) {
      const nameBytes = this.varint();
      const nameStart = this.position;
      const name = utf8.decode(this.source.subarray(nameStart, this.skip(nameBytes)));
      const valueBytes = this.varint();
      const valueStart = this.position;
      const value = valueBytes < 0 ? null : this.source.subarray(valueStart, this.skip(valueBytes));
      headers.push([name, value]);
    }
    this.position = behind;
    return headers;
  }

  /** The current record as a value of its own. */
  record(): RecordView {
    return {
      offset: this.offset,
      timestamp: this.timestamp,
      key: this.key(),
      value: this.value(),
      headers: this.headers(),
    };
  }

  private skipHeaders(): void {
    // Each header takes two bytes or more, so a huge count ends soon and allocates nothing.
    if (this.headerCount < 0 || this.headerCount > (this.end - this.position) / 2) {
      throw new CorruptRecordError(`a record claims ${this.headerCount} headers`);
    }
    for (let left = this.headerCount; left > 0; left--) {
      const nameBytes = this.varint();
      if (nameBytes < 0) throw new CorruptRecordError("a record header has no name");
      this.skip(nameBytes);
      const valueBytes = this.varint();
      if (valueBytes >= 0) this.skip(valueBytes);
    }
  }

  private skip(count: number): number {
    if (count > this.end - this.position) {
      throw new CorruptRecordError(
        `a field of a record claims ${count} bytes where ${this.end - this.position} are left`,
      );
    }
    this.position += count;
    return this.position;
  }

  private varint(): number {
    const { source, end } = this;
    let position = this.position;
    let value = 0;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (position >= end) throw new CorruptRecordError("a record is cut short");
      const byte = source[position++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.position = position;
        return (value >>> 1) ^ -(value & 1);
      }
    }
    throw new CorruptRecordError("a varint has more than 5 bytes");
  }

  /** An int64, clamped to ±(2^53 − 1). */
  private varlong(): number {
    const { source, end } = this;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift <= 63; shift += 7) {
      if (this.position >= end) throw new CorruptRecordError("a record is cut short");
      const byte = source[this.position++]!;
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift > 28) high |= bits << (shift - 32);
      else if (shift === 28) high |= bits >>> 4;
      if (byte < 0x80) return unzigzag(low, high);
    }
    throw new CorruptRecordError("a varlong has more than 10 bytes");
  }
}

/** All records of the batch at `position`. Throws `CorruptRecordError`. */
export function readRecords(
  bytes: Uint8Array,
  position: number,
  codecs: Codecs,
  maxBytes: number = MAX_DECOMPRESSED_BYTES,
): RecordView[] {
  const cursor = new RecordCursor(bytes, position, codecs, maxBytes);
  const records: RecordView[] = [];
  while (cursor.next()) records.push(cursor.record());
  return records;
}

function unzigzag(low: number, high: number): number {
  const sign = -(low & 1);
  const signedLow = ((low >>> 1) | (high << 31)) ^ sign;
  const signedHigh = (high >>> 1) ^ sign;
  return clampToSafe(signedHigh * TWO_32 + (signedLow >>> 0));
}
