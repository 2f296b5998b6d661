/**
 * A stream joined with a table, or a global one: each record with the value that the table has at the
 * time (Kafka's `KStreamKTableJoin`, `KStreamGlobalKTableJoin`).
 */
import type { Processor, ProcessorContext } from "../processor.ts";
import { type StreamRecord, withValue } from "../record.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import type { TableView } from "./table-view.ts";

/** What is joined, and how. */
export interface StreamTableJoin {
  readonly table: TableView;
  /** The key that the table is asked for. Never asked of a record without a value. */
  readonly keyOf: (key: unknown, value: unknown) => unknown;
  /** Whether a record that the table has nothing for is given on, joined with null. */
  readonly keepsLeft: boolean;
  readonly join: (key: unknown, value: unknown, other: unknown) => unknown;
}

export function streamTableJoin(join: StreamTableJoin): () => Processor {
  return () => new StreamTableJoinProcessor(join);
}

class StreamTableJoinProcessor implements Processor {
  #context!: ProcessorContext;
  #get!: (key: unknown, timestampMs: number) => TimestampedValue<unknown> | null;

  constructor(private readonly join: StreamTableJoin) {}

  init(context: ProcessorContext): void {
    this.#context = context;
    const { table } = this.join;
    this.#get = table.asOf?.(context) ?? table.getter(context);
  }

  process(record: StreamRecord): void {
    const { key, value } = record;
    if (value === null) return this.#context.drop("its value is null");
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
