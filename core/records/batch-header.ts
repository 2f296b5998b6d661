/**
 * The header of a record batch, format v2 (Kafka's `DefaultRecordBatch`, KIP-98), read and patched
 * in place. Big-endian, 61 bytes:
 *
 *      0  baseOffset            int64    set by the broker, outside the CRC
 *      8  batchLength           int32    bytes behind this field
 *     12  partitionLeaderEpoch  int32    set by the broker, outside the CRC
 *     16  magic                 int8     2
 *     17  crc                   uint32   CRC-32C of everything from `attributes` on
 *     21  attributes            int16    bits 0–2 codec, 3 timestamp type, 4 transactional,
 *                                        5 control, 6 delete horizon (KIP-534)
 *     23  lastOffsetDelta       int32
 *     27  baseTimestamp         int64
 *     35  maxTimestamp          int64
 *     43  producerId            int64    −1 without idempotence
 *     51  producerEpoch         int16
 *     53  baseSequence          int32
 *     57  recordsCount          int32
 *     61  records                        compressed as a whole if there is a codec
 *
 * All functions take the bytes and the position of the batch in them, and trust that a whole header
 * is there: `batchSizeAt` has to say so first. An int64 beyond ±(2^53 − 1) reads as that bound: no
 * offset, timestamp or producer id that a broker gave out gets there, and as an offset or a time the
 * bound is refused just as the true value would be.
 */
import { crc32c } from "../crc32c.ts";
import { Errors } from "../errors.ts";
import { CorruptRecordError } from "./corrupt-record-error.ts";

/** Bytes of the header: the smallest batch there can be. */
export const BATCH_HEADER_BYTES = 61;
/** Bytes of baseOffset and batchLength, which batchLength does not count. */
export const LOG_OVERHEAD_BYTES = 12;
/** The only format that Kafka 4 writes. */
export const BATCH_MAGIC = 2;
/** Producer id of a batch without idempotence. */
export const NO_PRODUCER_ID = -1;
/** Producer epoch of a batch without idempotence. */
export const NO_PRODUCER_EPOCH = -1;
/** Base sequence of a batch without idempotence. */
export const NO_SEQUENCE = -1;
/** Timestamp of a record without one. */
export const NO_TIMESTAMP = -1;
/** Leader epoch of a batch that no broker has seen. */
export const NO_LEADER_EPOCH = -1;

/** Where each field starts, in bytes from the start of the batch. */
export const BatchField = {
  baseOffset: 0,
  batchLength: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordsCount: 57,
  records: 61,
} as const;

/** The bits of `attributes`. */
export const BatchAttributes = {
  compressionMask: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  deleteHorizon: 0x40,
} as const;

const TWO_32 = 0x1_0000_0000;
const SMALLEST_BATCH_LENGTH = BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES;
/** Magic 0 and 1 are shorter; their length field means the same, so that one can say what they are. */
const SMALLEST_LEGACY_LENGTH = 14;

/** The int16 at `at`. */
export function readInt16(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!;
}

/** The int32 at `at`. */
export function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** The uint32 at `at`. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) >>> 0;
}

/** The int64 at `at`, clamped to ±(2^53 − 1). */
export function readInt64(bytes: Uint8Array, at: number): number {
  return clampToSafe(readInt32(bytes, at) * TWO_32 + readUint32(bytes, at + 4));
}

/** The nearest safe integer. */
export function clampToSafe(value: number): number {
  if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
  return value < Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : value;
}

/** Writes the low 16 bits. */
export function writeInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

/** Writes an int32 or uint32. */
export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes a safe integer as an int64. */
export function writeInt64(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  writeInt32(bytes, at, high);
  writeInt32(bytes, at + 4, value - high * TWO_32);
}

/**
 * The size in bytes of the batch at `position`, or 0 if `bytes` ends (at `end`) before the batch
 * does: a fetch may cut its last batch anywhere. Throws `CorruptRecordError` if this is no batch of
 * format v2.
 */
export function batchSizeAt(
  bytes: Uint8Array,
  position: number,
  end: number = bytes.length,
): number {
  if (end - position <= BatchField.magic) return 0;
  const length = readInt32(bytes, position + BatchField.batchLength);
  const magic = bytes[position + BatchField.magic]!;
  if (magic !== BATCH_MAGIC) {
    if (magic > BATCH_MAGIC || length < SMALLEST_LEGACY_LENGTH) {
      throw new CorruptRecordError(`no record batch at byte ${position}: its magic is ${magic}`);
    }
    throw new CorruptRecordError(
      `message format v${magic} is not supported, only v2`,
      Errors.UNSUPPORTED_FOR_MESSAGE_FORMAT,
    );
  }
  if (length < SMALLEST_BATCH_LENGTH) {
    throw new CorruptRecordError(
      `a record batch needs ${BATCH_HEADER_BYTES} bytes, this one claims ` +
        `${length + LOG_OVERHEAD_BYTES}`,
    );
  }
  const size = length + LOG_OVERHEAD_BYTES;
  return size > end - position ? 0 : size;
}

/**
 * Calls back for every whole batch in `bytes[start, end)`; a cut last batch is left out. Returns
 * the position behind the last whole batch. Throws `CorruptRecordError` where no batch is.
 */
export function forEachBatch(
  bytes: Uint8Array,
  callback: (position: number, sizeBytes: number) => void,
  start: number = 0,
  end: number = bytes.length,
): number {
  let position = start;
  for (;;) {
    const size = batchSizeAt(bytes, position, end);
    if (size === 0) return position;
    callback(position, size);
    position += size;
  }
}

/** Bytes of the batch, header included. */
export function batchSizeBytes(bytes: Uint8Array, position: number): number {
  return readInt32(bytes, position + BatchField.batchLength) + LOG_OVERHEAD_BYTES;
}

/** Offset of the first record, as long as compaction has not removed it. */
export function baseOffset(bytes: Uint8Array, position: number): number {
  return readInt64(bytes, position + BatchField.baseOffset);
}

/** Offset of the last record; compaction keeps it even if the record is gone. */
export function lastOffset(bytes: Uint8Array, position: number): number {
  return clampToSafe(baseOffset(bytes, position) + lastOffsetDelta(bytes, position));
}

/** Distance of the last record from the base offset. */
export function lastOffsetDelta(bytes: Uint8Array, position: number): number {
  return readInt32(bytes, position + BatchField.lastOffsetDelta);
}

/** Epoch of the leader that appended the batch; −1 if none has. */
export function partitionLeaderEpoch(bytes: Uint8Array, position: number): number {
  return readInt32(bytes, position + BatchField.partitionLeaderEpoch);
}

/** Format of the batch. */
export function magic(bytes: Uint8Array, position: number): number {
  return bytes[position + BatchField.magic]!;
}

/** The checksum that the batch claims. */
export function storedCrc(bytes: Uint8Array, position: number): number {
  return readUint32(bytes, position + BatchField.crc);
}

/** The checksum that the batch should have. */
export function computeCrc(bytes: Uint8Array, position: number): number {
  const end = position + batchSizeBytes(bytes, position);
  return crc32c(bytes, position + BatchField.attributes, end);
}

/** Whether the checksum is right. */
export function crcMatches(bytes: Uint8Array, position: number): boolean {
  return storedCrc(bytes, position) === computeCrc(bytes, position);
}

/** All bits of `attributes`; see `BatchAttributes`. */
export function attributes(bytes: Uint8Array, position: number): number {
  return readInt16(bytes, position + BatchField.attributes);
}

/** The id of the codec, 0 to 7; Kafka knows 0 to 4. */
export function compressionId(bytes: Uint8Array, position: number): number {
  return bytes[position + BatchField.attributes + 1]! & BatchAttributes.compressionMask;
}

/** Whether `maxTimestamp` is the time of the append and holds for every record. */
export function isLogAppendTime(bytes: Uint8Array, position: number): boolean {
  return hasAttribute(bytes, position, BatchAttributes.logAppendTime);
}

/** Whether the batch belongs to a transaction. */
export function isTransactional(bytes: Uint8Array, position: number): boolean {
  return hasAttribute(bytes, position, BatchAttributes.transactional);
}

/** Whether the batch holds a marker of the broker rather than data. */
export function isControl(bytes: Uint8Array, position: number): boolean {
  return hasAttribute(bytes, position, BatchAttributes.control);
}

/** Whether `baseTimestamp` is the time from which compaction may drop tombstones (KIP-534). */
export function hasDeleteHorizon(bytes: Uint8Array, position: number): boolean {
  return hasAttribute(bytes, position, BatchAttributes.deleteHorizon);
}

/** Milliseconds since 1970 that the records' timestamps are relative to. */
export function baseTimestamp(bytes: Uint8Array, position: number): number {
  return readInt64(bytes, position + BatchField.baseTimestamp);
}

/** The largest timestamp in the batch, in milliseconds since 1970, or the time of its append. */
export function maxTimestamp(bytes: Uint8Array, position: number): number {
  return readInt64(bytes, position + BatchField.maxTimestamp);
}

/** −1 without idempotence. */
export function producerId(bytes: Uint8Array, position: number): number {
  return readInt64(bytes, position + BatchField.producerId);
}

/** Meaningless without a producer id: clients write −1 or 0. */
export function producerEpoch(bytes: Uint8Array, position: number): number {
  return readInt16(bytes, position + BatchField.producerEpoch);
}

/** Meaningless without a producer id: clients write −1 or 0. */
export function baseSequence(bytes: Uint8Array, position: number): number {
  return readInt32(bytes, position + BatchField.baseSequence);
}

/** Sequence of the last record: sequences wrap from 2^31 − 1 to 0. */
export function lastSequence(bytes: Uint8Array, position: number): number {
  const base = baseSequence(bytes, position);
  if (base === NO_SEQUENCE) return NO_SEQUENCE;
  return addSequence(base, lastOffsetDelta(bytes, position));
}

/** The sequence `count` records after `sequence`; wraps from 2^31 − 1 to 0. */
export function addSequence(sequence: number, count: number): number {
  return (sequence + count) % 0x8000_0000;
}

/** How many records the batch claims to hold. */
export function recordsCount(bytes: Uint8Array, position: number): number {
  return readInt32(bytes, position + BatchField.recordsCount);
}

/** Sets the offset of the first record; outside the CRC. */
export function setBaseOffset(bytes: Uint8Array, position: number, offset: number): void {
  writeInt64(bytes, position + BatchField.baseOffset, offset);
}

/** Sets the epoch of the appending leader; outside the CRC. */
export function setPartitionLeaderEpoch(bytes: Uint8Array, position: number, epoch: number): void {
  writeInt32(bytes, position + BatchField.partitionLeaderEpoch, epoch);
}

/** Gives all records of the batch the time of the append, in milliseconds since 1970; new CRC. */
export function setLogAppendTime(bytes: Uint8Array, position: number, timestampMs: number): void {
  const low = position + BatchField.attributes + 1;
  bytes[low] = bytes[low]! | BatchAttributes.logAppendTime;
  writeInt64(bytes, position + BatchField.maxTimestamp, timestampMs);
  updateCrc(bytes, position);
}

/** Sets who produced the batch and where in its sequence; new CRC. */
export function setProducerState(
  bytes: Uint8Array,
  position: number,
  producer: { producerId: number; producerEpoch: number; baseSequence: number },
): void {
  writeInt64(bytes, position + BatchField.producerId, producer.producerId);
  writeInt16(bytes, position + BatchField.producerEpoch, producer.producerEpoch);
  writeInt32(bytes, position + BatchField.baseSequence, producer.baseSequence);
  updateCrc(bytes, position);
}

/** Writes the checksum of the batch as it is now. */
export function updateCrc(bytes: Uint8Array, position: number): void {
  writeInt32(bytes, position + BatchField.crc, computeCrc(bytes, position));
}

function hasAttribute(bytes: Uint8Array, position: number, bit: number): boolean {
  return (bytes[position + BatchField.attributes + 1]! & bit) !== 0;
}
