/** How records of a source and its offsets become safe: one after the other, or together. */
import type { PartialSourceRecord } from "../data/record.ts";
import type { SourcePosition } from "../connector.ts";

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

/** Hears that something which was taken is lost for good: the task has failed. */
export type OnLost = (error: Error) => void;

/** Whom a source wants told what is safe. */
export type OnCommitted = (positions: readonly SourcePosition[]) => Promise<void>;
