/** A value for each key in each window that records are added to (Kafka's `KStreamWindowAggregate`). */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { TimeWindows } from "../windows/time-windows.ts";
import { type Aggregation, Aggregator } from "./aggregate.ts";

export function windowAggregate(
  aggregation: Aggregation,
  windows: TimeWindows,
): () => Processor {
  return () => new WindowAggregate(aggregation, windows);
}

class WindowAggregate implements Processor {
  #context!: ProcessorContext;
  #aggregator!: Aggregator;
  /** Of the records that came here: late is what is late for this node. */
  #streamTimeMs = -1;

  constructor(
    private readonly aggregation: Aggregation,
    private readonly windows: TimeWindows,
  ) {}

  init(context: ProcessorContext): void {
    this.#context = context;
    this.#aggregator = new Aggregator(this.aggregation, context);
  }

  process(record: StreamRecord): void {
    const { key, timestampMs } = record;
    if (key === null) return this.#context.drop("its key is null");
    this.#streamTimeMs = Math.max(this.#streamTimeMs, timestampMs);
    const closedMs = this.#streamTimeMs - this.windows.graceMs;
    for (const window of this.windows.windowsOf(timestampMs)) {
      if (window.endMs > closedMs) this.#aggregator.add(record, { key, window });
      else this.#context.drop("its window is closed");
    }
  }
}
