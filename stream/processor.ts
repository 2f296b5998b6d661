/** What a node does with records, and what it can ask for: Kafka's Processor API. */
import type { NewRecord, RecordOrigin, StreamRecord } from "./record.ts";
import type { StoreHandle } from "./stores/store-handle.ts";

/** One at work in a task: made for each task anew, so it may keep what it likes of its task. */
export interface Processor<KIn = unknown, VIn = unknown, KOut = unknown, VOut = unknown> {
  /** Before the first record; stores are open. */
  init?(context: ProcessorContext<KOut, VOut>): void;
  process(record: StreamRecord<KIn, VIn>): void;
  close?(): void;
}

/**
 * When a punctuator is called: as stream time passes, which stands still without records, or by the
 * wall clock (Kafka's `PunctuationType`).
 */
export type PunctuationType = "stream-time" | "wall-clock-time";

/** What a processor has to hand. */
export interface ProcessorContext<KOut = unknown, VOut = unknown> {
  /** Subtopology and partition: `0_3`. */
  readonly taskId: string;
  /** Of the task. */
  readonly partition: number;
  /** Gives a record to all nodes behind this one, or to the one of that name. */
  forward(record: NewRecord<KOut, VOut>, child?: string): void;
  /**
   * A store that this node is connected with, typed if it is asked for by what `addStateStore` gave. It
   * asserts that there is one.
   */
  store<S>(store: StoreHandle<S>): S;
  store(name: string): unknown;
  /** Where the record at hand was read; null in a punctuator. */
  readonly origin: RecordOrigin | null;
  /** The highest timestamp of the task so far; −1: none. */
  readonly streamTimeMs: number;
  readonly wallMs: number;
  /** How often, by the wall clock, outer joins look for windows that are closed. */
  readonly joinEmitIntervalMs: number;
  /** Times by name that are committed with the offsets of the task (Kafka's processor metadata). */
  readonly metadata: Map<string, number>;
  /** Has `callback` called every so often, with the time. Gives back what ends that. */
  schedule(
    intervalMs: number,
    type: PunctuationType,
    callback: (timestampMs: number) => void,
  ): () => void;
  /** Has `callback` called when the task ends, before processors are closed. */
  onClose(callback: () => void): void;
  /** Has the task commit soon. */
  requestCommit(): void;
  /** Counts a record that this node leaves out, with the reason (Kafka's dropped-records). */
  drop(reason: string): void;
}

export type ProcessorSupplier<KIn = unknown, VIn = unknown, KOut = unknown, VOut = unknown> = () =>
  Processor<KIn, VIn, KOut, VOut>;
