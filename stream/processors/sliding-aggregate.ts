/**
 * A value for each key in each sliding window (Kafka's `KStreamSlidingWindowAggregate`, KIP-450). A record
 * at time t is in the windows that are there around it, and makes up to three more:
 *
 *     its left window    [t − d, t]             all that is up to d before it
 *     its right window   [t + 1, t + 1 + d]     if something is there already, for it came late
 *     the right window   [p + 1, p + 1 + d]     of the record before it, at p, which had nothing in it
 *
 * The time of a window's value is that of its latest record, so it tells where the record before is.
 */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import type { EmitStrategy } from "../windows/emit-strategy.ts";
import type { SlidingWindows } from "../windows/sliding-windows.ts";
import type { Aggregation } from "./aggregate.ts";
import type { Change } from "./change.ts";
import { FinalResults } from "./final-results.ts";
import { tableForwarder } from "./table-forwarder.ts";
import { type TableWindows, tableWindows } from "./table-store.ts";

/** What a window has, or begins with: null has no value yet. */
type Aggregate = TimestampedValue<unknown>;

/** What is known of the windows around a record. */
interface Surroundings {
  readonly starts: Set<number>;
  /** Of the record before. */
  previousMs: number | null;
  hasLeft: boolean;
  hasRight: boolean;
  /** What the left window begins with, where the record before is in it. */
  left: Aggregate | null;
  /** What the right window has, where it is not empty. */
  right: Aggregate | null;
}

export function slidingAggregate(
  aggregation: Aggregation,
  windows: SlidingWindows,
  emit: EmitStrategy,
): () => Processor {
  return () => new SlidingAggregate(aggregation, windows, emit);
}

class SlidingAggregate implements Processor {
  #context!: ProcessorContext;
  #store!: TableWindows;
  #forward!: (record: StreamRecord<unknown, Change<unknown>>) => void;
  #results!: FinalResults<Aggregate>;
  #streamTimeMs = -1;
  /** Windows that end before are closed. */
  #closedMs = -1;

  constructor(
    private readonly aggregation: Aggregation,
    private readonly windows: SlidingWindows,
    private readonly emit: EmitStrategy,
  ) {}

  init(context: ProcessorContext): void {
    const { aggregation, emit } = this;
    const { differenceMs } = this.windows;
    this.#context = context;
    this.#store = tableWindows(context, aggregation.store);
    this.#forward = emit.kind === "on-close"
      ? () => {}
      : tableForwarder(context, this.#store, aggregation.links);
    this.#results = new FinalResults(context, aggregation.store, emit, {
      closed(closedMs, lastMs) {
        const toMs = closedMs - differenceMs - 1;
        if (toMs < 0) return null;
        return { fromMs: Math.max(0, (lastMs ?? 0) - differenceMs), toMs };
      },
      find: (times) => this.#store.byTime(times),
      resultOf: ([, value]) => value,
    });
  }

  process(record: StreamRecord): void {
    const { timestampMs } = record;
    const { differenceMs, graceMs } = this.windows;
    if (record.key === null || record.value === null) {
      return this.#context.drop("its key or value is null");
    }
    this.#streamTimeMs = Math.max(this.#streamTimeMs, timestampMs);
    this.#closedMs = this.#streamTimeMs - graceMs;
    this.#results.keepUp(record, this.#closedMs);
    if (timestampMs + differenceMs < this.#closedMs) {
      return this.#context.drop("its windows are closed");
    }
    if (timestampMs < differenceMs) return this.#addEarly(record);
    // None of them takes this record.
    this.#results.emit(record, this.#closedMs);
    this.#add(record);
  }

  #add(record: StreamRecord): void {
    const { timestampMs } = record;
    const { differenceMs } = this.windows;
    const around: Surroundings = {
      ...{ starts: new Set(), previousMs: null, hasLeft: false, hasRight: false },
      ...{ left: null, right: null },
    };
    for (const [{ window: { startMs } }, value] of this.#latestFirst(record)) {
      const endMs = startMs + differenceMs;
      around.starts.add(startMs);
      if (startMs === timestampMs + 1) {
        around.hasRight = true;
      } else if (endMs < timestampMs) {
        around.left = value;
        around.previousMs = value.timestampMs;
        break;
      } else {
        this.#update(record, startMs, value);
        if (endMs > timestampMs) {
          around.right ??= value;
          continue;
        }
        around.hasLeft = true;
        // There was a record at that time, which has made all windows that this one needs.
        if (value.timestampMs >= timestampMs) return;
        around.previousMs = value.timestampMs;
      }
    }
    this.#addWindows(record, around);
  }

  #addWindows(record: StreamRecord, around: Surroundings): void {
    const { timestampMs } = record;
    const { differenceMs } = this.windows;
    const { previousMs, left, right } = around;
    if (previousMs !== null && previousMs + 1 + differenceMs >= timestampMs) {
      this.#addRightOfPrevious(record, previousMs, around.starts);
    }
    if (!around.hasLeft) {
      const isEmpty = previousMs === null || previousMs < timestampMs - differenceMs;
      const value = isEmpty || left === null ? this.#initial() : left.value;
      this.#update(record, timestampMs - differenceMs, { value, timestampMs });
    }
    if (!around.hasRight && right !== null) this.#addRight(record, right);
  }

  /**
   * Windows do not begin before 0, so what is earlier than the difference shares the window from 0 on,
   * which stands for the left windows of all of it.
   */
  #addEarly(record: StreamRecord): void {
    const { timestampMs } = record;
    const starts = new Set<number>();
    let [first, right]: (Aggregate | null)[] = [null, null];
    let hasRight = false;
    for (const [{ window: { startMs } }, value] of this.#earliestFirst(record)) {
      starts.add(startMs);
      if (startMs === 0) {
        first = value;
      } else if (startMs <= timestampMs) {
        right = value;
        this.#update(record, startMs, value);
      } else {
        hasRight = true;
      }
    }
    // All that is in the first window is later, for something earlier would have a window of its own.
    if (right === null && first != null && first.timestampMs > timestampMs) right = first;
    if (!hasRight && right != null) this.#addRight(record, right);
    if (first != null && first.timestampMs < timestampMs) {
      this.#addRightOfPrevious(record, first.timestampMs, starts);
    }
    this.#update(record, 0, first ?? { value: this.#initial(), timestampMs });
  }

  #latestFirst({ key, timestampMs }: StreamRecord) {
    const fromMs = Math.max(0, timestampMs - 2 * this.windows.differenceMs);
    // Windows change while they are looked through.
    return [...this.#store.fetchBetween(key, fromMs, timestampMs + 1, { isReversed: true })];
  }

  #earliestFirst({ key, timestampMs }: StreamRecord) {
    return [...this.#store.fetchBetween(key, 0, timestampMs + 1)];
  }

  /** The right window of the record takes what later ones have. */
  #addRight(record: StreamRecord, aggregate: Aggregate): void {
    if (aggregate.timestampMs <= record.timestampMs) return;
    const startMs = record.timestampMs + 1;
    this.#store.putAt(record.key, startMs, aggregate);
    this.#give(record, startMs, null, aggregate);
  }

  #addRightOfPrevious(record: StreamRecord, previousMs: number, starts: Set<number>): void {
    const startMs = previousMs + 1;
    if (starts.has(startMs)) return;
    const { timestampMs } = record;
    this.#update(record, startMs, { value: this.#initial(), timestampMs });
  }

  /** Adds the record to a window, unless that is closed. */
  #update(record: StreamRecord, startMs: number, before: Aggregate): void {
    const { initialise, add } = this.aggregation;
    if (startMs + this.windows.differenceMs < this.#closedMs) {
      return this.#context.drop("its window is closed");
    }
    const { key, value } = record;
    const isFirst = before.value === null && initialise === null;
    const newValue = isFirst ? value : add(key, value, before.value);
    const timestampMs = before.value === null
      ? record.timestampMs
      : Math.max(record.timestampMs, before.timestampMs);
    this.#store.putAt(key, startMs, newValue === null ? null : { value: newValue, timestampMs });
    this.#give(record, startMs, before.value, { value: newValue, timestampMs });
  }

  #give(
    record: StreamRecord,
    startMs: number,
    before: unknown,
    { value: newValue, timestampMs }: Aggregate,
  ): void {
    const window = { startMs, endMs: startMs + this.windows.differenceMs };
    const oldValue = this.aggregation.links.sendsOldValues ? before : null;
    const key = { key: record.key, window };
    this.#forward({ ...record, key, value: { newValue, oldValue }, timestampMs });
  }

  #initial(): unknown {
    return this.aggregation.initialise?.() ?? null;
  }
}
