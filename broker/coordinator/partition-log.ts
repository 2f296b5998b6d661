/** A coordinator's log on a partition that this broker leads. */
import type { ErrorCode } from "../../core/errors.ts";
import type { CoordinatorAppend, CoordinatorLog, CoordinatorRead } from "./coordinator-log.ts";

/** What a coordinator uses of `Partition`. */
export interface LedPartition {
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly highWatermark: number;
  append(records: Uint8Array, origin: "coordinator"): CoordinatorAppend;
  onAdvance(listener: () => void): () => void;
  deleteRecordsBefore(offset: number): ErrorCode;
  read(offset: number, maxBytes: number, isolation: "read_uncommitted"): Promise<CoordinatorRead>;
}

/** See the header. A coordinator's batches carry no producer id, so none is a duplicate. */
export function partitionLog(partition: LedPartition): CoordinatorLog {
  return {
    get logStartOffset() {
      return partition.logStartOffset;
    },
    get logEndOffset() {
      return partition.logEndOffset;
    },
    get highWatermark() {
      return partition.highWatermark;
    },
    append: (batch) => partition.append(batch, "coordinator"),
    onAdvance: (listener) => partition.onAdvance(listener),
    deleteRecordsBefore: (offset) => partition.deleteRecordsBefore(offset),
    read: (offset, maxBytes) => partition.read(offset, maxBytes, "read_uncommitted"),
  };
}
