/** A value for each key in each window that records are added to (Kafka's `KStreamWindowAggregate`). */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { TimeRange } from "../stores/engine.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import type { EmitStrategy } from "../windows/emit-strategy.ts";
import type { Window } from "../windows/time-windows.ts";
import { type Aggregation, Aggregator } from "./aggregate.ts";
import { FinalResults } from "./final-results.ts";
import { tableWindows } from "./table-store.ts";

/** Windows that a moment is in or not, whatever the records (Kafka's `Windows`). */
interface EnumeratedWindows {
  readonly sizeMs: number;
  readonly graceMs: number;
  windowsOf(timestampMs: number): readonly Window[];
}

export function windowAggregate(
  aggregation: Aggregation,
  windows: EnumeratedWindows,
  emit: EmitStrategy,
): () => Processor {
  return () => new WindowAggregate(aggregation, windows, emit);
}

class WindowAggregate implements Processor {
  #context!: ProcessorContext;
  #aggregator!: Aggregator;
  #results!: FinalResults<TimestampedValue<unknown>>;
  /** Of the records that came here: late is what is late for this node. */
  #streamTimeMs = -1;

  constructor(
    private readonly aggregation: Aggregation,
    private readonly windows: EnumeratedWindows,
    private readonly emit: EmitStrategy,
  ) {}

  init(context: ProcessorContext): void {
    const { aggregation, emit, windows } = this;
    this.#context = context;
    this.#aggregator = new Aggregator(aggregation, context, emit.kind === "on-update");
    const store = tableWindows(context, aggregation.store);
    this.#results = new FinalResults(context, aggregation.store, emit, {
      closed: (closedMs, lastMs) => closedStarts(windows, closedMs, lastMs),
      find: (times) => store.byTime(times),
      resultOf: ([, value]) => value,
    });
  }

  process(record: StreamRecord): void {
    const { key, timestampMs } = record;
    if (key === null) return this.#context.drop("its key is null");
    this.#streamTimeMs = Math.max(this.#streamTimeMs, timestampMs);
    const closedMs = this.#streamTimeMs - this.windows.graceMs;
    // None of them takes this record.
    this.#results.emit(record, closedMs);
    for (const window of this.windows.windowsOf(timestampMs)) {
      if (window.endMs > closedMs) this.#aggregator.add(record, { key, window });
      else this.#context.drop("its window is closed");
    }
  }
}

/** Starts of windows that have closed since; null also where none can have begun in the time between. */
function closedStarts(
  windows: EnumeratedWindows,
  closedMs: number,
  lastMs: number | null,
): TimeRange | null {
  const toMs = closedMs - windows.sizeMs;
  if (toMs < 0) return null;
  if (lastMs === null) return { fromMs: 0, toMs };
  const beforeMs = Math.max(0, lastMs - windows.sizeMs);
  const [before, now] = [windows.windowsOf(beforeMs), windows.windowsOf(toMs)];
  const isSame = before.length === now.length && before[0]?.startMs === now[0]?.startMs;
  return isSame ? null : { fromMs: beforeMs + 1, toMs };
}
