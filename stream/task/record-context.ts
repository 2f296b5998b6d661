/** What is known of the record that a task is at, for stores and changelogs (`ProcessorRecordContext`). */
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { RawRecord } from "../record.ts";
import { copyOf } from "../stores/small-bytes.ts";

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

/**
 * A moment that is kept after the record has been processed: its headers are part of all that was fetched
 * with it, megabytes that would stay for the sake of a few bytes.
 */
export function heldMoment(moment: RecordMoment): RecordMoment {
  const { timestampMs, headers, origin } = moment;
  if (headers.length === 0 && (origin === null || origin.headers.length === 0)) return moment;
  const held = origin === null ? null : { ...origin, headers: heldHeaders(origin.headers) };
  return { timestampMs, headers: heldHeaders(headers), origin: held };
}

function heldHeaders(headers: readonly RecordHeader[]): readonly RecordHeader[] {
  return headers.map(([name, value]) => [name, value === null ? null : copyOf(value)]);
}
