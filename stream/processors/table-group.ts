/**
 * A table grouped by something else, and added up: a change takes its old value out of one group and
 * puts its new one into another (`KTableRepartitionMap`, `KTableAggregate`, `KTableReduce`).
 */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import { type Change, changed } from "./change.ts";
import { tableForwarder } from "./table-forwarder.ts";
import type { TableLinks } from "./table-links.ts";
import { type TableStore, tableStore } from "./table-store.ts";
import { isOutdated, type TableView } from "./table-view.ts";

type Pair = readonly [key: unknown, value: unknown];

/** Gives changes on by their new keys. `bytesOf`: what tells whether two keys are the same. */
export function tableRekeyer(
  view: TableView,
  pairOf: (value: unknown, key: unknown) => Pair,
  bytesOf: (key: unknown) => Uint8Array,
): () => Processor {
  const paired = (key: unknown, value: unknown): Pair | null => {
    if (value === null) return null;
    const pair = pairOf(value, key);
    return pair[0] === null || pair[1] === null ? null : pair;
  };
  return () => {
    let context!: ProcessorContext;
    return {
      init: (given) => void (context = given),
      process(record) {
        // Behind a table there are changes only.
        const change = record.value as Change<unknown>;
        if (isOutdated(view, change)) return context.drop("a later version is there");
        const added = paired(record.key, change.newValue);
        const removed = paired(record.key, change.oldValue);
        const give = ([key]: Pair, newValue: unknown, oldValue: unknown) =>
          context.forward({ ...record, key, value: { newValue, oldValue } });
        const isSame = added !== null && removed !== null &&
          Buffer.compare(bytesOf(added[0]), bytesOf(removed[0])) === 0;
        if (isSame) return give(added, added[1], removed[1]);
        if (removed !== null) give(removed, null, removed[1]);
        if (added !== null) give(added, added[1], null);
      },
    };
  };
}

/** How changes are added up. */
export interface TableAggregation {
  readonly store: string;
  readonly links: TableLinks;
  /** Null: the first value is the first aggregate (a reduction). */
  readonly initialise: (() => unknown) | null;
  readonly add: (key: unknown, value: unknown, aggregate: unknown) => unknown;
  readonly subtract: (key: unknown, value: unknown, aggregate: unknown) => unknown;
}

export function tableAggregate(aggregation: TableAggregation): () => Processor {
  return () => new TableAggregate(aggregation);
}

class TableAggregate implements Processor {
  #store!: TableStore;
  #forward!: (record: StreamRecord<unknown, Change<unknown>>) => void;

  constructor(private readonly aggregation: TableAggregation) {}

  init(context: ProcessorContext): void {
    const { store, links } = this.aggregation;
    this.#store = tableStore(context, store);
    this.#forward = tableForwarder(context, this.#store, links);
  }

  process(record: StreamRecord): void {
    const { key } = record;
    // Behind a rekeyed table there are changes only.
    const change = record.value as Change<unknown>;
    const before = this.#store.get(key);
    const oldValue = before?.value ?? null;
    const newValue = this.#added(key, change, this.#subtracted(key, change, oldValue));
    const timestampMs = this.#timestampMs(record, change, oldValue, before?.timestampMs ?? -1);
    const put = newValue === null ? null : { value: newValue, timestampMs };
    const outcome = this.#store.put(key, put, timestampMs);
    if (outcome === "expired") return;
    const old = this.aggregation.links.sendsOldValues ? oldValue : null;
    this.#forward({ ...record, value: changed(newValue, old, outcome), timestampMs });
  }

  #subtracted(key: unknown, change: Change<unknown>, aggregate: unknown): unknown {
    if (change.oldValue === null || aggregate === null) return aggregate;
    return this.aggregation.subtract(key, change.oldValue, aggregate);
  }

  #added(key: unknown, change: Change<unknown>, aggregate: unknown): unknown {
    const { initialise, add } = this.aggregation;
    if (change.newValue === null) return aggregate;
    if (aggregate !== null) return add(key, change.newValue, aggregate);
    return initialise === null ? change.newValue : add(key, change.newValue, initialise());
  }

  /** The later one, where something of the old aggregate has gone into the new one. */
  #timestampMs(
    record: StreamRecord,
    change: Change<unknown>,
    oldValue: unknown,
    beforeMs: number,
  ): number {
    const isUsed = oldValue !== null && (change.oldValue !== null || change.newValue !== null);
    return isUsed ? Math.max(record.timestampMs, beforeMs) : record.timestampMs;
  }
}
