/**
 * How others see a table: its values by key, whether it has a store of its own or is made of another
 * table as it is asked; and its old values, once somebody needs them (Kafka's
 * `KTableProcessorSupplier` and `KTableValueGetterSupplier`).
 */
import type { ProcessorContext } from "../processor.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import type { VersionedStore } from "../stores/versioned-store.ts";
import type { Change } from "./change.ts";
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
  /**
   * Opens it for a node that asks for values as they were at a time. Without this it is not versioned; with
   * it changes may be late (`Change.isLate`).
   */
  asOf?(context: ProcessorContext): AsOfGetter;
}

/** Gives the value that a table had for a key at a time. */
export type AsOfGetter = (key: unknown, timestampMs: number) => TimestampedValue<unknown> | null;

/** Whether a change is to be left out by who looks at what a table has now: it is of a version before. */
export function isOutdated(view: TableView, { isLate = false }: Change<unknown>): boolean {
  return isLate && view.asOf !== undefined;
}

/** Of a table with a store. */
export function storeView(
  store: string,
  sendOldValues: () => void,
  isVersioned = false,
): TableView {
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
    ...(isVersioned && {
      asOf(context) {
        // The topology has opened it as such.
        const opened = context.store(store) as VersionedStore<unknown, unknown>;
        return (key, timestampMs) => opened.getAsOf(key, timestampMs);
      },
    }),
  };
}
