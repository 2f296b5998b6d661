/** Splits a batch that a broker found too large, so that only the culprit fails. */
import { type Codecs, compressionName } from "../compression/codec.ts";
import { BatchBuilder } from "./batch-builder.ts";
import {
  addSequence,
  baseOffset,
  baseSequence,
  compressionId,
  isTransactional,
  NO_SEQUENCE,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
  recordsCount,
} from "./batch-header.ts";
import { RecordCursor } from "./record-cursor.ts";

/**
 * The batch at `position` as two, each with half of the records, in the same codec; sequence numbers
 * go on from the first to the second, base offsets stay 0 (as Kafka's `ProducerBatch.split`). Null
 * if it has one record only. It is for batches that no broker has appended yet. Throws
 * `CorruptRecordError` if the batch does not parse.
 */
export function splitBatch(
  bytes: Uint8Array,
  position: number,
  codecs: Codecs,
): [Uint8Array, Uint8Array] | null {
  const count = recordsCount(bytes, position);
  if (count < 2) return null;
  const cursor = new RecordCursor(bytes, position, codecs);
  const half = Math.ceil(count / 2);
  const first = builderAt(bytes, position, codecs, 0);
  const second = builderAt(bytes, position, codecs, half);
  for (let index = 0; cursor.next(); index++) {
    const into = index < half ? first : second;
    into.append(cursor.timestamp, cursor.key(), cursor.value(), cursor.headers());
  }
  return [first.build(), second.build()];
}

function builderAt(
  bytes: Uint8Array,
  position: number,
  codecs: Codecs,
  recordsBefore: number,
): BatchBuilder {
  const sequence = baseSequence(bytes, position);
  return new BatchBuilder({
    compression: compressionName(compressionId(bytes, position)) ?? "none",
    codecs,
    baseOffset: baseOffset(bytes, position),
    partitionLeaderEpoch: partitionLeaderEpoch(bytes, position),
    producerId: producerId(bytes, position),
    producerEpoch: producerEpoch(bytes, position),
    baseSequence: sequence === NO_SEQUENCE ? NO_SEQUENCE : addSequence(sequence, recordsBefore),
    transactional: isTransactional(bytes, position),
  });
}
