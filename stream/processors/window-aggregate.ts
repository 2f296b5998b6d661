/** A value for each key in each window that records are added to (Kafka's `KStreamWindowAggregate`). */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { TimeWindows } from "../windows/time-windows.ts";
import type { Aggregation } from "./aggregate.ts";
import type { Change } from "./change.ts";
import { tableForwarder } from "./table-forwarder.ts";
import { type TableStore, tableStore } from "./table-store.ts";

export function windowAggregate(
  aggregation: Aggregation,
  windows: TimeWindows,
): () => Processor {
  return () => new WindowAggregate(aggregation, windows);
}

class WindowAggregate implements Processor {
  #context!: ProcessorContext;
  #store!: TableStore;
  #forward!: (record: StreamRecord<unknown, Change<unknown>>) => void;
  /** Of the records that came here: late is what is late for this node. */
  #streamTimeMs = -1;

  constructor(
    private readonly aggregation: Aggregation,
    private readonly windows: TimeWindows,
  ) {}

  init(context: ProcessorContext): void {
    this.#context = context;
    this.#store = tableStore(context, this.aggregation.store);
    this.#forward = tableForwarder(context, this.#store, this.aggregation.links);
  }

  process(record: StreamRecord): void {
    const { key, value, timestampMs } = record;
    if (key === null) return this.#context.drop("its key is null");
    this.#streamTimeMs = Math.max(this.#streamTimeMs, timestampMs);
    const closedMs = this.#streamTimeMs - this.windows.graceMs;
    for (const window of this.windows.windowsOf(timestampMs)) {
      if (window.endMs > closedMs) this.#add({ ...record, key: { key, window } }, key, value);
      else this.#context.drop("its window is closed");
    }
  }

  #add(record: StreamRecord, key: unknown, value: unknown): void {
    const { initialise, add, links } = this.aggregation;
    const before = this.#store.get(record.key);
    const timestampMs = Math.max(record.timestampMs, before?.timestampMs ?? -1);
    const oldValue = before !== null ? before.value : initialise?.() ?? null;
    const newValue = before === null && initialise === null ? value : add(key, value, oldValue);
    this.#store.put(record.key, newValue === null ? null : { value: newValue, timestampMs });
    const change = { newValue, oldValue: links.sendsOldValues ? oldValue : null };
    this.#forward({ ...record, value: change, timestampMs });
  }
}
