/**
 * Gives on what was added up in windows once they are closed
 * (`AbstractKStreamTimeWindowAggregateProcessor`, `KStreamSessionWindowAggregate`).
 */
import type { ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { TimeRange } from "../stores/engine.ts";
import type { WindowedEntry } from "../stores/windowed-store.ts";
import type { EmitStrategy } from "../windows/emit-strategy.ts";
import type { Change } from "./change.ts";

/** Which windows are closed, and what they have. */
export interface ClosedWindows<V> {
  /**
   * Times, as they are kept by in the store, of the windows that are closed at `closedMs` and were not
   * at `lastMs`, which is null at first. Null: there are none.
   */
  closed(closedMs: number, lastMs: number | null): TimeRange | null;
  find(times: TimeRange): Iterable<WindowedEntry<unknown, V>>;
  /** The record for those behind. */
  resultOf(
    entry: WindowedEntry<unknown, V>,
  ): { readonly value: unknown; readonly timestampMs: number };
}

/**
 * How far stream time may go on without closed windows being given on: for so long they are kept. If it
 * goes further at once, the interval is not waited for, so none is lost, as they are in Kafka.
 */
export const CLOSED_KEPT_MS = 60_000;

/** See the head of the file. */
export class FinalResults<V> {
  #nextMs = -Infinity;

  /** `name`: what the time up to which all was given on is committed as. */
  constructor(
    private readonly context: ProcessorContext<unknown, Change<unknown>>,
    private readonly name: string,
    private readonly strategy: EmitStrategy,
    private readonly windows: ClosedWindows<V>,
  ) {}

  /** At a record, `closedMs` being what it makes of stream time: what has ended before is closed. */
  emit(record: StreamRecord, closedMs: number): void {
    const { context, strategy } = this;
    this.keepUp(record, closedMs);
    if (strategy.kind !== "on-close" || context.wallMs < this.#nextMs) return;
    this.#nextMs = context.wallMs + strategy.intervalMs;
    this.#give(record, closedMs);
  }

  /** Before a record that stream time goes on by is put into the store, which lets go of what is old. */
  keepUp(record: StreamRecord, closedMs: number): void {
    if (this.strategy.kind !== "on-close") return;
    const lastMs = this.context.metadata.get(this.name) ?? 0;
    if (closedMs - lastMs > CLOSED_KEPT_MS) this.#give(record, closedMs);
  }

  #give(record: StreamRecord, closedMs: number): void {
    const { context, name, windows } = this;
    const lastMs = context.metadata.get(name) ?? null;
    if (lastMs !== null && lastMs >= closedMs) return;
    const times = windows.closed(closedMs, lastMs);
    if (times === null) return;
    for (const entry of windows.find(times)) {
      const { value, timestampMs } = windows.resultOf(entry);
      const change = { newValue: value, oldValue: null };
      context.forward({ key: entry[0], value: change, timestampMs, headers: record.headers });
    }
    context.metadata.set(name, closedMs);
  }
}
