/** What a record's time is (Kafka's `TimestampExtractor`). */

/** What an extractor sees. */
export interface TimedRecord {
  readonly key: unknown;
  readonly value: unknown;
  /** As the broker has it; −1: none. */
  readonly timestampMs: number;
}

/**
 * Gives the time of a record, in milliseconds since 1970, of which fractions do not count; a negative one
 * has it left out, and so has what is no number.
 * `partitionTimeMs` is the highest time of its partition so far, −1: none.
 */
export type TimestampExtractor = (record: TimedRecord, partitionTimeMs: number) => number;

/** The record's own; without one the task fails (`FailOnInvalidTimestamp`). */
export const ownTimestamp: TimestampExtractor = ({ timestampMs }) => {
  if (timestampMs >= 0) return timestampMs;
  throw new Error("the record has no timestamp: give the source a timestamp extractor");
};
