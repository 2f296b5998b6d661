/**
 * A snapshot of the producer state up to an offset, in Kafka's format (`ProducerSnapshot`, version
 * 1), big-endian, in `<offset>.snapshot`:
 *
 *     int16 version = 1 · uint32 CRC-32C of all that follows · int32 count, then for each producer:
 *     int64 producerId · int16 producerEpoch · int32 lastSequence · int64 lastOffset ·
 *     int32 offsetDelta · int64 timestamp · int32 coordinatorEpoch · int64 currentTxnFirstOffset
 *
 * Kafka keeps only each producer's last batch there, so that after a restart it refuses a retry of
 * the ones before. An appendix, which Kafka's reader does not look at but its CRC covers, holds
 * them here:
 *
 *     "KSB1" · for each producer in the same order: int8 count, then oldest first for each earlier
 *     batch: int32 lastSequence · int64 lastOffset · int32 offsetDelta · int64 timestamp
 */
import { crc32c } from "../core/crc32c.ts";
import {
  readInt16,
  readInt32,
  readInt64,
  readUint32,
  writeInt16,
  writeInt32,
  writeInt64,
} from "../core/records/batch-header.ts";
import type { ProducerBatch, ProducerStateEntry } from "./producer-state.ts";

const VERSION = 1;
const CRC_AT = 2;
const ENTRIES_AT = 6;
const HEADER_BYTES = 10;
const ENTRY_BYTES = 46;
const BATCH_BYTES = 24;
const APPENDIX_MAGIC = 0x4b534231;
const APPENDIX_MAGIC_BYTES = 4;

/** The bytes of a snapshot. */
export function encodeProducerSnapshot(entries: readonly ProducerStateEntry[]): Uint8Array {
  const earlier = entries.map((entry) => entry.batches.slice(0, -1));
  const appendixBytes = earlier.reduce((sum, list) => sum + 1 + list.length * BATCH_BYTES, 0);
  const appendixAt = HEADER_BYTES + entries.length * ENTRY_BYTES;
  const bytes = new Uint8Array(appendixAt + APPENDIX_MAGIC_BYTES + appendixBytes);
  writeInt16(bytes, 0, VERSION);
  writeInt32(bytes, ENTRIES_AT, entries.length);
  entries.forEach((entry, index) => writeEntry(bytes, HEADER_BYTES + index * ENTRY_BYTES, entry));
  writeInt32(bytes, appendixAt, APPENDIX_MAGIC);
  let at = appendixAt + APPENDIX_MAGIC_BYTES;
  for (const list of earlier) {
    bytes[at++] = list.length;
    for (const batch of list) {
      writeBatch(bytes, at, batch);
      at += BATCH_BYTES;
    }
  }
  writeInt32(bytes, CRC_AT, crc32c(bytes, ENTRIES_AT));
  return bytes;
}

/** The producers of a snapshot; null if it is damaged. A snapshot of Kafka itself reads as well. */
export function decodeProducerSnapshot(bytes: Uint8Array): ProducerStateEntry[] | null {
  if (bytes.length < HEADER_BYTES || readInt16(bytes, 0) !== VERSION) return null;
  if (readUint32(bytes, CRC_AT) !== crc32c(bytes, ENTRIES_AT)) return null;
  const count = readInt32(bytes, ENTRIES_AT);
  const appendixAt = HEADER_BYTES + count * ENTRY_BYTES;
  if (count < 0 || appendixAt > bytes.length) return null;
  const earlier = readAppendix(bytes, appendixAt, count);
  return Array.from(
    { length: count },
    (_, index) => readEntry(bytes, HEADER_BYTES + index * ENTRY_BYTES, earlier[index] ?? []),
  );
}

function writeEntry(bytes: Uint8Array, at: number, entry: ProducerStateEntry): void {
  const last = entry.batches.at(-1);
  writeInt64(bytes, at, entry.producerId);
  writeInt16(bytes, at + 8, entry.producerEpoch);
  writeInt32(bytes, at + 10, last?.lastSequence ?? -1);
  writeInt64(bytes, at + 14, last?.lastOffset ?? -1);
  writeInt32(bytes, at + 22, last?.offsetDelta ?? 0);
  writeInt64(bytes, at + 26, entry.lastTimestampMs);
  writeInt32(bytes, at + 34, entry.coordinatorEpoch);
  writeInt64(bytes, at + 38, entry.currentTxnFirstOffset);
}

function readEntry(
  bytes: Uint8Array,
  at: number,
  earlier: readonly ProducerBatch[],
): ProducerStateEntry {
  const last: ProducerBatch = {
    lastSequence: readInt32(bytes, at + 10),
    lastOffset: readInt64(bytes, at + 14),
    offsetDelta: readInt32(bytes, at + 22),
    timestampMs: readInt64(bytes, at + 26),
  };
  return {
    producerId: readInt64(bytes, at),
    producerEpoch: readInt16(bytes, at + 8),
    batches: last.lastSequence < 0 ? [] : [...earlier, last],
    lastTimestampMs: last.timestampMs,
    coordinatorEpoch: readInt32(bytes, at + 34),
    currentTxnFirstOffset: readInt64(bytes, at + 38),
  };
}

function writeBatch(bytes: Uint8Array, at: number, batch: ProducerBatch): void {
  writeInt32(bytes, at, batch.lastSequence);
  writeInt64(bytes, at + 4, batch.lastOffset);
  writeInt32(bytes, at + 12, batch.offsetDelta);
  writeInt64(bytes, at + 16, batch.timestampMs);
}

/** The earlier batches by producer; empty if there is no appendix of ours. */
function readAppendix(bytes: Uint8Array, start: number, count: number): ProducerBatch[][] {
  const lists: ProducerBatch[][] = [];
  let at = start + APPENDIX_MAGIC_BYTES;
  if (at > bytes.length || readInt32(bytes, start) !== APPENDIX_MAGIC) return lists;
  for (let index = 0; index < count; index++) {
    const length = bytes[at++] ?? 0;
    if (at + length * BATCH_BYTES > bytes.length) return [];
    const list: ProducerBatch[] = [];
    for (let left = length; left > 0; left--, at += BATCH_BYTES) {
      list.push({
        lastSequence: readInt32(bytes, at),
        lastOffset: readInt64(bytes, at + 4),
        offsetDelta: readInt32(bytes, at + 12),
        timestampMs: readInt64(bytes, at + 16),
      });
    }
    lists.push(list);
  }
  return lists;
}
