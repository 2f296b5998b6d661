/**
 * A stream joined with a table, or a global one: each record with the value that the table has at the
 * time (Kafka's `KStreamKTableJoin`, `KStreamGlobalKTableJoin`).
 */
import type { Processor, ProcessorContext } from "../processor.ts";
import { type StreamRecord, withValue } from "../record.ts";
import { JoinBuffer, type JoinBufferSpec } from "./join-buffer.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import type { TableView } from "./table-view.ts";

/** What is joined, and how. */
export interface StreamTableJoin {
  readonly table: TableView;
  /** The key that the table is asked for. Never asked of a record without a value. */
  readonly keyOf: (key: unknown, value: unknown) => unknown;
  /** Whether a record that the table has nothing for is given on, joined with null. */
  readonly keepsLeft: boolean;
  /** Where records wait for the table, which is versioned then; null: they do not. */
  readonly buffer: JoinBufferSpec | null;
  readonly join: (key: unknown, value: unknown, other: unknown) => unknown;
}

export function streamTableJoin(join: StreamTableJoin): () => Processor {
  return () => new StreamTableJoinProcessor(join);
}

class StreamTableJoinProcessor implements Processor {
  #context!: ProcessorContext;
  #buffer: JoinBuffer | null = null;
  #get!: (key: unknown, timestampMs: number) => TimestampedValue<unknown> | null;

  constructor(private readonly join: StreamTableJoin) {}

  init(context: ProcessorContext): void {
    this.#context = context;
    const { table, buffer } = this.join;
    if (buffer !== null) this.#buffer = new JoinBuffer(buffer, context);
    this.#get = table.asOf?.(context) ?? table.getter(context);
  }

  process(record: StreamRecord): void {
    const { key, value } = record;
    if (value === null) return this.#context.drop("its value is null");
    // One without a key has nothing to wait for.
    if (this.#buffer === null || key === null || !this.#buffer.put(record)) this.#join(record);
    else this.#buffer.take((due) => this.#join(due));
  }

  #join(record: StreamRecord): void {
    const { key, value } = record;
    const { keepsLeft, keyOf, join } = this.join;
    const tableKey = keyOf(key, value);
    // A record without a key has nothing to be joined with, which is no reason to lose it (KIP-962).
    if (tableKey === null && !keepsLeft) {
      return this.#context.drop("the key that it is joined by is null");
    }
    const other = tableKey === null ? null : this.#get(tableKey, record.timestampMs);
    if (other === null && !keepsLeft) return;
    this.#context.forward(withValue(record, join(key, value, other?.value ?? null)));
  }
}
