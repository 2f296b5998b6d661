/** Makes a batch as a broker stores it one that a producer may send again. */
import { COMPRESSION_NAMES } from "../compression/codec.ts";
import type { Codecs } from "../compression/codec.ts";
import { BatchBuilder } from "./batch-builder.ts";
import {
  attributes,
  baseOffset,
  BatchAttributes,
  BatchField,
  batchSizeBytes,
  compressionId,
  hasDeleteHorizon,
  isLogAppendTime,
  lastOffsetDelta,
  NO_LEADER_EPOCH,
  recordsCount,
  setBaseOffset,
  setPartitionLeaderEpoch,
  setProducerState,
  writeInt16,
} from "./batch-header.ts";
import { RecordCursor } from "./record-cursor.ts";

/** Who sends the copy; the three of a batch header. */
export interface CopyProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

/**
 * How many records the batch at `position` has from `fromOffset` on. Throws `CorruptRecordError`.
 */
export function recordsFrom(
  bytes: Uint8Array,
  position: number,
  fromOffset: number,
  codecs: Codecs,
): number {
  const all = recordsCount(bytes, position);
  if (baseOffset(bytes, position) >= fromOffset) return all;
  const cursor = new RecordCursor(bytes, position, codecs);
  let count = 0;
  while (cursor.next()) if (cursor.offset >= fromOffset) count++;
  return count;
}

/**
 * The records of a batch from `fromOffset` on, as a batch of this producer outside of transactions:
 * the very bytes where a broker takes them, else built anew with the same codec, as brokers refuse
 * batches with gaps (compaction leaves them) or with the time of an append. Null if there is no such
 * record. Keys, values, headers and timestamps are the same. Throws `CorruptRecordError`.
 */
export function copyBatch(
  bytes: Uint8Array,
  position: number,
  fromOffset: number,
  producer: CopyProducer,
  codecs: Codecs,
): Uint8Array | null {
  const isDense = lastOffsetDelta(bytes, position) === recordsCount(bytes, position) - 1;
  const isTaken = isDense && baseOffset(bytes, position) >= fromOffset &&
    !isLogAppendTime(bytes, position) && !hasDeleteHorizon(bytes, position);
  if (!isTaken) return rebuild(bytes, position, fromOffset, producer, codecs);
  const copy = bytes.slice(position, position + batchSizeBytes(bytes, position));
  setBaseOffset(copy, 0, 0);
  setPartitionLeaderEpoch(copy, 0, NO_LEADER_EPOCH);
  const kept = attributes(copy, 0) & ~BatchAttributes.transactional;
  writeInt16(copy, BatchField.attributes, kept);
  setProducerState(copy, 0, producer);
  return copy;
}

function rebuild(
  bytes: Uint8Array,
  position: number,
  fromOffset: number,
  producer: CopyProducer,
  codecs: Codecs,
): Uint8Array | null {
  const builder = new BatchBuilder({
    compression: COMPRESSION_NAMES[compressionId(bytes, position)] ?? "none",
    codecs,
    ...producer,
  });
  const cursor = new RecordCursor(bytes, position, codecs);
  while (cursor.next()) {
    if (cursor.offset < fromOffset) continue;
    builder.append(cursor.timestamp, cursor.key(), cursor.value(), cursor.headers());
  }
  return builder.recordCount === 0 ? null : builder.build();
}
