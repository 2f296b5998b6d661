/** A table: the latest value of each key, and its changes (Kafka's `KTable`). */
import {
  joinedView,
  type TableJoin,
  tableJoinMerger,
  tableJoinSide,
} from "../processors/table-join.ts";
import { suppress, suppressedView } from "../processors/suppress.ts";
import {
  mappedView,
  ofValues,
  tableMapper,
  type TableMapping,
} from "../processors/table-mapper.ts";
import { tableToStream } from "../processors/table-to-stream.ts";
import { openTransformer, type ValueTransformer } from "../processors/value-transformer.ts";
import type { TableView } from "../processors/table-view.ts";
import { json } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import { nameOfStore, type StoreName } from "../stores/store-handle.ts";
import { TopologyError } from "../topology/topology.ts";
import type { StoreOptions, TopologyBuilder } from "./builder.ts";
import { joinForeign } from "./foreign-joins.ts";
import { type GroupedTable, groupTable } from "./grouped-table.ts";
import { KStream } from "./kstream.ts";
import { INNER, type Keeps, LEFT, OUTER } from "./stream-joins.ts";
import type { Suppression } from "./suppression.ts";

/** What a table is made of. */
export interface TableParts<K, V> {
  readonly node: string;
  readonly sources: readonly string[];
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** The store that has its values; null: they are made of other tables' as they are asked for. */
  readonly store: string | null;
  readonly view: TableView;
}

/** How a table that is made of others is kept. Without a store it is not: it is made when it is asked. */
export interface MaterializedTable<V> extends StoreOptions {
  readonly store?: string;
  readonly value?: Serde<V>;
}

/** As that, with the stores that its transformer asks for. */
export interface TransformedTable<V> extends MaterializedTable<V> {
  /** Stores that it may ask for: what `addStateStore` gave, or names of those and of tables. */
  readonly stores?: readonly StoreName[];
}

/** See the head of the file. */
export class KTable<K, V> {
  constructor(
    private readonly builder: TopologyBuilder,
    /** What it is made of: for other operators. */
    readonly parts: TableParts<K, V>,
  ) {}

  /** The name of its store; null: it has none. */
  get store(): string | null {
    return this.parts.store;
  }

  filter<W extends V>(
    holds: (value: V, key: K) => value is W,
    options?: MaterializedTable<W>,
  ): KTable<K, W>;
  filter(holds: (value: V, key: K) => boolean, options?: MaterializedTable<V>): KTable<K, V>;
  filter(
    holds: (value: V, key: K) => boolean,
    options: MaterializedTable<V> = {},
  ): KTable<K, V> {
    const keep = (value: V, key: K) => holds(value, key) ? value : null;
    return this.#mapped("table-filter", keep, { value: this.parts.valueSerde, ...options });
  }

  filterNot(
    holds: (value: V, key: K) => boolean,
    options: MaterializedTable<V> = {},
  ): KTable<K, V> {
    return this.filter((value, key) => !holds(value, key), options);
  }

  /** Null takes the key away. */
  mapValues<V2>(
    mapper: (value: V, key: K) => V2 | null,
    options: MaterializedTable<V2> = {},
  ): KTable<K, V2> {
    return this.#mapped("table-map-values", mapper, options);
  }

  /** As `mapValues`, by what may keep state, and makes values of keys that have none as well. */
  transformValues<V2>(
    supplier: () => ValueTransformer<K, V, V2>,
    { stores = [], ...options }: TransformedTable<V2> = {},
  ): KTable<K, V2> {
    const open: TableMapping["open"] = (context, isLookup) =>
      openTransformer(supplier, context, isLookup);
    return this.#opened(
      "table-transform-values",
      { open, mapStores: stores.map(nameOfStore) },
      options,
    );
  }

  /** Keys that both have. Null, of `joiner`, takes the key away. */
  join<V2, R>(
    other: KTable<K, V2>,
    joiner: (value: V, other: NoInfer<V2>, key: K) => R | null,
    options: MaterializedTable<R> = {},
  ): KTable<K, R> {
    // Neither is null where both are wanted.
    const join = joiner as (value: V | null, other: V2 | null, key: K) => R | null;
    return this.#joined(other, join, INNER, options);
  }

  /** All keys that this one has; the other's value is null where it has none. */
  leftJoin<V2, R>(
    other: KTable<K, V2>,
    joiner: (value: V, other: NoInfer<V2> | null, key: K) => R | null,
    options: MaterializedTable<R> = {},
  ): KTable<K, R> {
    // This side's is never null.
    const join = joiner as (value: V | null, other: V2 | null, key: K) => R | null;
    return this.#joined(other, join, LEFT, options);
  }

  /** All keys that either has; null is given for a side that has none. */
  outerJoin<V2, R>(
    other: KTable<K, V2>,
    joiner: (value: V | null, other: NoInfer<V2> | null, key: K) => R | null,
    options: MaterializedTable<R> = {},
  ): KTable<K, R> {
    return this.#joined(other, joiner, OUTER, options);
  }

  /**
   * Rows of this table with those of another whose keys are in them: `keyOf` null leaves a row out.
   * `name` is that of the topics and the store that it takes.
   */
  joinForeign<K2, V2, R>(
    name: string,
    other: KTable<K2, V2>,
    keyOf: (value: V, key: K) => K2 | null,
    joiner: (value: V, other: NoInfer<V2>, key: K) => R | null,
    options: MaterializedTable<R> = {},
  ): KTable<K, R> {
    // Neither is null where both are wanted.
    const join = joiner as (value: V, other: V2 | null, key: K) => R | null;
    return this.#joinedForeign(name, other, false, keyOf, join, options);
  }

  /** As `joinForeign`, of all rows of this table: null where the other one has none. */
  leftJoinForeign<K2, V2, R>(
    name: string,
    other: KTable<K2, V2>,
    keyOf: (value: V, key: K) => K2 | null,
    joiner: (value: V, other: NoInfer<V2> | null, key: K) => R | null,
    options: MaterializedTable<R> = {},
  ): KTable<K, R> {
    return this.#joinedForeign(name, other, true, keyOf, joiner, options);
  }

  #joinedForeign<K2, V2, R>(
    name: string,
    other: KTable<K2, V2>,
    keepsLeft: boolean,
    keyOf: (value: V, key: K) => K2 | null,
    joiner: (value: V, other: V2 | null, key: K) => R | null,
    options: MaterializedTable<R>,
  ): KTable<K, R> {
    const { builder } = this;
    if (other.builder !== builder) throw new TopologyError("the tables are of two applications");
    const sides = [this.parts, other.parts] as const;
    return new KTable(
      builder,
      joinForeign(builder, name, sides, keepsLeft, keyOf, joiner, options),
    );
  }

  /**
   * By a key, and with a value, that are made of each row; `name` is that of the topic between. Without
   * serdes keys are those of this table, and values JSON.
   */
  groupBy<V2 = V>(
    name: string,
    pairOf: (value: V, key: K) => readonly [key: K, value: V2],
    serdes?: { readonly value?: Serde<V2> },
  ): GroupedTable<K, V2>;
  groupBy<K2, V2 = V>(
    name: string,
    pairOf: (value: V, key: K) => readonly [key: K2, value: V2],
    serdes: { readonly key: Serde<K2>; readonly value?: Serde<V2> },
  ): GroupedTable<K2, V2>;
  groupBy<K2 = K, V2 = V>(
    name: string,
    pairOf: (value: V, key: K) => readonly [key: K2, value: V2],
    serdes: { readonly key?: Serde<K2>; readonly value?: Serde<V2> } = {},
  ): GroupedTable<K2, V2> {
    return groupTable(this.builder, this.parts, name, pairOf, {
      // Where keys are of another type, its author gives their serde.
      keySerde: serdes.key ?? this.parts.keySerde as unknown as Serde<K2>,
      valueSerde: serdes.value ?? json<V2>(),
    });
  }

  /**
   * Holds its changes back, in a store of that name: until windows are closed, `untilWindowCloses()`, or
   * for some time, `untilTimeLimit({ ms: 1000 })`.
   */
  suppress(
    store: string,
    suppression: Suppression<K>,
    { logged = true, changelogConfigs = {} }: Pick<StoreOptions, "logged" | "changelogConfigs"> =
      {},
  ): KTable<K, V> {
    const { parts, builder } = this;
    const { keySerde, valueSerde } = parts;
    const { timeOf, whenFull, maxRecords = Infinity, maxBytes = Infinity } = suppression;
    const ms = suppression.ms ?? builder.windowGraces.of(parts.node);
    if (ms === null) throw new TopologyError(`"${store}": the table is not of windows`);
    if (parts.view.asOf !== undefined) {
      throw new TopologyError(`"${store}": changes of a table with a history are not held back`);
    }
    parts.view.sendOldValues(true);
    builder.topology.addStore({
      ...{ kind: "suppression", name: store, keySerde, valueSerde },
      ...{ isLogged: logged, isCached: false, changelogConfigs },
    });
    const node = builder.nameOf("suppress");
    const supplier = suppress({
      ...{ store, ms, whenFull, maxRecords, maxBytes, dropsNull: suppression.ms === null },
      // Keys of this table have its types.
      timeOf: timeOf === null ? null : (key) => timeOf(key as K),
    });
    const stores = [store];
    builder.topology.addProcessor({ name: node, parents: [parts.node], supplier, stores });
    const view = suppressedView(store, parts.view);
    return new KTable(builder, { ...parts, node, view, store: null });
  }

  /** Its changes: the new value of a key, null where the key is gone. */
  toStream(): KStream<K, V | null> {
    const { node: parent, sources, keySerde, valueSerde } = this.parts;
    const node = this.builder.nameOf("to-stream");
    const supplier = tableToStream;
    this.builder.topology.addProcessor({ name: node, parents: [parent], supplier, stores: [] });
    return new KStream<K, V | null>(this.builder, {
      ...{ node, sources, keySerde, isRekeyed: false },
      // Null is never given to a serde.
      valueSerde: valueSerde as unknown as Serde<V | null>,
    });
  }

  #mapped<V2>(
    kind: "table-filter" | "table-map-values",
    map: (value: V, key: K) => V2 | null,
    options: MaterializedTable<V2>,
  ): KTable<K, V2> {
    // Values and keys of this table have its types.
    const ofBoth = ofValues((key, value) => map(value as V, key as K));
    return this.#opened(kind, { open: () => ofBoth, mapStores: [] }, options);
  }

  #opened<V2>(
    kind: "table-filter" | "table-map-values" | "table-transform-values",
    opened: Pick<TableMapping, "open" | "mapStores">,
    options: MaterializedTable<V2>,
  ): KTable<K, V2> {
    const { parts, builder } = this;
    const store = options.store ?? null;
    const isFilter = kind === "table-filter";
    const mapping: TableMapping = {
      ...{ parent: parts.view, store, isFilter, ...opened },
      // Where values of before are there anyway, a filter says nothing of keys that it never had.
      links: { sendsOldValues: isFilter && parts.view.sendOldValues(false) },
    };
    const valueSerde = options.value ?? json<V2>();
    const stores = [...this.#addStore(store, valueSerde, options), ...opened.mapStores];
    const node = builder.nameOf(kind);
    const supplier = tableMapper(mapping);
    builder.topology.addProcessor({ name: node, parents: [parts.node], supplier, stores });
    const view = mappedView(mapping, options.historyRetentionMs !== undefined);
    return new KTable(builder, { ...parts, node, valueSerde, store, view });
  }

  #joined<V2, R>(
    other: KTable<K, V2>,
    joiner: (value: V | null, other: V2 | null, key: K) => R | null,
    keeps: Keeps,
    options: MaterializedTable<R>,
  ): KTable<K, R> {
    const { builder } = this;
    const [left, right] = [this.parts, other.parts];
    if (other.builder !== builder) throw new TopologyError("the tables are of two applications");
    if (keeps.keepsLeft) left.view.sendOldValues(true);
    if (keeps.keepsRight) right.view.sendOldValues(true);
    const store = options.store ?? null;
    const join: TableJoin = {
      ...{ left: left.view, right: right.view, ...keeps, store },
      links: { sendsOldValues: false },
      // Values and keys of these tables have their types.
      join: (key, one, two) => joiner(one as V | null, two as V2 | null, key as K),
    };
    const { topology } = builder;
    const valueSerde = options.value ?? json<R>();
    const own = this.#addStore(store, valueSerde, options);
    const name = builder.nameOf("table-join");
    const sides = ([["left", left, right], ["right", right, left]] as const).map(
      ([side, from, to]) => {
        const stores = [...to.view.stores];
        const supplier = tableJoinSide(join, side);
        const node = `${name}-${side}`;
        topology.addProcessor({ name: node, parents: [from.node], supplier, stores });
        return node;
      },
    );
    topology.addProcessor({ name, parents: sides, supplier: tableJoinMerger(join), stores: own });
    const sources = builder.joinSources(left.sources, right.sources);
    const { keySerde } = left;
    const view = joinedView(join, options.historyRetentionMs !== undefined);
    return new KTable(builder, { node: name, sources, keySerde, valueSerde, store, view });
  }

  #addStore(store: string | null, valueSerde: Serde<unknown>, options: StoreOptions): string[] {
    if (store === null) return [];
    this.builder.addTableStore(store, this.parts.keySerde, valueSerde, options);
    return [store];
  }
}
