/** What is known of the record that a task is at, for stores and changelogs (`ProcessorRecordContext`). */
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { RawRecord } from "../record.ts";

/** What was known at a moment. */
export interface RecordMoment {
  /** Of the record as the last node gave it on; −1: none yet. */
  readonly timestampMs: number;
  readonly headers: readonly RecordHeader[];
  /** Null in a punctuator. */
  readonly origin: RawRecord | null;
}

const NOTHING: RecordMoment = { timestampMs: -1, headers: [], origin: null };

/** One for each task; it changes with each record. */
export class RecordContext {
  now: RecordMoment = NOTHING;

  /** Has `body` see another moment: that at which something was put off. */
  at(moment: RecordMoment, body: () => void): void {
    const before = this.now;
    this.now = moment;
    try {
      body();
    } finally {
      this.now = before;
    }
  }
}
