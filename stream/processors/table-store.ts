/** Stores of tables, as the operators that the DSL has connected with them see them. */
import type { ProcessorContext } from "../processor.ts";
import type { OpenStore } from "../stores/key-value-store.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";

export type TableStore = OpenStore<unknown, TimestampedValue<unknown>>;

/** The store of that name, which the topology has opened as one of a table. */
export function tableStore(context: ProcessorContext, name: string): TableStore {
  return context.store(name) as TableStore;
}
