/** Where an application begins: its sources (Kafka's `StreamsBuilder`). */
import type { Serde } from "../serdes/serde.ts";
import { json, string } from "../serdes/basic-serdes.ts";
import { storeView } from "../processors/table-view.ts";
import { tableSource } from "../processors/table-source.ts";
import type { TimestampExtractor } from "../task/timestamp-extractor.ts";
import { type Partitioner, Topology, TopologyError } from "../topology/topology.ts";
import { GlobalTable } from "./global-table.ts";
import { KStream } from "./kstream.ts";
import { KTable } from "./ktable.ts";

/** How a topic is read. Without serdes keys are text and values JSON. */
export interface Consumed<K, V> {
  readonly key?: Serde<K>;
  readonly value?: Serde<V>;
  readonly timestamp?: TimestampExtractor;
  readonly offsetReset?: "earliest" | "latest";
}

/** How a store is kept. */
export interface StoreOptions {
  /** Default: its changes are logged, so that it can be restored. */
  readonly logged?: boolean;
  /** Default: changes are gathered between commits. */
  readonly cached?: boolean;
  readonly changelogConfigs?: Readonly<Record<string, string>>;
  /**
   * Values that were replaced are kept for so long, in stream time: the store is versioned (KIP-889), and
   * never cached. A change that is later than that is left out.
   */
  readonly historyRetentionMs?: number;
}

/**
 * A store for processors: of values by key (`KeyValueStore`), by key and window (`WindowStore`) or by key
 * and session (`SessionStore`). Changes are not gathered unless `cached` says so.
 */
export type StateStore<K, V> =
  & { readonly key: Serde<K>; readonly value: Serde<V> }
  & Pick<StoreOptions, "logged" | "cached" | "changelogConfigs">
  & (
    | { readonly kind: "key-value" }
    | { readonly kind: "window"; readonly sizeMs: number; readonly retentionMs: number }
    | { readonly kind: "session"; readonly retentionMs: number }
  );

/** See the head of the file. */
export class TopologyBuilder {
  readonly topology = new Topology();
  /** Repartition topics that take records without a key. */
  readonly keepsKeyless = new Set<string>();
  #count = 0;

  /** A topic, or several with the same types, as a stream. */
  stream<K = string, V = unknown>(
    topics: string | readonly string[],
    options: Consumed<K, V> = {},
  ): KStream<K, V> {
    const { name, keySerde, valueSerde } = this.#source([topics].flat(), options);
    return new KStream(this, {
      node: name,
      sources: [name],
      keySerde,
      valueSerde,
      isRekeyed: false,
    });
  }

  /** A topic as a table: the latest value of each key, in a store of that name. */
  table<K = string, V = unknown>(
    store: string,
    topic: string,
    options: Consumed<K, V> & StoreOptions = {},
  ): KTable<K, V> {
    const { name, keySerde, valueSerde } = this.#source([topic], options);
    const links = { sendsOldValues: false };
    const node = this.nameOf("table-source");
    this.addTableStore(store, keySerde, valueSerde, options);
    this.topology.addProcessor({
      name: node,
      parents: [name],
      supplier: tableSource(store, links),
      stores: [store],
    });
    const isVersioned = options.historyRetentionMs !== undefined;
    const view = storeView(store, () => void (links.sendsOldValues = true), isVersioned);
    return new KTable(this, { node, sources: [name], keySerde, valueSerde, store, view });
  }

  /** A topic as a table that each member has whole, in a store of that name: see `KStream.joinGlobal`. */
  globalTable<K = string, V = unknown>(
    store: string,
    topic: string,
    options: Consumed<K, V> = {},
  ): GlobalTable<K, V> {
    const source = this.#sourceNode([topic], options);
    const { keySerde, valueSerde } = source;
    const spec = {
      ...{ kind: "key-value", name: store, keySerde, valueSerde, isTimestamped: true } as const,
      ...{ isLogged: false, isCached: false, changelogConfigs: {} },
    };
    const supplier = tableSource(store, { sendsOldValues: false });
    const name = this.nameOf("global-table");
    this.topology.addGlobalStore(spec, source, { name, supplier });
    // Nodes read it without being connected with it: else they would all be of one subtopology.
    return new GlobalTable(store, { ...storeView(store, () => {}), stores: [] });
  }

  /** Records of these are joined: gives the sources of what comes of it. */
  joinSources(left: readonly string[], right: readonly string[]): string[] {
    const sources = [...new Set([...left, ...right])];
    this.topology.copartition(sources);
    return sources;
  }

  /** Has records without a key come to these nodes, through whatever topics are before them. */
  keepKeylessBefore(names: readonly string[]): void {
    const { nodes, repartitionTopics } = this.topology;
    const seen = new Set<string>();
    const waiting = [...names];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const node = nodes.get(name);
      if (node === undefined || seen.has(name)) continue;
      seen.add(name);
      if (node.kind !== "source") {
        waiting.push(...node.parents);
        continue;
      }
      for (const topic of node.topics.filter((topic) => repartitionTopics.has(topic))) {
        this.keepsKeyless.add(topic);
        for (const other of nodes.values()) {
          if (other.kind === "sink" && other.topic === topic) waiting.push(other.name);
        }
      }
    }
  }

  /** Sends what `parents` give through a topic of the application's own; gives the source behind it. */
  throughTopic(
    parents: readonly string[],
    name: string,
    serdes: { readonly keySerde: Serde<unknown>; readonly valueSerde: Serde<unknown> },
    partitions: number | null,
    partitioner: Partitioner | null = null,
  ): string {
    const { topology } = this;
    topology.addRepartitionTopic({ name, partitions });
    const sink = this.nameOf("repartition-sink");
    topology.addSink({
      name: sink,
      parents,
      topic: name,
      ...serdes,
      partitioner,
      unhashedBytes: 0,
    });
    const source = this.nameOf("repartition-source");
    const plain = { timestampExtractor: null, offsetReset: "earliest" } as const;
    topology.addSource({ name: source, topics: [name], ...serdes, ...plain });
    return source;
  }

  /** A store for processors of the application's own, which name it in their `stores`. */
  addStateStore<K, V>(name: string, spec: StateStore<K, V>): void {
    const { key: keySerde, value: valueSerde, logged = true, cached = false } = spec;
    const { changelogConfigs = {} } = spec;
    const common = { name, keySerde, valueSerde, isLogged: logged, isCached: cached };
    const all = { ...common, changelogConfigs, isTimestamped: false, isTimeOrdered: false };
    if (spec.kind === "key-value") this.topology.addStore({ ...all, kind: spec.kind });
    else if (spec.kind === "session") {
      this.topology.addStore({ ...all, kind: spec.kind, retentionMs: spec.retentionMs });
    } else {
      const { sizeMs, retentionMs } = spec;
      this.topology.addStore({ ...all, kind: spec.kind, sizeMs, retentionMs });
    }
  }

  /** The store of a table. */
  addTableStore(
    name: string,
    keySerde: Serde<unknown>,
    valueSerde: Serde<unknown>,
    { logged = true, cached = true, changelogConfigs = {}, historyRetentionMs }: StoreOptions,
  ): void {
    if (historyRetentionMs !== undefined) {
      if (!Number.isSafeInteger(historyRetentionMs) || historyRetentionMs < 0) {
        const what = `of "${name}" are whole milliseconds from 0 on, not ${historyRetentionMs}`;
        throw new TopologyError(`historyRetentionMs ${what}`);
      }
      const common = { name, keySerde, valueSerde, isLogged: logged, isCached: false };
      const spec = { ...common, kind: "versioned", changelogConfigs, historyRetentionMs } as const;
      return this.topology.addStore(spec);
    }
    this.topology.addStore({
      ...{ kind: "key-value", name, keySerde, valueSerde, isTimestamped: true },
      ...{ isLogged: logged, isCached: cached, changelogConfigs },
    });
  }

  /** A name for a step that leaves no trace in the cluster: its kind and a number. */
  nameOf(kind: string): string {
    return `${kind}-${++this.#count}`;
  }

  #source<K, V>(topics: readonly string[], options: Consumed<K, V>) {
    const source = this.#sourceNode(topics, options);
    this.topology.addSource(source);
    return source;
  }

  #sourceNode<K, V>(topics: readonly string[], options: Consumed<K, V>) {
    if (topics.length === 0) throw new TopologyError("a stream reads a topic at least");
    return {
      ...{ name: this.nameOf("source"), topics },
      // Without serdes the types are those of the defaults, unless the author says they are others.
      keySerde: options.key ?? string() as unknown as Serde<K>,
      valueSerde: options.value ?? json<V>(),
      timestampExtractor: options.timestamp ?? null,
      offsetReset: options.offsetReset ?? null,
    };
  }
}
