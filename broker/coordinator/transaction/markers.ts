/** Markers: how the end of a transaction gets into its partitions. */
import { type ErrorCode, Errors } from "../../../core/errors.ts";
import type { TxnPartitions } from "./transaction-records.ts";

/** The end of a transaction, for some of its partitions. */
export interface TxnMarker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly commit: boolean;
  /** The leader epoch of the coordinator's partition: an older coordinator's marker is refused. */
  readonly coordinatorEpoch: number;
  /** From 2 on the epoch of the marker is one that the producer never wrote with (KIP-890). */
  readonly transactionVersion: number;
  readonly partitions: TxnPartitions;
}

/** How it went for one partition. */
export interface MarkerResult {
  readonly topic: string;
  readonly partition: number;
  readonly error: ErrorCode;
}

/**
 * Writes markers into partitions, wherever they are led. It resolves when each marker is committed
 * there or has failed; it never throws.
 */
export interface MarkerWriter {
  write(marker: TxnMarker): Promise<readonly MarkerResult[]>;
}

/**
 * What a result means for the partition (Kafka's `TransactionMarkerRequestCompletionHandler`).
 * `overtaken`: somebody newer has written there, so that this end is no longer wanted.
 */
export function judgeMarker(error: ErrorCode): "done" | "retry" | "overtaken" {
  switch (error) {
    case Errors.NONE:
    case Errors.UNSUPPORTED_FOR_MESSAGE_FORMAT:
      return "done";
    case Errors.INVALID_PRODUCER_EPOCH:
    case Errors.TRANSACTION_COORDINATOR_FENCED:
      return "overtaken";
    default:
      return "retry";
  }
}
