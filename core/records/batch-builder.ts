/**
 * Builds record batches of format v2 (as Kafka's `MemoryRecordsBuilder`): records are encoded into
 * one growing buffer behind room for the header, which `build` fills in.
 */
import { assert } from "../assert.ts";
import { copyBytes } from "../copy-bytes.ts";
import { codecFor, type Codecs, Compression, type CompressionName } from "../compression/codec.ts";
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from "../varint.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BatchAttributes,
  BatchField,
  LOG_OVERHEAD_BYTES,
  NO_LEADER_EPOCH,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
  updateCrc,
  writeInt16,
  writeInt32,
  writeInt64,
} from "./batch-header.ts";
import type { RecordHeader } from "./record-cursor.ts";

/** What is the same for all records of a batch. Left out is as a plain producer sends it. */
export interface BatchOptions {
  /** Default `none`; anything else needs its codec in `codecs`. */
  readonly compression?: CompressionName;
  readonly compressionLevel?: number;
  readonly codecs?: Codecs;
  /** Default 0: the broker assigns offsets. */
  readonly baseOffset?: number;
  readonly partitionLeaderEpoch?: number;
  /** −1: without idempotence. The three can also be set later: `setProducerState`. */
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  /** Milliseconds since 1970: makes it a LogAppendTime batch. */
  readonly logAppendTimeMs?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
  /** Expected size in bytes, header included. */
  readonly sizeHintBytes?: number;
  /** To be filled instead of a new buffer; it is given away to an uncompressed batch. */
  readonly buffer?: Uint8Array;
}

const DEFAULT_SIZE_HINT_BYTES = 16 * 1024;
const MAX_BATCH_BYTES = 0x7fff_ffff;
/** Everything of a record but key, value and headers: six varints at their longest, attributes. */
const RECORD_OVERHEAD_BYTES_MAX = 5 + 1 + 10 + 5 + 5 + 5 + 5;
const HEADER_OVERHEAD_BYTES_MAX = 5 + 5;
const NO_HEADERS: readonly RecordHeader[] = [];
const EMPTY = new Uint8Array(0);

/** Collects the records of one batch. A builder is good for one `build`. */
export class BatchBuilder {
  private bytes: Uint8Array;
  private position = BATCH_HEADER_BYTES;
  private count = 0;
  private baseTimestamp = NO_TIMESTAMP;
  private maxTimestamp = NO_TIMESTAMP;
  private lastOffsetDelta = -1;

  constructor(private readonly options: BatchOptions = {}) {
    const hint = options.sizeHintBytes ?? DEFAULT_SIZE_HINT_BYTES;
    const size = Math.max(hint, BATCH_HEADER_BYTES);
    const { buffer } = options;
    this.bytes = buffer !== undefined && buffer.length >= size ? buffer : new Uint8Array(size);
  }

  /** How many records are in. */
  get recordCount(): number {
    return this.count;
  }

  /** Bytes of the batch so far, header included, before compression. */
  get sizeBytes(): number {
    return this.position;
  }

  /** The largest timestamp so far, or −1. */
  get maxTimestampMs(): number {
    return this.maxTimestamp;
  }

  /** Adds a record. The bytes are copied. `timestampMs` is milliseconds since 1970, or −1. */
  append(
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[] = NO_HEADERS,
  ): void {
    this.appendAt(this.lastOffsetDelta + 1, timestampMs, key, value, headers);
  }

  /** As `append`, at a given distance from the base offset, for copies of compacted batches. */
  appendAt(
    offsetDelta: number,
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[],
  ): void {
    this.encode(
      offsetDelta,
      timestampMs,
      key ?? EMPTY,
      key === null ? -1 : 0,
      key === null ? -1 : key.length,
      value ?? EMPTY,
      value === null ? -1 : 0,
      value === null ? -1 : value.length,
      headers,
    );
  }

  /**
   * As `append`, for a key and a value that are ranges of one array, without a view for each: the
   * way for millions of short lines. A start of −1 stands for null.
   */
  appendRange(
    timestampMs: number,
    source: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    this.encode(
      this.lastOffsetDelta + 1,
      timestampMs,
      source,
      keyStart,
      keyEnd,
      source,
      valueStart,
      valueEnd,
      NO_HEADERS,
    );
  }

  /**
   * The finished batch. Uncompressed it is a view of the builder's own buffer, which is given away;
   * `setProducerState` and its like may change it in place. There must be a record.
   */
  build(): Uint8Array {
    assert(this.count > 0, "a batch has at least one record");
    const compression = this.options.compression ?? "none";
    let batch = this.bytes.subarray(0, this.position);
    if (compression !== "none") {
      const codec = codecFor(this.options.codecs ?? {}, Compression[compression]);
      const packed = codec.compress(
        batch.subarray(BATCH_HEADER_BYTES),
        this.options.compressionLevel,
      );
      batch = new Uint8Array(BATCH_HEADER_BYTES + packed.length);
      batch.set(packed, BATCH_HEADER_BYTES);
    }
    this.bytes = EMPTY;
    this.writeHeader(batch);
    return batch;
  }

  private encode(
    offsetDelta: number,
    timestampMs: number,
    keySource: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueSource: Uint8Array,
    valueStart: number,
    valueEnd: number,
    headers: readonly RecordHeader[],
  ): void {
    assert(offsetDelta > this.lastOffsetDelta, "offsets grow within a batch");
    if (this.count === 0) this.baseTimestamp = timestampMs;
    const timestampDelta = timestampMs - this.baseTimestamp;
    const keyBytes = keyStart < 0 ? -1 : keyEnd - keyStart;
    const valueBytes = valueStart < 0 ? -1 : valueEnd - valueStart;
    const size = 1 + sizeOfVarlong(timestampDelta) + sizeOfVarint(offsetDelta) +
      sizeOfVarint(keyBytes) + (keyBytes > 0 ? keyBytes : 0) +
      sizeOfVarint(valueBytes) + (valueBytes > 0 ? valueBytes : 0) +
      (headers.length === 0 ? 1 : sizeOfHeaders(headers));
    this.reserve(size + 5);

    const { bytes } = this;
    let at = writeVarint(bytes, this.position, size);
    bytes[at++] = 0; // attributes
    at = writeVarlong(bytes, at, timestampDelta);
    at = writeVarint(bytes, at, offsetDelta);
    at = writeVarint(bytes, at, keyBytes);
    if (keyBytes > 0) copyBytes(bytes, at, keySource, keyStart, keyEnd);
    at += Math.max(0, keyBytes);
    at = writeVarint(bytes, at, valueBytes);
    if (valueBytes > 0) copyBytes(bytes, at, valueSource, valueStart, valueEnd);
    at += Math.max(0, valueBytes);
    if (headers.length === 0) bytes[at++] = 0;
    else at = writeHeaders(bytes, at, headers);

    this.position = at;
    this.count++;
    this.lastOffsetDelta = offsetDelta;
    if (timestampMs > this.maxTimestamp) this.maxTimestamp = timestampMs;
  }

  private reserve(count: number): void {
    const needed = this.position + count;
    if (needed <= this.bytes.length) return;
    assert(needed <= MAX_BATCH_BYTES, "a batch stays below 2 GiB");
    const grown = new Uint8Array(
      Math.min(MAX_BATCH_BYTES, Math.max(needed, this.bytes.length * 2)),
    );
    grown.set(this.bytes.subarray(0, this.position));
    this.bytes = grown;
  }

  private writeHeader(batch: Uint8Array): void {
    const { options } = this;
    const logAppendTime = options.logAppendTimeMs !== undefined;
    writeInt64(batch, BatchField.baseOffset, options.baseOffset ?? 0);
    writeInt32(batch, BatchField.batchLength, batch.length - LOG_OVERHEAD_BYTES);
    const leaderEpoch = options.partitionLeaderEpoch ?? NO_LEADER_EPOCH;
    writeInt32(batch, BatchField.partitionLeaderEpoch, leaderEpoch);
    batch[BatchField.magic] = BATCH_MAGIC;
    const attributes = Compression[options.compression ?? "none"] |
      (logAppendTime ? BatchAttributes.logAppendTime : 0) |
      (options.transactional === true ? BatchAttributes.transactional : 0) |
      (options.control === true ? BatchAttributes.control : 0);
    writeInt16(batch, BatchField.attributes, attributes);
    writeInt32(batch, BatchField.lastOffsetDelta, this.lastOffsetDelta);
    writeInt64(batch, BatchField.baseTimestamp, this.baseTimestamp);
    const maxTimestamp = options.logAppendTimeMs ?? this.maxTimestamp;
    writeInt64(batch, BatchField.maxTimestamp, maxTimestamp);
    writeInt64(batch, BatchField.producerId, options.producerId ?? NO_PRODUCER_ID);
    writeInt16(batch, BatchField.producerEpoch, options.producerEpoch ?? NO_PRODUCER_EPOCH);
    writeInt32(batch, BatchField.baseSequence, options.baseSequence ?? NO_SEQUENCE);
    writeInt32(batch, BatchField.recordsCount, this.count);
    updateCrc(batch, 0);
  }
}

/** At most as many bytes as a record takes in a batch, uncompressed. */
export function recordSizeBytesMax(
  keyBytes: number,
  valueBytes: number,
  headers: readonly RecordHeader[] = NO_HEADERS,
): number {
  let size = RECORD_OVERHEAD_BYTES_MAX + keyBytes + valueBytes;
  for (const [name, value] of headers) {
    size += HEADER_OVERHEAD_BYTES_MAX + nameBytes(name).length + (value?.length ?? 0);
  }
  return size;
}

function sizeOfHeaders(headers: readonly RecordHeader[]): number {
  let size = sizeOfVarint(headers.length);
  for (const [name, value] of headers) {
    const length = nameBytes(name).length;
    size += sizeOfVarint(length) + length;
    size += value === null ? 1 : sizeOfVarint(value.length) + value.length;
  }
  return size;
}

function writeHeaders(bytes: Uint8Array, at: number, headers: readonly RecordHeader[]): number {
  at = writeVarint(bytes, at, headers.length);
  for (const [name, value] of headers) {
    const encoded = nameBytes(name);
    at = writeVarint(bytes, at, encoded.length);
    bytes.set(encoded, at);
    at += encoded.length;
    at = writeVarint(bytes, at, value === null ? -1 : value.length);
    if (value !== null) {
      bytes.set(value, at);
      at += value.length;
    }
  }
  return at;
}

const utf8 = new TextEncoder();
const NAME_CACHE_ENTRIES_MAX = 256;
const NAME_CACHE_LENGTH_MAX = 64;
const nameCache = new Map<string, Uint8Array>();

/** A header's name in UTF-8. Programs use few names over and over: the short ones are kept. */
function nameBytes(name: string): Uint8Array {
  const known = nameCache.get(name);
  if (known !== undefined) return known;
  const encoded = utf8.encode(name);
  if (name.length <= NAME_CACHE_LENGTH_MAX && nameCache.size < NAME_CACHE_ENTRIES_MAX) {
    nameCache.set(name, encoded);
  }
  return encoded;
}
