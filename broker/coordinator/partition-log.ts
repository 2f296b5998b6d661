/** A coordinator's log on a partition that this broker leads. */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import type { TransactionalAppend } from "../partition.ts";
import type { CoordinatorAppend, CoordinatorLog, CoordinatorRead } from "./coordinator-log.ts";

/** What a coordinator uses of `Partition`. */
export interface LedPartition {
  readonly leaderEpoch: number;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly highWatermark: number;
  readonly hasUnstable: boolean;
  append(
    records: Uint8Array,
    origin: "coordinator",
    transaction?: TransactionalAppend,
  ): CoordinatorAppend;
  onAdvance(listener: () => void): () => void;
  deleteRecordsBefore(offset: number): ErrorCode;
  read(offset: number, maxBytes: number, isolation: "read_uncommitted"): Promise<CoordinatorRead>;
}

const DEPOSED: CoordinatorAppend = {
  ok: false,
  error: Errors.NOT_LEADER_OR_FOLLOWER,
  message: "The partition is led under another epoch.",
};

/**
 * See the header. Only a marker can be a duplicate. Once the partition is led under another epoch,
 * appends fail: NOT_LEADER_OR_FOLLOWER.
 */
export function partitionLog(partition: LedPartition): CoordinatorLog {
  const { leaderEpoch } = partition;
  return {
    leaderEpoch,
    get logStartOffset() {
      return partition.logStartOffset;
    },
    get logEndOffset() {
      return partition.logEndOffset;
    },
    get highWatermark() {
      return partition.highWatermark;
    },
    get hasUnstable() {
      return partition.hasUnstable;
    },
    append: (batch, transaction) =>
      partition.leaderEpoch === leaderEpoch
        ? partition.append(batch, "coordinator", transaction)
        : DEPOSED,
    onAdvance: (listener) => partition.onAdvance(listener),
    deleteRecordsBefore: (offset) => partition.deleteRecordsBefore(offset),
    read: (offset, maxBytes) => partition.read(offset, maxBytes, "read_uncommitted"),
  };
}
