/** A topic as a table: the latest value of each key (Kafka's `KTableSource`). */
import type { Processor, ProcessorContext } from "../processor.ts";
import { type TableStore, tableStore } from "./table-store.ts";
import type { StreamRecord } from "../record.ts";

/** `store` null: nobody looks values up, and none is kept. */
export function tableSource(store: string | null, sendsOldValues: () => boolean): () => Processor {
  return () => new TableSource(store, sendsOldValues);
}

class TableSource implements Processor {
  #context!: ProcessorContext;
  #store: TableStore | null = null;

  constructor(
    private readonly name: string | null,
    private readonly sendsOldValues: () => boolean,
  ) {}

  init(context: ProcessorContext): void {
    this.#context = context;
    if (this.name === null) return;
    this.#store = tableStore(context, this.name);
  }

  process(record: StreamRecord): void {
    const { key, value, timestampMs } = record;
    if (key === null) return this.#context.drop("its key is null");
    let oldValue: unknown = null;
    if (this.#store !== null) {
      const old = this.#store.get(key);
      if (this.sendsOldValues()) oldValue = old?.value ?? null;
      this.#store.put(key, value === null ? null : { value, timestampMs });
    }
    this.#context.forward({ ...record, value: { newValue: value, oldValue } });
  }
}
