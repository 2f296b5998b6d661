/** A table made of each value of another one: `filter` and `mapValues` (`KTableFilter`, `KTableMapValues`). */
import type { Processor, ProcessorContext } from "../processor.ts";
import { type StreamRecord, withValue } from "../record.ts";
import { type Change, changed } from "./change.ts";
import { tableForwarder } from "./table-forwarder.ts";
import { type TableLinks } from "./table-links.ts";
import { type TableStore, tableStore } from "./table-store.ts";
import { storeView, type TableView } from "./table-view.ts";

/** What is made of values. */
export interface TableMapping {
  readonly parent: TableView;
  /** Null: it is made as it is asked for. */
  readonly store: string | null;
  readonly links: TableLinks;
  /** Never asked of null, which stays null. */
  readonly map: (key: unknown, value: unknown) => unknown;
  /** What is gone before and after is left out, where old values are known: so of filters. */
  readonly isFilter: boolean;
}

/** The view of the table that comes of it. */
export function mappedView(
  { parent, store, links, map }: TableMapping,
  isVersioned: boolean,
): TableView {
  if (store !== null) {
    return storeView(store, () => void (links.sendsOldValues = true), isVersioned);
  }
  return {
    stores: parent.stores,
    getter(context) {
      const get = parent.getter(context);
      return (key) => {
        const found = get(key);
        if (found === null) return null;
        const value = map(key, found.value);
        return value === null ? null : { value, timestampMs: found.timestampMs };
      };
    },
    ...(parent.asOf !== undefined && {
      asOf(context) {
        const get = parent.asOf!(context);
        return (key, timestampMs) => {
          const found = get(key, timestampMs);
          const value = found === null ? null : map(key, found.value);
          return value === null ? null : { value, timestampMs: found!.timestampMs };
        };
      },
    }),
    sendOldValues(isForced) {
      if (parent.sendOldValues(isForced)) links.sendsOldValues = true;
      return links.sendsOldValues;
    },
  };
}

export function tableMapper(mapping: TableMapping): () => Processor {
  return () => new TableMapper(mapping);
}

class TableMapper implements Processor {
  #store: TableStore | null = null;
  #forward!: (record: StreamRecord<unknown, Change<unknown>>) => void;

  constructor(private readonly mapping: TableMapping) {}

  init(context: ProcessorContext): void {
    const { store, links } = this.mapping;
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
    const newValue = this.#map(key, change.newValue);
    const oldValue = sendsOldValues ? this.#old(key, change) : null;
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

  #old(key: unknown, change: Change<unknown>): unknown {
    if (this.#store !== null) return this.#store.get(key)?.value ?? null;
    return this.#map(key, change.oldValue);
  }

  #map(key: unknown, value: unknown): unknown {
    return value === null ? null : this.mapping.map(key, value);
  }
}
