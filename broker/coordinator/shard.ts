/**
 * What a coordinator is to the runtime (`runtime.ts`): state that is the fold of the records in one
 * partition of an internal topic, and operations on it. Group, transaction, share and streams
 * coordinators are shards of this kind (Kafka's `CoordinatorShard` and `CoordinatorResult`).
 */
import type { ErrorCode } from "../../core/errors.ts";
import type { VerificationGuard } from "../../storage/partition-log.ts";

/** The transaction that records are written in. */
export interface RecordTransaction {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Says that the transaction's coordinator has been asked (KIP-890). */
  readonly verification: VerificationGuard | null | "off";
}

/** What an operation wants: records to be written, and the answer once they are committed. */
export interface CoordinatorResult<R, T> {
  readonly records: readonly R[];
  readonly response: T;
  /** False where the records may be written in several batches. Default true: all or nothing. */
  readonly atomic?: boolean;
  /** The records count once this transaction is committed; `pend` takes them, not `written`. */
  readonly transaction?: RecordTransaction;
  /** Called when the high watermark covers the records. */
  readonly onCommitted?: () => void;
  /** Called if they could not be written, or were not committed in time. */
  readonly onFailed?: (error: ErrorCode) => void;
}

/** One coordinator's state in one partition. All methods are synchronous and do no I/O. */
export interface CoordinatorShard<R> {
  /** Folds one record, that was in the log before, into the state. */
  replay(record: R, offset: number): void;
  /** As `replay`, for a record that an operation of this shard has just written. */
  written(record: R, offset: number): void;
  /** As `replay` and `written`, for a record that counts once its transaction is committed. */
  pend?(record: R, offset: number, producerId: number): void;
  /** A producer's transaction has ended: what it wrote counts from now on, or never. */
  endTransaction?(producerId: number, isCommitted: boolean): void;
  /** Names of the parts of the state, which together are all of it. */
  stateKeys(): string[];
  /** The records that give a part of the state as it is now; none if it has gone. */
  stateOf(key: string): R[];
  /** The whole log has been replayed; timers may be set from here on. */
  onLoaded(): void;
  /** The partition is led elsewhere or closing: answer all that wait. No method is called later. */
  onUnloaded(error: ErrorCode): void;
}

/**
 * What a timer is for: that a client has not been heard of, or that something has become old. A
 * broker for development can let time pass for one without the other.
 */
export type TimerKind = "session" | "housekeeping";

/** Timers whose operations run like any other operation of the shard. */
export interface CoordinatorTimers<R> {
  /**
   * Runs the operation once after the delay; replaces a timer of the same key. Default kind:
   * `session`.
   */
  schedule(
    key: string,
    delayMs: number,
    operation: () => CoordinatorResult<R, void>,
    kind?: TimerKind,
  ): void;
  cancel(key: string): void;
}

/** Bytes of a record in an internal topic; a null value is a tombstone. */
export interface EncodedRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** How records become bytes and back. */
export interface RecordCodec<R> {
  encode(record: R): EncodedRecord;
  /** Null for a record of a kind or version that is not known, which is then skipped. */
  decode(key: Uint8Array, value: Uint8Array | null): R | null;
}

/** An operation's outcome: its answer, or why there is none. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ErrorCode };
