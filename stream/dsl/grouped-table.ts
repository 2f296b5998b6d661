/** Rows of a table by another key, to be added up (Kafka's `KGroupedTable`). */
import { type Change } from "../processors/change.ts";
import { changedSerde } from "../processors/changed-serde.ts";
import { tableAggregate, tableRekeyer } from "../processors/table-group.ts";
import { storeView } from "../processors/table-view.ts";
import { json, safeLong } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { Materialized } from "./aggregated-table.ts";
import { KTable, type TableParts } from "./ktable.ts";

/** What a grouped table is made of. */
export interface GroupedTableParts<K, V> {
  /** The source behind the topic that changes go through. */
  readonly node: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
}

/** Sends changes of a table through a topic `NAME-repartition`, by their new keys. */
export function groupTable<K, V, K2, V2>(
  builder: TopologyBuilder,
  table: TableParts<K, V>,
  name: string,
  pairOf: (value: V, key: K) => readonly [key: K2, value: V2],
  serdes: { readonly keySerde: Serde<K2>; readonly valueSerde: Serde<V2> },
): GroupedTable<K2, V2> {
  const { topology } = builder;
  const { keySerde } = serdes;
  table.view.sendOldValues(true);
  const node = builder.nameOf("table-group");
  const topic = `${name}-repartition`;
  const supplier = tableRekeyer(
    table.view,
    // Values and keys of this table have its types.
    (value, key) => pairOf(value as V, key as K),
    (key) => keySerde.serialize(key as K2, topic),
  );
  topology.addProcessor({ name: node, parents: [table.node], supplier, stores: [] });
  const valueSerde: Serde<Change<V2>> = changedSerde(serdes.valueSerde);
  const source = builder.throughTopic([node], topic, { keySerde, valueSerde }, null);
  return new GroupedTable(builder, { node: source, ...serdes });
}

/** See the head of the file. `store`, everywhere, is the name of the store of the table. */
export class GroupedTable<K, V> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly parts: GroupedTableParts<K, V>,
  ) {}

  /** How many rows a group has. */
  count(store: string, options: Materialized<number> = {}): KTable<K, number> {
    const value = options.value ?? safeLong();
    const [add, subtract] = [(count: number) => count + 1, (count: number) => count - 1];
    return this.#table(store, () => 0, add, subtract, { ...options, value });
  }

  /** `subtract` undoes what `add` has done with a value. Null takes the group away. */
  reduce(
    store: string,
    add: (aggregate: V, value: V, key: K) => V | null,
    subtract: (aggregate: V, value: V, key: K) => V | null,
    options: Materialized<V> = {},
  ): KTable<K, V> {
    const value = options.value ?? this.parts.valueSerde;
    return this.#table(store, null, add, subtract, { ...options, value });
  }

  /** `subtract` undoes what `add` has done with a value. Null takes the group away. */
  aggregate<A>(
    store: string,
    initialise: () => A,
    add: (aggregate: A, value: V, key: K) => A | null,
    subtract: (aggregate: A, value: V, key: K) => A | null,
    options: Materialized<A> = {},
  ): KTable<K, A> {
    return this.#table(store, initialise, add, subtract, options);
  }

  #table<A>(
    store: string,
    initialise: (() => A) | null,
    add: (aggregate: A, value: V, key: K) => A | null,
    subtract: (aggregate: A, value: V, key: K) => A | null,
    options: Materialized<A>,
  ): KTable<K, A> {
    const { node: parent, keySerde } = this.parts;
    const valueSerde = options.value ?? json<A>();
    const links = { sendsOldValues: false };
    this.builder.addTableStore(store, keySerde, valueSerde, options);
    const node = this.builder.nameOf("table-aggregate");
    const supplier = tableAggregate({
      ...{ store, links, initialise },
      // Changes and aggregates here are of these types.
      add: (key, value, before) => add(before as A, value as V, key as K),
      subtract: (key, value, before) => subtract(before as A, value as V, key as K),
    });
    this.builder.topology.addProcessor({
      ...{ name: node, parents: [parent], supplier, stores: [store] },
    });
    const isVersioned = options.historyRetentionMs !== undefined;
    const view = storeView(store, () => void (links.sendsOldValues = true), isVersioned);
    const sources = [parent];
    return new KTable(this.builder, { node, sources, keySerde, valueSerde, store, view });
  }
}
