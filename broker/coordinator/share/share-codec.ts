/**
 * The bytes of the share coordinator's records: Kafka's own (`ShareCoordinatorRecordHelpers`), so
 * that its tools read ours and ours reads its. Everything is version 0.
 */
import {
  decodeData,
  decodePrefix,
  decodeVersioned,
  encodePrefixed,
  encodeVersioned,
  ProtocolError,
} from "../../../core/protocol/codec.ts";
import {
  shareSnapshotRecord,
  shareUpdateRecord,
} from "../../../core/protocol/records/share-state-records.ts";
import type { EncodedRecord, RecordCodec } from "../shard.ts";
import type { ShareRecord, StateBatch } from "./share-records.ts";

const VERSION = 0;

/** See the header. */
export const shareRecordCodec: RecordCodec<ShareRecord> = { encode, decode };

function encode(record: ShareRecord): EncodedRecord {
  switch (record.type) {
    case "ShareSnapshot": {
      const { value } = record;
      const { key, type } = shareSnapshotRecord;
      return {
        key: encodePrefixed(key, type, VERSION, record.key),
        value: value === null ? null : encodeVersioned(shareSnapshotRecord.value, VERSION, {
          snapshotEpoch: value.snapshotEpoch,
          stateEpoch: value.stateEpoch,
          leaderEpoch: value.leaderEpoch,
          startOffset: BigInt(value.startOffset),
          deliveryCompleteCount: value.deliveryCompleteCount,
          createTimestamp: BigInt(value.createTimestampMs),
          writeTimestamp: BigInt(value.writeTimestampMs),
          stateBatches: value.stateBatches.map(encodeBatch),
        }),
      };
    }
    case "ShareUpdate": {
      const { value } = record;
      const { key, type } = shareUpdateRecord;
      return {
        key: encodePrefixed(key, type, VERSION, record.key),
        value: encodeVersioned(shareUpdateRecord.value, VERSION, {
          snapshotEpoch: value.snapshotEpoch,
          leaderEpoch: value.leaderEpoch,
          startOffset: BigInt(value.startOffset),
          deliveryCompleteCount: value.deliveryCompleteCount,
          stateBatches: value.stateBatches.map(encodeBatch),
        }),
      };
    }
  }
}

function encodeBatch(batch: StateBatch) {
  return {
    ...batch,
    firstOffset: BigInt(batch.firstOffset),
    lastOffset: BigInt(batch.lastOffset),
  };
}

function decode(key: Uint8Array, value: Uint8Array | null): ShareRecord | null {
  try {
    switch (decodePrefix(key)) {
      case shareSnapshotRecord.type:
        return decodeSnapshot(key, value);
      case shareUpdateRecord.type:
        return value === null ? null : decodeUpdate(key, value);
      default:
        return null;
    }
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

function decodeSnapshot(keyBytes: Uint8Array, value: Uint8Array | null): ShareRecord {
  const key = decodeData(shareSnapshotRecord.key, VERSION, keyBytes, 2);
  if (value === null) return { type: "ShareSnapshot", key, value: null };
  const decoded = decodeVersioned(shareSnapshotRecord.value, value);
  return {
    type: "ShareSnapshot",
    key,
    value: {
      snapshotEpoch: decoded.snapshotEpoch,
      stateEpoch: decoded.stateEpoch,
      leaderEpoch: decoded.leaderEpoch,
      startOffset: Number(decoded.startOffset),
      deliveryCompleteCount: decoded.deliveryCompleteCount,
      createTimestampMs: Number(decoded.createTimestamp),
      writeTimestampMs: Number(decoded.writeTimestamp),
      stateBatches: decoded.stateBatches.map(decodeBatch),
    },
  };
}

function decodeUpdate(keyBytes: Uint8Array, value: Uint8Array): ShareRecord {
  const key = decodeData(shareUpdateRecord.key, VERSION, keyBytes, 2);
  const decoded = decodeVersioned(shareUpdateRecord.value, value);
  return {
    type: "ShareUpdate",
    key,
    value: {
      snapshotEpoch: decoded.snapshotEpoch,
      leaderEpoch: decoded.leaderEpoch,
      startOffset: Number(decoded.startOffset),
      deliveryCompleteCount: decoded.deliveryCompleteCount,
      stateBatches: decoded.stateBatches.map(decodeBatch),
    },
  };
}

function decodeBatch(batch: {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly deliveryState: number;
  readonly deliveryCount: number;
}): StateBatch {
  return {
    ...batch,
    firstOffset: Number(batch.firstOffset),
    lastOffset: Number(batch.lastOffset),
  };
}
