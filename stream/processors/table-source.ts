/** A topic as a table: the latest value of each key (Kafka's `KTableSource`). */
import type { Processor, ProcessorContext } from "../processor.ts";
import { type Change, changed } from "./change.ts";
import { tableForwarder } from "./table-forwarder.ts";
import type { TableLinks } from "./table-links.ts";
import { type TableStore, tableStore } from "./table-store.ts";
import { type StreamRecord, withValue } from "../record.ts";

/** `store` null: nobody looks values up, and none is kept. */
export function tableSource(store: string | null, links: TableLinks): () => Processor {
  return () => new TableSource(store, links);
}

class TableSource implements Processor {
  #context!: ProcessorContext;
  #store: TableStore | null = null;
  #forward!: (record: StreamRecord<unknown, Change<unknown>>) => void;

  constructor(
    private readonly name: string | null,
    private readonly links: TableLinks,
  ) {}

  init(context: ProcessorContext): void {
    this.#context = context;
    this.#forward = (record) => context.forward(record);
    if (this.name === null) return;
    this.#store = tableStore(context, this.name);
    this.#forward = tableForwarder(context, this.#store, this.links);
  }

  process(record: StreamRecord): void {
    const { key, value, timestampMs } = record;
    if (key === null) return this.#context.drop("its key is null");
    let oldValue: unknown = null;
    if (this.#store !== null) {
      const old = this.#store.get(key);
      if (this.links.sendsOldValues) oldValue = old?.value ?? null;
      const put = value === null ? null : { value, timestampMs };
      const outcome = this.#store.put(key, put, timestampMs);
      if (outcome === "expired") return this.#context.drop("it is older than the history");
      return this.#forward(withValue(record, changed(value, oldValue, outcome)));
    }
    this.#forward(withValue(record, { newValue: value, oldValue }));
  }
}
