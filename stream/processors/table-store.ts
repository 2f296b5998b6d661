/** Stores of tables, as the operators that the DSL has connected with them see them. */
import type { ProcessorContext } from "../processor.ts";
import type { OpenStore } from "../stores/key-value-store.ts";
import type { OpenSessionStore } from "../stores/session-store.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import { VersionedStore } from "../stores/versioned-store.ts";
import type { PutOutcome } from "../stores/versioned-engine.ts";
import type { OpenWindowStore } from "../stores/window-store.ts";

/** What operators of tables do with their store, versioned or not. */
export interface TableStore
  extends Pick<OpenStore<unknown, TimestampedValue<unknown>>, "get" | "onFlush"> {
  /**
   * Null takes the key away, at that time. Nothing, or "latest": it is what the key has now. A change
   * that is "expired" goes nowhere.
   */
  put(
    key: unknown,
    value: TimestampedValue<unknown> | null,
    timestampMs: number,
  ): PutOutcome | void;
}

export type TableWindows = OpenWindowStore<unknown, TimestampedValue<unknown>>;
export type TableSessions = OpenSessionStore<unknown, unknown>;

/** The store of that name, which the topology has opened as one of a table. */
export function tableStore(context: ProcessorContext, name: string): TableStore {
  const store = context.store(name);
  if (store instanceof VersionedStore) return versionedTable(store);
  return store as OpenStore<unknown, TimestampedValue<unknown>>;
}

function versionedTable(store: VersionedStore<unknown, unknown>): TableStore {
  return {
    get: (key) => store.get(key),
    put: (key, value, timestampMs) => store.put(key, value?.value ?? null, timestampMs),
    onFlush: () => false,
  };
}

/** As `tableStore`, of a table of windows. */
export function tableWindows(context: ProcessorContext, name: string): TableWindows {
  return context.store(name) as TableWindows;
}

/** As `tableStore`, of a table of sessions. */
export function tableSessions(context: ProcessorContext, name: string): TableSessions {
  return context.store(name) as TableSessions;
}
