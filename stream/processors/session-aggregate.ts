/**
 * A value for each session of a key (Kafka's `KStreamSessionWindowAggregate`). A record joins the sessions
 * that are near to it into one, or begins one.
 */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { WindowedEntry } from "../stores/windowed-store.ts";
import type { EmitStrategy } from "../windows/emit-strategy.ts";
import type { SessionWindows } from "../windows/session-windows.ts";
import type { Windowed } from "../windows/windowed-key.ts";
import type { Aggregation } from "./aggregate.ts";
import type { Change } from "./change.ts";
import { FinalResults } from "./final-results.ts";
import { type TableSessions, tableSessions } from "./table-store.ts";
import type { TableView } from "./table-view.ts";

/** How records of sessions are added up. */
export interface SessionAggregation extends Aggregation {
  /** Joins the values of two sessions. */
  readonly merge: (key: unknown, one: unknown, other: unknown) => unknown;
}

/** The view of such a table: the time of a value is the end of its session. */
export function sessionView(store: string, sendOldValues: () => void): TableView {
  return {
    stores: [store],
    getter(context) {
      const sessions = tableSessions(context, store);
      return (key) => {
        // Keys of such a table are of sessions.
        const windowed = key as Windowed<unknown>;
        const value = sessions.get(windowed);
        return value === null ? null : { value, timestampMs: windowed.window.endMs };
      };
    },
    sendOldValues() {
      sendOldValues();
      return true;
    },
  };
}

export function sessionAggregate(
  aggregation: SessionAggregation,
  windows: SessionWindows,
  emit: EmitStrategy,
): () => Processor {
  return () => new SessionAggregate(aggregation, windows, emit);
}

class SessionAggregate implements Processor {
  #context!: ProcessorContext<unknown, Change<unknown>>;
  #store!: TableSessions;
  #results!: FinalResults<unknown>;
  #isPutOff = false;
  #streamTimeMs = -1;

  constructor(
    private readonly aggregation: SessionAggregation,
    private readonly windows: SessionWindows,
    private readonly emit: EmitStrategy,
  ) {}

  init(context: ProcessorContext<unknown, Change<unknown>>): void {
    const { aggregation, emit } = this;
    this.#context = context;
    this.#store = tableSessions(context, aggregation.store);
    this.#isPutOff = emit.kind === "on-close" ||
      this.#store.onFlush(({ key, value, before, moment }) => {
        const oldValue = aggregation.links.sendsOldValues ? before : null;
        const timestampMs = key.window.endMs;
        const { headers } = moment;
        context.forward({ key, value: { newValue: value, oldValue }, timestampMs, headers });
      }, () => aggregation.links.sendsOldValues);
    this.#results = new FinalResults(context, aggregation.store, emit, {
      closed: (closedMs, lastMs) =>
        closedMs < 1 ? null : { fromMs: Math.max(0, lastMs ?? 0), toMs: closedMs - 1 },
      find: (times) => this.#store.byTime(times),
      resultOf: ([{ window }, value]) => ({ value, timestampMs: window.endMs }),
    });
  }

  process(record: StreamRecord): void {
    const { key, timestampMs } = record;
    const { gapMs, graceMs } = this.windows;
    if (key === null) return this.#context.drop("its key is null");
    const isLater = timestampMs > this.#streamTimeMs;
    if (isLater) this.#streamTimeMs = timestampMs;
    const closedMs = this.#streamTimeMs - graceMs - gapMs;
    // What is closed is too far away then for this record to join it; a late one may.
    if (isLater) this.#results.keepUp(record, closedMs);
    const near = [...this.#store.findSessions(key, timestampMs - gapMs, timestampMs + gapMs)];
    const startMs = Math.min(timestampMs, ...near.map(([{ window }]) => window.startMs));
    const endMs = Math.max(timestampMs, ...near.map(([{ window }]) => window.endMs));
    if (endMs < closedMs) this.#context.drop("its session is closed");
    else this.#add(record, { key, window: { startMs, endMs } }, near);
    this.#results.emit(record, closedMs);
  }

  /** Puts the one session in the place of those that it is made of. */
  #add(
    record: StreamRecord,
    session: Windowed<unknown>,
    near: readonly WindowedEntry<unknown, unknown>[],
  ): void {
    const { initialise, add, merge } = this.aggregation;
    let aggregate: unknown = initialise?.() ?? null;
    for (const [, value] of near) aggregate = merge(record.key, aggregate, value);
    if (session.window.startMs < session.window.endMs) {
      for (const [before, value] of near) {
        this.#store.put(before, null);
        this.#give(before, null, value);
      }
    }
    const isFirst = aggregate === null && initialise === null;
    const added = isFirst ? record.value : add(record.key, record.value, aggregate);
    this.#store.put(session, added);
    this.#give(session, added, null);
  }

  #give(key: Windowed<unknown>, newValue: unknown, before: unknown): void {
    if (this.#isPutOff) return;
    const oldValue = this.aggregation.links.sendsOldValues ? before : null;
    const timestampMs = key.window.endMs;
    this.#context.forward({ key, value: { newValue, oldValue }, timestampMs, headers: [] });
  }
}
