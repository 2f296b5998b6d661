/**
 * What a connector is: one module whose default export is made by `defineSource` or `defineSink`. It
 * reads from, or writes to, one kind of system; the runtime does the rest: conversion, transforms,
 * offsets, retries, dead letters, restarts.
 *
 *     import { defineSource, int, string } from "kstream/connect";
 *
 *     export default defineSource({
 *       name: "counter",
 *       doc: "Counts.",
 *       version: "1.0.0",
 *       config: { topic: string().doc("Where to."), "interval.ms": int().default(1000).doc("Pause.") },
 *       async *read({ config, clock, offsets, signal }) {
 *         const last = await offsets.get({ counter: "only" });
 *         for (let n = Number(last?.["n"] ?? 0); !signal.aborted; n++) {
 *           yield [{
 *             topic: config.topic,
 *             value: { n },
 *             sourcePartition: { counter: "only" },
 *             sourceOffset: { n: n + 1 },
 *           }];
 *           await clock.sleep(config["interval.ms"], signal);
 *         }
 *       },
 *     });
 */
import type { ClientOptions } from "../client/options.ts";
import type { Logger } from "../core/logger.ts";
import type { ConfigOf, Fields } from "./config/fields.ts";
import type { ConfigProblem, RawConfig } from "./config/parse.ts";
import type { PartialSourceRecord, SinkRecord, SourceMap } from "./data/record.ts";

/** Something failed that may work later: the same is tried again with growing pauses. */
export class RetriableError extends Error {
  override readonly name = "RetriableError";
}

/** Time, as the runtime has it. */
export interface TaskClock {
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Milliseconds that only grow. */
  monotonicMs(): number;
  /** Resolves after so long, or as soon as `signal` aborts, without an error in either case. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** What a running task knows of itself. */
export interface TaskContext<C> {
  /** Parsed, secrets resolved. */
  readonly config: C;
  /** What its config has under `dynamicKeys`, by full names, secrets resolved. */
  readonly dynamic: RawConfig;
  /** Name of the connector, as its owner calls it. */
  readonly connector: string;
  /** From 0. */
  readonly task: number;
  /** Aborts when the task is to end: what waits has to come back then. */
  readonly signal: AbortSignal;
  readonly clock: TaskClock;
  /** Its lines name connector and task. */
  readonly log: Logger;
  /** A figure for metrics and status, as the lag of a replication slot: the latest value counts. */
  gauge(name: string, value: number): void;
  /**
   * How the worker reaches its cluster, for a connector that does more with it than its records.
   * Null where there is none, as in tests without a broker. It has secrets: never log it.
   */
  readonly cluster: ClientOptions | null;
}

/** What a source remembers, by what it reads of. Only what is committed is found. */
export interface SourceOffsets {
  get(partition: SourceMap): Promise<SourceMap | null>;
  /** One of them after the other, in the order asked. */
  getAll(partitions: readonly SourceMap[]): Promise<(SourceMap | null)[]>;
}

export interface SourceContext<C> extends TaskContext<C> {
  /** Somebody looks what would be read: nothing is to be made or changed that would stay. */
  readonly isDryRun?: true;
  readonly offsets: SourceOffsets;
  /**
   * Has `callback` called as soon as records are in the topic for good, with all that was yielded
   * before them: with the last offset of each partition among them. That is before these offsets are
   * stored, or when the transaction of both is committed. For sources that have to answer somebody;
   * after a crash the records may come again. It must neither throw nor wait.
   */
  onAcknowledged(callback: (positions: readonly SourcePosition[]) => void): void;
  /**
   * Has `callback` called with the last offset of each partition that was stored since, after its
   * records are safe in the topic: so a source may tell its target what can be let go.
   */
  onCommitted(
    callback: (positions: readonly SourcePosition[]) => Promise<void> | void,
  ): void;
  /**
   * Has `callback` called with each record that brokers have, and its offset there, those of a
   * partition in their order. With exactly-once its transaction may still be open: what is not to
   * be known of records that are aborted waits for `onCommitted`.
   */
  onWritten(callback: (record: PartialSourceRecord, offset: bigint) => void): void;
}

export interface SourcePosition {
  readonly partition: SourceMap;
  readonly offset: SourceMap;
}

/** A partition of a topic and an offset in it. */
export interface SinkPosition {
  readonly topic: string;
  readonly partition: number;
  /** Of the record that comes next. */
  readonly offset: bigint;
  /** Words that are committed with it, for whoever is assigned the partition there: 4000 bytes at most. */
  readonly metadata?: string;
}

/** A partition that has come to a sink. */
export interface SinkPartition {
  readonly topic: string;
  readonly partition: number;
  /** What the group has committed with the offset where it goes on; left out: nothing. */
  readonly metadata?: string;
}

export interface SinkContext<C> extends TaskContext<C> {
  /**
   * One record cannot be taken, the others can: it goes where `errors.tolerance` says, to the dead
   * letters, or fails the task. Resolves when that is done (KIP-610).
   */
  reject(record: SinkRecord, error: Error): Promise<void>;
  /** Has `flush` called soon, not only when the next commit is due. */
  requestCommit(): void;
  /**
   * Commits at once, from within `write` or `flush`: before something is begun that whoever has the
   * partition next has to know of. Rejects with `RetriableError` where it cannot be done now, or no
   * more since the partition is another's.
   */
  commit(positions: readonly SinkPosition[]): Promise<void>;
}

/** A sink at work. Its methods are never called while another one runs. */
export interface SinkTask {
  /**
   * Partitions are here from now on. A sink whose target stores offsets gives those of the records
   * that it wants next, and is sent those: so nothing is written twice.
   */
  assigned?(partitions: readonly SinkPartition[]): Promise<readonly SinkPosition[] | void>;
  /**
   * Takes records, those of a partition in their order. Without `flush` they have to be safe in the
   * target when this resolves. On `RetriableError` the same records come again after a pause.
   */
  write(records: readonly SinkRecord[]): Promise<void>;
  /**
   * Makes safe what can be made safe now and says up to where that is; `taken` is where `write` has
   * come to. What is not named is not committed. Called when offsets are to be committed, and before
   * partitions go (`leaving`).
   */
  flush?(taken: readonly SinkPosition[], leaving: boolean): Promise<readonly SinkPosition[]>;
  /** Partitions are gone, after `flush`; what is held for them is to be thrown away. */
  revoked?(
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<void>;
  /** The end, whatever happened before. */
  close?(): Promise<void>;
}

/**
 * How often a record may come to its target. `exactly` needs what `doc` says; `at-most` is for what
 * cannot be read again, as a pipe: what a worker has in its hands when it dies is lost.
 */
export type Delivery = "at-most-once" | "at-least-once" | "exactly-once";

interface DefinitionBase<F extends Fields> {
  /** As `connector.class` has it: lower case with hyphens. */
  readonly name: string;
  /** Other names it is known by: those of Kafka's own classes. */
  readonly aliases?: readonly string[];
  readonly version: string;
  /** One or more sentences for the reference. */
  readonly doc: string;
  readonly config: F;
  /**
   * A config that does something useful, without `name` and `connector.class` where they say nothing:
   * for the reference and for forms. Default: what is needed, by the examples of the fields.
   */
  readonly example?: RawConfig;
  /**
   * Names of further keys, made of others: `tables.*.key`. A `*` stands for anything. They are in
   * `TaskContext.dynamic`.
   */
  readonly dynamicKeys?: readonly string[];
  /** What no single field shows: fields that contradict each other. */
  check?(config: ConfigOf<F>, dynamic: RawConfig): readonly ConfigProblem[];
  /** Asks the target whether it is there and lets us in. Throws what is wrong, for `validate`. */
  probe?(config: ConfigOf<F>, signal: AbortSignal, dynamic: RawConfig): Promise<void>;
  /**
   * Configs of the tasks, `max` at most. Default: of a source one with the connector's config, of a
   * sink `max` with it. What is put in must be keys of `config`.
   */
  tasks?(
    config: ConfigOf<F>,
    raw: RawConfig,
    max: number,
    signal: AbortSignal,
  ): Promise<RawConfig[]> | RawConfig[];
  /** Runs as long as the connector: calls `changed` when `tasks` would answer otherwise. */
  watch?(
    config: ConfigOf<F>,
    changed: () => void,
    context: TaskContext<ConfigOf<F>>,
  ): Promise<void>;
  /** Its keys, values and headers are bytes: no converter but that of bytes is taken. */
  readonly isOfBytes?: true;
  /** Runs commands or loads code: needs leave of who starts the worker. */
  readonly needs?: "exec";
}

export interface SourceDefinition<F extends Fields = Fields> extends DefinitionBase<F> {
  readonly kind: "source";
  /**
   * `exactly-once`: what is read behind an offset is the same each time, so with
   * `exactly.once.support` records and offsets are written in one transaction.
   */
  readonly delivery: Delivery;
  /**
   * Yields records in batches, in order per partition. It is asked for the next batch when there is
   * room for it. With `transaction.boundary=poll` each batch is a transaction.
   */
  read(context: SourceContext<ConfigOf<F>>): AsyncIterable<readonly PartialSourceRecord[]>;
  /**
   * What keeps a config from exactly once though `delivery` says that there is such a way: the reason
   * and the way out, as it goes on behind `"exactly.once.support" cannot be required: `. Null: nothing.
   */
  whyNotExactlyOnce?(config: ConfigOf<F>): string | null;
  /** Refuses offsets that somebody wants to set (KIP-875): throws what is wrong. */
  checkOffsets?(positions: readonly { partition: SourceMap; offset: SourceMap | null }[]): void;
}

export interface SinkDefinition<F extends Fields = Fields> extends DefinitionBase<F> {
  readonly kind: "sink";
  readonly delivery: Delivery;
  /** Begins a task. Throws what keeps it from working. */
  open(context: SinkContext<ConfigOf<F>>): Promise<SinkTask> | SinkTask;
}

export type ConnectorDefinition = SourceDefinition | SinkDefinition;

/** A source connector. */
export function defineSource<F extends Fields>(
  definition: Omit<SourceDefinition<F>, "kind" | "delivery"> & { readonly delivery?: Delivery },
): SourceDefinition<F> {
  return { delivery: "at-least-once", ...definition, kind: "source" };
}

/** A sink connector: with `open`, or with `write` alone where there is nothing to open or flush. */
export function defineSink<F extends Fields>(
  definition:
    & Omit<SinkDefinition<F>, "kind" | "delivery" | "open">
    & { readonly delivery?: Delivery }
    & (Pick<SinkDefinition<F>, "open"> | {
      write(records: readonly SinkRecord[], context: SinkContext<ConfigOf<F>>): Promise<void>;
    }),
): SinkDefinition<F> {
  const open = "open" in definition
    ? definition.open
    : (context: SinkContext<ConfigOf<F>>): SinkTask => ({
      write: (records) => definition.write(records, context),
    });
  return { delivery: "at-least-once", ...definition, kind: "sink", open };
}
