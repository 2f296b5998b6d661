/** A table that every member has whole, so that any key may be looked up (Kafka's `GlobalKTable`). */
import type { TableView } from "../processors/table-view.ts";

/** See the head of the file. Streams are joined with it: `stream.joinGlobal(…)`. */
export class GlobalTable<K, V> {
  constructor(
    /** The name of its store. */
    readonly store: string,
    readonly view: TableView,
  ) {}

  /** Of what is looked up, for types alone. */
  declare protected readonly types: readonly [key: (key: K) => K, value: V];
}
