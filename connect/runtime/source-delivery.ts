/** How records of a source and its offsets become safe: one after the other, or together. */
import { KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";
import type { PartialSourceRecord } from "../data/record.ts";
import type { LatestOffsets } from "./submitted-batches.ts";

/** See the head of the file. */
export interface SourceDelivery {
  /** Before anything is read: whoever did this task before can do nothing more. */
  begin(): Promise<void>;
  /** Takes a batch; resolves when there is room for the next. Rejects with what fails the task. */
  take(batch: readonly PartialSourceRecord[]): Promise<void>;
  /** Makes everything safe that was taken, and stores where the source has come to. */
  finish(): Promise<void>;
  /** Gives up what is not safe. */
  abandon(reason: Error): void;
  figures(): Readonly<Record<string, number>>;
}

/** Hears what becomes of what was taken. */
export interface DeliveryListener {
  /** Brokers have a record at this offset; its transaction, if there is one, may be open. */
  written(record: PartialSourceRecord, offset: bigint): void;
  /** It is in the topic for good, and all before it. Offsets are stored later, or were just now. */
  acknowledged(offsets: LatestOffsets): void;
  /** Its offsets are stored as well. */
  committed(offsets: LatestOffsets): Promise<void>;
  /** It is lost for good: the task has failed. */
  lost(error: Error): void;
}

/** Whether only this record is refused, however often it is sent: too large in a batch of its own. */
export function isForRecordAlone(error: Error): boolean {
  return error instanceof KafkaError &&
    (error.code === Errors.MESSAGE_TOO_LARGE || error.code === Errors.RECORD_LIST_TOO_LARGE);
}
