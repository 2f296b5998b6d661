/** What goes from table to table: the new value of a key and, where it is wanted, the one before. */

/** Kafka's `Change`. Null: there is no value; `oldValue` is null as well where nobody asked for it. */
export interface Change<V> {
  readonly newValue: V | null;
  readonly oldValue: V | null;
}
