/** What a format is made of: functions that print a record, and what they know of where it was. */
import type { PrintableRecord } from "../../../core/expression/record-expressions.ts";
import type { Output } from "../../../core/text/output.ts";

/** Prints the record that the cursor stands on; false if it was left out. */
export type Printer = (
  output: Output,
  cursor: PrintableRecord,
  place: RecordPlace,
) => void | false;

/** What the cursor does not know. What a share group delivers has no more than topic and partition. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  /** The batches of the fetch, and where the record's batch begins in them. */
  readonly bytes?: Uint8Array;
  readonly batchStart?: number;
  readonly logStartOffset?: number;
  readonly lastStableOffset?: number;
  readonly highWatermark?: number;
}

/** A format that cannot be read. */
export class FormatSyntaxError extends Error {
  override readonly name = "FormatSyntaxError";
}

/** Bytes of the key, −1 if it is null. */
export function keyLength({ keyStart, keyEnd }: PrintableRecord): number {
  return keyStart < 0 ? -1 : keyEnd - keyStart;
}

/** Bytes of the value, −1 if it is null. */
export function valueLength({ valueStart, valueEnd }: PrintableRecord): number {
  return valueStart < 0 ? -1 : valueEnd - valueStart;
}

/** ISO 8601 in UTC; empty if it is none. */
export function isoTime(timestampMs: number): string {
  const date = new Date(timestampMs);
  return timestampMs < 0 || Number.isNaN(date.getTime()) ? "" : date.toISOString();
}
