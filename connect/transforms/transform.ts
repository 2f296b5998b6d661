/** What is done to records between connector and topic, one after the other (KIP-66). */
import type { ConnectRecord } from "../data/record.ts";

/** A transform of one connector, made with its config. */
export interface Transform {
  /**
   * The record to go on with: the same, or a new one made of it (`{ ...record, value }`, so that what a
   * sink or a source knows besides stays); null drops it. Throws `DataError`.
   */
  apply<R extends ConnectRecord>(record: R): R | null;
}

/** What decides whether a transform sees a record (KIP-585). */
export interface Predicate {
  /** Throws `DataError`. */
  test(record: ConnectRecord): boolean;
}
