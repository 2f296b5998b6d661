/**
 * Control records: what brokers, never clients, write into a partition. A control batch holds one
 * record whose key is `version int16 · type int16` (KIP-98, Kafka's `ControlRecordType`). The value
 * of the two transaction markers (`EndTransactionMarker`) is `version int16 · coordinatorEpoch
 * int32`. Leader change, snapshot and voter records are KRaft's own and read as `other`.
 */
import { NO_CODECS } from "../compression/codec.ts";
import { BatchBuilder } from "./batch-builder.ts";
import { readInt16, readInt32, recordsCount, writeInt16, writeInt32 } from "./batch-header.ts";
import { CorruptRecordError } from "./corrupt-record-error.ts";
import { RecordCursor } from "./record-cursor.ts";

/** What a control batch says. */
export type ControlRecord =
  | { readonly type: "commit" | "abort"; readonly coordinatorEpoch: number }
  | { readonly type: "other"; readonly id: number };

/** The end of a transaction on one partition. */
export interface EndTxnMarker {
  readonly type: "commit" | "abort";
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly partitionLeaderEpoch?: number;
}

const ABORT = 0;
const COMMIT = 1;
const KEY_BYTES = 4;
const MARKER_BYTES = 6;

/** The batch that ends a transaction, at base offset 0 until the log assigns one. */
export function buildEndTxnMarker(marker: EndTxnMarker): Uint8Array {
  const builder = new BatchBuilder({
    producerId: marker.producerId,
    producerEpoch: marker.producerEpoch,
    partitionLeaderEpoch: marker.partitionLeaderEpoch,
    transactional: true,
    control: true,
    sizeHintBytes: 128,
  });
  const key = new Uint8Array(KEY_BYTES);
  writeInt16(key, 2, marker.type === "commit" ? COMMIT : ABORT);
  const value = new Uint8Array(MARKER_BYTES);
  writeInt32(value, 2, marker.coordinatorEpoch);
  builder.append(marker.timestampMs, key, value);
  return builder.build();
}

/**
 * What the control batch at `position` says. Later versions of key and value read as the first, as
 * Kafka does: fields are only ever added behind. Throws `CorruptRecordError`.
 */
export function readControlRecord(bytes: Uint8Array, position: number): ControlRecord {
  const cursor = new RecordCursor(bytes, position, NO_CODECS);
  if (!cursor.next()) throw new CorruptRecordError("a control batch holds no record");
  const key = cursor.key();
  if (key === null || key.length < KEY_BYTES || readInt16(key, 0) < 0) {
    throw new CorruptRecordError("the key of a control record is cut short");
  }
  const id = readInt16(key, 2);
  if (id !== ABORT && id !== COMMIT) return { type: "other", id };
  const value = cursor.value();
  if (value === null || value.length < MARKER_BYTES || readInt16(value, 0) < 0) {
    throw new CorruptRecordError("the value of a transaction marker is cut short");
  }
  return { type: id === COMMIT ? "commit" : "abort", coordinatorEpoch: readInt32(value, 2) };
}

/**
 * The marker of the control batch at `position`; null where there is none, as in a batch that the
 * cleaner has emptied or one of another kind.
 */
export function readEndTxnMarker(
  bytes: Uint8Array,
  position: number,
): { readonly type: "commit" | "abort"; readonly coordinatorEpoch: number } | null {
  if (recordsCount(bytes, position) <= 0) return null;
  try {
    const record = readControlRecord(bytes, position);
    return record.type === "other" ? null : record;
  } catch (error) {
    if (error instanceof CorruptRecordError) return null;
    throw error;
  }
}
