/** What goes from table to table: the new value of a key and, where it is wanted, the one before. */

import type { PutOutcome } from "../stores/versioned-engine.ts";

/** Kafka's `Change`. Null: there is no value; `oldValue` is null as well where nobody asked for it. */
export interface Change<V> {
  readonly newValue: V | null;
  readonly oldValue: V | null;
  /** A version that there is a later one of: not what the key has now (KIP-914). */
  readonly isLate?: boolean;
}

/** A change that was put into a store of a table; `outcome`: what that has said, if anything. */
export function changed<V>(
  newValue: V | null,
  oldValue: V | null,
  outcome: PutOutcome | void,
): Change<V> {
  return outcome === "late" ? { newValue, oldValue, isLate: true } : { newValue, oldValue };
}
