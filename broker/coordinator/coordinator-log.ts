/** The log under a coordinator: what the runtime needs of a partition that this broker leads. */
import type { ErrorCode } from "../../core/errors.ts";
import type { TransactionalAppend } from "../partition.ts";

/** What an append gave. */
export type CoordinatorAppend =
  | { readonly ok: true; readonly baseOffset: number; readonly lastOffset: number }
  | { readonly ok: false; readonly error: ErrorCode; readonly message: string };

/** What a read gave: whole batches, and the offset behind them. Empty at the end of the log. */
export type CoordinatorRead =
  | { readonly ok: true; readonly records: Uint8Array; readonly nextOffset: number }
  | { readonly ok: false; readonly error: ErrorCode };

/** See the header. */
export interface CoordinatorLog {
  /** The leader epoch under which the partition is led; another one is another log. */
  readonly leaderEpoch: number;
  readonly logStartOffset: number;
  /** The offset that the next record gets. */
  readonly logEndOffset: number;
  /** Everything below is committed. */
  readonly highWatermark: number;
  /** Whether a transaction in it is open, or its end is not committed yet. */
  readonly hasUnstable: boolean;
  /** Writes one batch; its offsets are assigned. All or nothing, and at once. */
  append(batch: Uint8Array, transaction?: TransactionalAppend): CoordinatorAppend;
  /** Calls back whenever the high watermark has moved. Returns the way to unsubscribe. */
  onAdvance(listener: () => void): () => void;
  /** Moves the start of the log up to a committed offset. */
  deleteRecordsBefore(offset: number): ErrorCode;
  /** Committed batches from the one that holds `offset`. */
  read(offset: number, maxBytes: number): Promise<CoordinatorRead>;
}
