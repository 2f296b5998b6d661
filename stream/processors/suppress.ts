/** Holds changes of a table back (Kafka's `KTableSuppressProcessorSupplier`). */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { SuppressionBuffer } from "../stores/suppression-buffer.ts";
import type { Change } from "./change.ts";
import type { TableView } from "./table-view.ts";

/** How long, and how much. */
export interface Suppressing {
  readonly store: string;
  readonly ms: number;
  /** Null: the time of the record. */
  readonly timeOf: ((key: unknown) => number) | null;
  /** What has no value is let go of: right where those behind have never heard of it. */
  readonly dropsNull: boolean;
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly whenFull: "emit" | "fail";
}

/** The view of the table behind: of what is held back it has what was given on before. */
export function suppressedView(store: string, parent: TableView): TableView {
  return {
    stores: [store, ...parent.stores],
    getter(context) {
      const buffer = context.store(store) as SuppressionBuffer;
      const get = parent.getter(context);
      return (key) => {
        const prior = buffer.priorOf(key);
        if (prior === undefined) return get(key);
        return prior === null ? null : { value: prior, timestampMs: -1 };
      };
    },
    sendOldValues: (isForced) => parent.sendOldValues(isForced),
  };
}

export function suppress(suppressing: Suppressing): () => Processor {
  return () => new Suppress(suppressing);
}

class Suppress implements Processor {
  #context!: ProcessorContext<unknown, Change<unknown>>;
  #buffer!: SuppressionBuffer;
  #streamTimeMs = -1;

  constructor(private readonly suppressing: Suppressing) {}

  init(context: ProcessorContext<unknown, Change<unknown>>): void {
    this.#context = context;
    this.#buffer = context.store(this.suppressing.store) as SuppressionBuffer;
  }

  process({ key, value, timestampMs }: StreamRecord): void {
    const { timeOf, ms, whenFull } = this.suppressing;
    this.#streamTimeMs = Math.max(this.#streamTimeMs, timestampMs);
    // Behind a table there are changes only.
    this.#buffer.put(timeOf?.(key) ?? timestampMs, key, value as Change<unknown>);
    const dueMs = this.#streamTimeMs - ms;
    this.#releaseWhile(() => this.#buffer.firstMs <= dueMs);
    if (!this.#isFull()) return;
    if (whenFull === "emit") return this.#releaseWhile(() => this.#isFull());
    const { maxRecords, maxBytes } = this.suppressing;
    throw new Error(
      `the buffer "${this.suppressing.store}" is full: it has ${this.#buffer.count} of ` +
        `${maxRecords} records and ${this.#buffer.bytes} of ${maxBytes} bytes`,
    );
  }

  #isFull(): boolean {
    const { maxRecords, maxBytes } = this.suppressing;
    return this.#buffer.count > maxRecords || this.#buffer.bytes > maxBytes;
  }

  #releaseWhile(holds: () => boolean): void {
    const { dropsNull } = this.suppressing;
    this.#buffer.releaseWhile(holds, (key, change, { timestampMs, headers }) => {
      if (change.newValue === null && dropsNull) return;
      this.#context.forward({ key, value: change, timestampMs, headers });
    });
  }
}
