/** A value for each key that records are added to (Kafka's `KStreamAggregate`, `KStreamReduce`). */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import { type TableStore, tableStore } from "./table-store.ts";
import { type Change, changed } from "./change.ts";
import { tableForwarder } from "./table-forwarder.ts";
import type { TableLinks } from "./table-links.ts";

/** How records are added up. */
export interface Aggregation {
  readonly store: string;
  readonly links: TableLinks;
  /** What a key begins with. Null: its first record's value is the first aggregate (a reduction). */
  readonly initialise: (() => unknown) | null;
  /** May give null: the key has no value then, and the next record begins anew. */
  readonly add: (key: unknown, value: unknown, aggregate: unknown) => unknown;
}

/** Adds records to the aggregates of a store, and gives on what comes of it. */
export class Aggregator {
  readonly #store: TableStore;
  readonly #forward: (record: StreamRecord<unknown, Change<unknown>>) => void;

  /** `givesOn` false: what comes of it stays in the store. */
  constructor(
    private readonly aggregation: Aggregation,
    context: ProcessorContext,
    givesOn = true,
  ) {
    this.#store = tableStore(context, aggregation.store);
    this.#forward = givesOn ? tableForwarder(context, this.#store, aggregation.links) : () => {};
  }

  /** `storeKey`: that of the aggregate, which may be the record's in a window. */
  add(record: StreamRecord, storeKey: unknown): void {
    const { key, value } = record;
    const { initialise, add, links } = this.aggregation;
    const before = this.#store.get(storeKey);
    const timestampMs = Math.max(record.timestampMs, before?.timestampMs ?? -1);
    // As in Kafka, who asks for old values gets the initial one as that of a key without a value.
    const oldValue = before !== null ? before.value : initialise?.() ?? null;
    const newValue = before === null && initialise === null ? value : add(key, value, oldValue);
    const put = newValue === null ? null : { value: newValue, timestampMs };
    const outcome = this.#store.put(storeKey, put, timestampMs);
    if (outcome === "expired") return;
    const change = changed(newValue, links.sendsOldValues ? oldValue : null, outcome);
    this.#forward({ key: storeKey, value: change, timestampMs, headers: record.headers });
  }
}

export function aggregate(aggregation: Aggregation): () => Processor {
  return () => {
    let context!: ProcessorContext;
    let aggregator!: Aggregator;
    return {
      init(given) {
        context = given;
        aggregator = new Aggregator(aggregation, given);
      },
      process(record) {
        if (record.key === null || record.value === null) {
          return context.drop("its key or value is null");
        }
        aggregator.add(record, record.key);
      },
    };
  };
}
