/**
 * A table made of each value of another one: `filter`, `mapValues` and `transformValues` (`KTableFilter`,
 * `KTableMapValues`, `KTableTransformValues`).
 */
import type { Processor, ProcessorContext } from "../processor.ts";
import { type RecordFacts, type StreamRecord, withValue } from "../record.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import { type Change, changed } from "./change.ts";
import { tableForwarder } from "./table-forwarder.ts";
import { type TableLinks } from "./table-links.ts";
import { type TableStore, tableStore } from "./table-store.ts";
import { storeView, type TableView } from "./table-view.ts";

/** Null: there is no value. Without facts there is none before it, either. */
export type ValueMap = (key: unknown, value: unknown, facts?: RecordFacts) => unknown;

/** Nothing is made of what is not there. */
export function ofValues(map: (key: unknown, value: unknown) => unknown): ValueMap {
  return (key, value) => value === null ? null : map(key, value);
}

/** What is made of values. */
export interface TableMapping {
  readonly parent: TableView;
  /** Null: it is made as it is asked for. */
  readonly store: string | null;
  readonly links: TableLinks;
  /** Has it at work in a task; `isLookup`: for another step, which asks for values. */
  open(context: ProcessorContext, isLookup: boolean): ValueMap;
  /** Stores that it asks for. */
  readonly mapStores: readonly string[];
  /** What is gone before and after is left out, where old values are known: so of filters. */
  readonly isFilter: boolean;
}

/** The view of the table that comes of it. */
export function mappedView(
  { parent, store, links, open, mapStores }: TableMapping,
  isVersioned: boolean,
): TableView {
  if (store !== null) {
    return storeView(store, () => void (links.sendsOldValues = true), isVersioned);
  }
  return {
    stores: [...parent.stores, ...mapStores],
    getter(context) {
      const get = parent.getter(context);
      const map = open(context, true);
      return (key) => lookedUp(map, key, get(key));
    },
    ...(parent.asOf !== undefined && {
      asOf(context) {
        const get = parent.asOf!(context);
        const map = open(context, true);
        return (key, timestampMs) => lookedUp(map, key, get(key, timestampMs));
      },
    }),
    sendOldValues(isForced) {
      if (parent.sendOldValues(isForced)) links.sendsOldValues = true;
      return links.sendsOldValues;
    },
  };
}

function lookedUp(
  map: ValueMap,
  key: unknown,
  found: TimestampedValue<unknown> | null,
): TimestampedValue<unknown> | null {
  if (found === null) {
    const value = map(key, null);
    return value === null ? null : { value, timestampMs: -1 };
  }
  const { timestampMs } = found;
  const value = map(key, found.value, { timestampMs, headers: [] });
  return value === null ? null : { value, timestampMs };
}

export function tableMapper(mapping: TableMapping): () => Processor {
  return () => new TableMapper(mapping);
}

class TableMapper implements Processor {
  #store: TableStore | null = null;
  #map!: ValueMap;
  #forward!: (record: StreamRecord<unknown, Change<unknown>>) => void;

  constructor(private readonly mapping: TableMapping) {}

  init(context: ProcessorContext): void {
    const { store, links } = this.mapping;
    this.#map = this.mapping.open(context, false);
    this.#forward = (record) => context.forward(record);
    if (store === null) return;
    this.#store = tableStore(context, store);
    this.#forward = tableForwarder(context, this.#store, links);
  }

  process(record: StreamRecord): void {
    const { key, timestampMs } = record;
    // Behind a table there are changes only.
    const change = record.value as Change<unknown>;
    const { sendsOldValues } = this.mapping.links;
    const newValue = this.#map(key, change.newValue, record);
    const oldValue = sendsOldValues ? this.#old(record, change) : null;
    const isNothing = newValue === null && oldValue === null;
    const isVersioned = this.mapping.parent.asOf !== undefined;
    if (this.mapping.isFilter && sendsOldValues && isNothing && !isVersioned) return;
    if (this.#store === null) {
      return this.#forward(
        withValue(
          record,
          change.isLate === true ? { newValue, oldValue, isLate: true } : { newValue, oldValue },
        ),
      );
    }
    const put = newValue === null ? null : { value: newValue, timestampMs };
    const outcome = this.#store.put(key, put, timestampMs);
    if (outcome === "expired") return;
    this.#forward(withValue(record, changed(newValue, oldValue, outcome)));
  }

  #old(record: StreamRecord, change: Change<unknown>): unknown {
    if (this.#store !== null) return this.#store.get(record.key)?.value ?? null;
    return this.#map(record.key, change.oldValue, record);
  }
}
