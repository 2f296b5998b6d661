/** Records by key, to be added up (Kafka's `KGroupedStream`). */
import { aggregate } from "../processors/aggregate.ts";
import { storeView } from "../processors/table-view.ts";
import { json, safeLong } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import type { TimeWindows } from "../windows/time-windows.ts";
import type { StoreOptions, TopologyBuilder } from "./builder.ts";
import type { StreamParts } from "./kstream.ts";
import { KTable } from "./ktable.ts";
import { WindowedStream } from "./windowed-stream.ts";

/** How an aggregate is kept. */
export interface Materialized<V> extends StoreOptions {
  /** Default: JSON; of a count eight bytes, as Kafka's. */
  readonly value?: Serde<V>;
}

/** See the head of the file. `store`, everywhere, is the name of the store of the table. */
export class GroupedStream<K, V> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly parts: StreamParts<K, V>,
  ) {}

  /** In windows of a fixed length: `tumbling({ sizeMs: 60_000 })`, `hopping(…)`. */
  windowedBy(windows: TimeWindows): WindowedStream<K, V> {
    return new WindowedStream(this.builder, this.parts, windows);
  }

  /** How many records of a key there were. */
  count(store: string, options: Materialized<number> = {}): KTable<K, number> {
    const value = options.value ?? safeLong();
    return this.aggregate(store, () => 0, (count) => count + 1, { ...options, value });
  }

  /** The values of a key brought together, two by two; the first is the beginning. */
  reduce(
    store: string,
    add: (aggregate: V, value: V, key: K) => V | null,
    options: Materialized<V> = {},
  ): KTable<K, V> {
    const value = options.value ?? this.parts.valueSerde;
    return this.#table(store, null, add, { ...options, value });
  }

  aggregate<A>(
    store: string,
    initialise: () => A,
    add: (aggregate: A, value: V, key: K) => A | null,
    options: Materialized<A> = {},
  ): KTable<K, A> {
    return this.#table(store, initialise, add, options);
  }

  #table<A>(
    store: string,
    initialise: (() => A) | null,
    add: (aggregate: A, value: V, key: K) => A | null,
    options: Materialized<A>,
  ): KTable<K, A> {
    const { topology } = this.builder;
    const { node: parent, sources, keySerde } = this.parts;
    const valueSerde = options.value ?? json<A>();
    const links = { sendsOldValues: false };
    this.builder.addTableStore(store, keySerde, valueSerde, options);
    const node = this.builder.nameOf("aggregate");
    const supplier = aggregate({
      ...{ store, links, initialise },
      // Records and aggregates here are of these types.
      add: (key, value, before) => add(before as A, value as V, key as K),
    });
    topology.addProcessor({ name: node, parents: [parent], supplier, stores: [store] });
    const isVersioned = options.historyRetentionMs !== undefined;
    const view = storeView(store, () => void (links.sendsOldValues = true), isVersioned);
    return new KTable(this.builder, { node, sources, keySerde, valueSerde, store, view });
  }
}
