/**
 * How others see a table: its values by key, whether it has a store of its own or is made of another
 * table as it is asked; and its old values, once somebody needs them (Kafka's
 * `KTableProcessorSupplier` and `KTableValueGetterSupplier`).
 */
import type { ProcessorContext } from "../processor.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import { tableStore } from "./table-store.ts";

/** Gives the value that a table has for a key. */
export type Getter = (key: unknown) => TimestampedValue<unknown> | null;

/** See the head of the file. */
export interface TableView {
  /** Stores that a node has to be connected with to look values up. */
  readonly stores: readonly string[];
  /** Opens it for a node at work, which is connected with them. */
  getter(context: ProcessorContext): Getter;
  /**
   * Has changes come with the values of before. False: this table does not have them, and keeping them
   * is asked for only with `isForced`.
   */
  sendOldValues(isForced: boolean): boolean;
}

/** Of a table with a store. */
export function storeView(store: string, sendOldValues: () => void): TableView {
  return {
    stores: [store],
    getter(context) {
      const opened = tableStore(context, store);
      return (key) => opened.get(key);
    },
    sendOldValues() {
      sendOldValues();
      return true;
    },
  };
}
