/** A value for each key that records are added to (Kafka's `KStreamAggregate`, `KStreamReduce`). */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import { type TableStore, tableStore } from "./table-store.ts";
import type { Change } from "./change.ts";
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

export function aggregate(aggregation: Aggregation): () => Processor {
  return () => new Aggregate(aggregation);
}

class Aggregate implements Processor {
  #context!: ProcessorContext;
  #store!: TableStore;
  #forward!: (record: StreamRecord<unknown, Change<unknown>>) => void;

  constructor(private readonly aggregation: Aggregation) {}

  init(context: ProcessorContext): void {
    this.#context = context;
    this.#store = tableStore(context, this.aggregation.store);
    this.#forward = tableForwarder(context, this.#store, this.aggregation.links);
  }

  process(record: StreamRecord): void {
    const { key, value } = record;
    if (key === null || value === null) return this.#context.drop("its key or value is null");
    const { initialise, add, links } = this.aggregation;
    const before = this.#store.get(key);
    const timestampMs = Math.max(record.timestampMs, before?.timestampMs ?? -1);
    // As in Kafka, who asks for old values gets the initial one as that of a key without a value.
    const oldValue = before !== null ? before.value : initialise?.() ?? null;
    const newValue = before === null && initialise === null ? value : add(key, value, oldValue);
    this.#store.put(key, newValue === null ? null : { value: newValue, timestampMs });
    const change = { newValue, oldValue: links.sendsOldValues ? oldValue : null };
    this.#forward({ ...record, value: change, timestampMs });
  }
}
