/** A stream of records (Kafka's `KStream`). Each method adds a step behind it and gives what comes of it. */
import { stateless } from "../processors/stateless.ts";
import type { ProcessorSupplier } from "../processor.ts";
import { type RecordFacts, type StreamRecord, withPair, withValue } from "../record.ts";
import { type Serde } from "../serdes/serde.ts";
import { json } from "../serdes/basic-serdes.ts";
import { TopologyError } from "../topology/topology.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { JoinWindows } from "../windows/join-windows.ts";
import { addBranches } from "./branches.ts";
import type { GlobalTable } from "./global-table.ts";
import { GroupedStream } from "./grouped-stream.ts";
import type { KTable } from "./ktable.ts";
import {
  processed,
  type ProcessOptions,
  streamAsTable,
  type TableOptions,
} from "./process-steps.ts";
import { repartition } from "./repartition.ts";
import type { Produced, Repartitioned, StreamParts } from "./stream-parts.ts";
import {
  INNER,
  joinGlobal,
  joinStreams,
  joinTable,
  type Keeps,
  LEFT,
  OUTER,
  type StreamJoined,
  type TableJoined,
} from "./stream-joins.ts";
import { addTopicSink } from "./topic-sink.ts";

type Mapped<K, V> = readonly [key: K, value: V];

/** See the head of the file. */
export class KStream<K, V> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly parts: StreamParts<K, V>,
  ) {}

  filter<W extends V>(holds: (value: V, key: K, facts: RecordFacts) => value is W): KStream<K, W>;
  filter(holds: (value: V, key: K, facts: RecordFacts) => boolean): KStream<K, V>;
  filter(holds: (value: V, key: K, facts: RecordFacts) => boolean): KStream<K, V> {
    return this.#step("filter", (record, forward) => {
      if (holds(record.value, record.key, record)) forward(record);
    });
  }

  filterNot(holds: (value: V, key: K, facts: RecordFacts) => boolean): KStream<K, V> {
    return this.filter((value, key, facts) => !holds(value, key, facts));
  }

  /**
   * Another key and another value; a key of another type has its serde. What is grouped or joined behind it
   * is repartitioned before.
   */
  map<V2>(
    mapper: (value: V, key: K, facts: RecordFacts) => Mapped<K, V2>,
    serdes?: { readonly value?: Serde<V2> },
  ): KStream<K, V2>;
  map<K2, V2>(
    mapper: (value: V, key: K, facts: RecordFacts) => Mapped<K2, V2>,
    serdes: { readonly key: Serde<K2>; readonly value?: Serde<V2> },
  ): KStream<K2, V2>;
  map<K2, V2>(
    mapper: (value: V, key: K, facts: RecordFacts) => Mapped<K2, V2>,
    serdes: { readonly key?: Serde<K2>; readonly value?: Serde<V2> } = {},
  ): KStream<K2, V2> {
    return this.#step("map", (record, forward) => {
      const [key, value] = mapper(record.value, record.key, record);
      forward(withPair(record, key, value));
    }, { ...serdes, isRekeyed: true });
  }

  mapValues<V2>(
    mapper: (value: V, key: K, facts: RecordFacts) => V2,
    value?: Serde<V2>,
  ): KStream<K, V2> {
    return this.#step("map-values", (record, forward) => {
      forward(withValue(record, mapper(record.value, record.key, record)));
    }, value === undefined ? {} : { value });
  }

  flatMap<V2>(
    mapper: (value: V, key: K, facts: RecordFacts) => Iterable<Mapped<K, V2>>,
    serdes?: { readonly value?: Serde<V2> },
  ): KStream<K, V2>;
  flatMap<K2, V2>(
    mapper: (value: V, key: K, facts: RecordFacts) => Iterable<Mapped<K2, V2>>,
    serdes: { readonly key: Serde<K2>; readonly value?: Serde<V2> },
  ): KStream<K2, V2>;
  flatMap<K2, V2>(
    mapper: (value: V, key: K, facts: RecordFacts) => Iterable<Mapped<K2, V2>>,
    serdes: { readonly key?: Serde<K2>; readonly value?: Serde<V2> } = {},
  ): KStream<K2, V2> {
    return this.#step("flat-map", (record, forward) => {
      for (const [key, value] of mapper(record.value, record.key, record)) {
        forward(withPair(record, key, value));
      }
    }, { ...serdes, isRekeyed: true });
  }

  flatMapValues<V2>(
    mapper: (value: V, key: K, facts: RecordFacts) => Iterable<V2>,
    value?: Serde<V2>,
  ): KStream<K, V2> {
    return this.#step("flat-map-values", (record, forward) => {
      for (const value of mapper(record.value, record.key, record)) {
        forward(withValue(record, value));
      }
    }, value === undefined ? {} : { value });
  }

  selectKey(keyOf: (value: V, key: K, facts: RecordFacts) => K): KStream<K, V>;
  selectKey<K2>(
    keyOf: (value: V, key: K, facts: RecordFacts) => K2,
    key: Serde<K2>,
  ): KStream<K2, V>;
  selectKey<K2>(
    keyOf: (value: V, key: K, facts: RecordFacts) => K2,
    key?: Serde<K2>,
  ): KStream<K2, V> {
    return this.#step("select-key", (record, forward) => {
      forward(withPair(record, keyOf(record.value, record.key, record), record.value));
    }, { ...(key !== undefined && { key }), isRekeyed: true });
  }

  /** Looks at records as they go by. */
  peek(look: (value: V, key: K, facts: RecordFacts) => void): KStream<K, V> {
    return this.#step("peek", (record, forward) => {
      look(record.value, record.key, record);
      forward(record);
    });
  }

  /**
   * Writes records, a line each, as they go by: to standard output, or where `write` puts them.
   */
  print(
    label: string,
    write: (line: string) => void = (line) => void process.stdout.write(line),
  ): KStream<K, V> {
    return this.peek((value, key) => {
      write(`[${label}]: ${JSON.stringify(key)}, ${JSON.stringify(value)}\n`);
    });
  }

  /**
   * Has a processor of the application's own make records of these, by way of stores, punctuators,
   * headers and the place where a record was read. `key` is how the keys that it gives on are written,
   * where they are of another type.
   */
  process<V2>(
    supplier: ProcessorSupplier<K, V, K, V2>,
    options?: ProcessOptions<V2> & { readonly key?: Serde<K> },
  ): KStream<K, V2>;
  process<K2, V2>(
    supplier: ProcessorSupplier<K, V, K2, V2>,
    options: ProcessOptions<V2> & { readonly key: Serde<K2> },
  ): KStream<K2, V2>;
  process<K2, V2>(
    supplier: ProcessorSupplier<K, V, K2, V2>,
    options: ProcessOptions<V2> & { readonly key?: Serde<K2> } = {},
  ): KStream<K2, V2> {
    // Without another serde keys are of the same type.
    const key = options.key ?? this.parts.keySerde as unknown as Serde<K2>;
    const parts = processed(this.builder, this.parts, supplier, options, key);
    return new KStream(this.builder, parts);
  }

  /** As `process`, for what keeps the keys: nothing is repartitioned behind it. */
  processValues<V2>(
    supplier: ProcessorSupplier<K, V, K, V2>,
    options: ProcessOptions<V2> = {},
  ): KStream<K, V2> {
    return new KStream(
      this.builder,
      processed(this.builder, this.parts, supplier, options, "kept"),
    );
  }

  /**
   * The latest value of each key, in a store of that name; null takes a key away. Where the keys are not
   * those of its topics, `name` is that of the topic between.
   */
  toTable(
    store: string,
    options: TableOptions<K, NonNullable<V>> = {},
  ): KTable<K, NonNullable<V>> {
    return streamAsTable(this.builder, this.parts, store, options);
  }

  /** Does something with records, which end here. */
  foreach(action: (value: V, key: K, facts: RecordFacts) => void): void {
    this.#step("foreach", (record) => action(record.value, record.key, record));
  }

  /**
   * Each record goes to the first branch whose condition holds, or to that called `otherwise`, or
   * nowhere: `split({ large: (v) => v.total > 100 }, "small")` has `large` and `small`.
   */
  split<
    const B extends Readonly<Record<string, (value: V, key: K) => boolean>>,
    O extends string = never,
  >(
    branches: B,
    otherwise?: O,
  ): { readonly [name in (keyof B & string) | O]: KStream<K, V> } {
    const { builder, parts } = this;
    const nodes = addBranches(builder, parts.node, branches, otherwise ?? null);
    const streams = [...nodes].map(([name, node]) => {
      return [name, new KStream(builder, { ...parts, node })] as const;
    });
    // A stream for each name has just been made.
    return Object.fromEntries(streams) as { [name in (keyof B & string) | O]: KStream<K, V> };
  }

  /** The records of both; those of each in their order. */
  merge(other: KStream<K, V>): KStream<K, V> {
    if (other.builder !== this.builder) {
      throw new TopologyError("the streams are of two applications");
    }
    const node = this.builder.nameOf("merge");
    const parents = [this.parts.node, other.parts.node];
    const pass = stateless((record, forward) => forward(record));
    this.builder.topology.addProcessor({ name: node, parents, supplier: pass, stores: [] });
    const isRekeyed = this.parts.isRekeyed || other.parts.isRekeyed;
    const sources = [...new Set([...this.parts.sources, ...other.parts.sources])];
    return new KStream(this.builder, { ...this.parts, node, sources, isRekeyed });
  }

  /** Writes a topic, or that which `topic` says of each record. */
  to(
    topic: string | ((record: StreamRecord<K, V>) => string),
    options: Produced<K, V> = {},
  ): void {
    addTopicSink(this.builder, this.parts, topic, options);
  }

  /**
   * Through a topic `NAME-repartition` of its own, so that records are in the task of their key. Those
   * without a key end here, having no such task, unless a left or outer join behind keeps them.
   */
  repartition(name: string, options: Repartitioned<K, V> = {}): KStream<K, V> {
    return new KStream(this.builder, repartition(this.builder, this.parts, name, options));
  }

  /** By the key that it has. Where the key is not that of its topics, `name` is that of the topic between. */
  groupByKey(options: Repartitioned<K, V> & { readonly name?: string } = {}): GroupedStream<K, V> {
    const { parts, builder } = this;
    const keySerde = options.key ?? parts.keySerde;
    const valueSerde = options.value ?? parts.valueSerde;
    if (!parts.isRekeyed) {
      if (options.partitions === undefined) {
        return new GroupedStream(builder, { ...parts, keySerde, valueSerde });
      }
      throw new TopologyError(
        "keys are those of the topics that are read, so there is no topic between that could have " +
          "other partitions: repartition(name, { partitions })",
      );
    }
    if (options.name === undefined) {
      throw new TopologyError(
        "the keys were changed, so records have to go through a topic: groupByKey({ name: … })",
      );
    }
    const moved = this.repartition(options.name, { ...options, key: keySerde, value: valueSerde });
    return new GroupedStream(builder, moved.parts);
  }

  /** By a key that is made of each record; `name` is that of the topic between. */
  groupBy(
    name: string,
    keyOf: (value: V, key: K, facts: RecordFacts) => K,
    options?: Repartitioned<K, V>,
  ): GroupedStream<K, V>;
  groupBy<K2>(
    name: string,
    keyOf: (value: V, key: K, facts: RecordFacts) => K2,
    options: Repartitioned<K2, V> & { readonly key: Serde<K2> },
  ): GroupedStream<K2, V>;
  groupBy<K2>(
    name: string,
    keyOf: (value: V, key: K, facts: RecordFacts) => K2,
    options: Repartitioned<K2, V> = {},
  ): GroupedStream<K2, V> {
    // Without a serde keys are of the type that they were of.
    const key = options.key ?? this.parts.keySerde as unknown as Serde<K2>;
    return this.selectKey(keyOf, key).groupByKey({ ...options, name });
  }

  /**
   * Records of the same key in both, within a time. `name` is that of the stores that they are kept in, and
   * of topics between where keys were changed.
   */
  join<V2, R>(
    name: string,
    other: KStream<K, V2>,
    windows: JoinWindows,
    joiner: (value: NonNullable<V>, other: NonNullable<V2>, key: K) => R,
    options: StreamJoined<K, V, V2, R> = {},
  ): KStream<K, R> {
    return this.#joined(name, other, windows, INNER, joiner, options);
  }

  /** As `join`; those of this stream that none of the other comes for are given on when that is sure. */
  leftJoin<V2, R>(
    name: string,
    other: KStream<K, V2>,
    windows: JoinWindows,
    joiner: (value: NonNullable<V>, other: NoInfer<V2> | null, key: K) => R,
    options: StreamJoined<K, V, V2, R> = {},
  ): KStream<K, R> {
    return this.#joined(name, other, windows, LEFT, joiner, options);
  }

  /** As `leftJoin`, of both streams. */
  outerJoin<V2, R>(
    name: string,
    other: KStream<K, V2>,
    windows: JoinWindows,
    joiner: (value: V | null, other: NoInfer<V2> | null, key: K) => R,
    options: StreamJoined<K, V, V2, R> = {},
  ): KStream<K, R> {
    return this.#joined(name, other, windows, OUTER, joiner, options);
  }

  /** Each record with what the table has for its key at that time. */
  joinTable<V2, R>(
    table: KTable<K, V2>,
    joiner: (value: NonNullable<V>, other: NoInfer<V2>, key: K) => R,
    options: TableJoined<K, V, R> = {},
  ): KStream<K, R> {
    const { builder, parts } = this;
    return new KStream(builder, joinTable(builder, parts, table.parts, INNER, joiner, options));
  }

  /** As `joinTable`; null where the table has nothing. */
  leftJoinTable<V2, R>(
    table: KTable<K, V2>,
    joiner: (value: NonNullable<V>, other: NoInfer<V2> | null, key: K) => R,
    options: TableJoined<K, V, R> = {},
  ): KStream<K, R> {
    const { builder, parts } = this;
    return new KStream(builder, joinTable(builder, parts, table.parts, LEFT, joiner, options));
  }

  /** Each record with what a global table has for a key made of it. */
  joinGlobal<KG, VG, R>(
    table: GlobalTable<KG, VG>,
    keyOf: (value: NonNullable<V>, key: K) => KG | null,
    joiner: (value: NonNullable<V>, other: NoInfer<VG>, key: K) => R,
    result?: Serde<R>,
  ): KStream<K, R> {
    const { builder, parts } = this;
    return new KStream(builder, joinGlobal(builder, parts, table, INNER, keyOf, joiner, result));
  }

  /** As `joinGlobal`; null where the table has nothing. */
  leftJoinGlobal<KG, VG, R>(
    table: GlobalTable<KG, VG>,
    keyOf: (value: NonNullable<V>, key: K) => KG | null,
    joiner: (value: NonNullable<V>, other: NoInfer<VG> | null, key: K) => R,
    result?: Serde<R>,
  ): KStream<K, R> {
    const { builder, parts } = this;
    return new KStream(builder, joinGlobal(builder, parts, table, LEFT, keyOf, joiner, result));
  }

  #joined<V2, R>(
    name: string,
    other: KStream<K, V2>,
    windows: JoinWindows,
    keeps: Keeps,
    joiner: (value: NonNullable<V>, other: NonNullable<V2>, key: K) => R,
    options: StreamJoined<K, V, V2, R>,
  ): KStream<K, R> {
    const { builder, parts } = this;
    if (other.builder !== builder) throw new TopologyError("the streams are of two applications");
    // A side is null only where it is not wanted.
    const join = joiner as (value: V | null, other: V2 | null, key: K) => R;
    const sides = [parts, other.parts] as const;
    return new KStream(builder, joinStreams(builder, name, sides, windows, keeps, join, options));
  }

  /** A step of functions over this stream's types. */
  #step<K2, V2>(
    kind: string,
    step: (record: StreamRecord<K, V>, forward: (record: StreamRecord<K2, V2>) => void) => void,
    changes: {
      readonly key?: Serde<K2>;
      readonly value?: Serde<V2>;
      readonly isRekeyed?: boolean;
    } = {},
  ): KStream<K2, V2> {
    const node = this.builder.nameOf(kind);
    // Records that come here are of this stream's types.
    this.#add(node, stateless((record, forward) => step(record as StreamRecord<K, V>, forward)));
    const isOtherValue = kind.endsWith("values") || kind.endsWith("map");
    const keySerde = changes.key ?? this.parts.keySerde as unknown as Serde<K2>;
    const valueSerde = changes.value ??
      (isOtherValue ? json<V2>() : this.parts.valueSerde as unknown as Serde<V2>);
    const isRekeyed = this.parts.isRekeyed || changes.isRekeyed === true;
    const { sources } = this.parts;
    return new KStream(this.builder, { node, sources, keySerde, valueSerde, isRekeyed });
  }

  #add(name: string, supplier: ProcessorSupplier): void {
    const parents = [this.parts.node];
    this.builder.topology.addProcessor({ name, parents, supplier, stores: [] });
  }
}
