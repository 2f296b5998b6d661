/** Where an application begins: its sources (Kafka's `StreamsBuilder`). */
import type { Serde } from "../serdes/serde.ts";
import { json, string } from "../serdes/basic-serdes.ts";
import { storeView } from "../processors/table-view.ts";
import { tableSource } from "../processors/table-source.ts";
import type { ProcessorSupplier } from "../processor.ts";
import type { KeyValueStore } from "../stores/key-value-store.ts";
import type { SessionStore } from "../stores/session-store.ts";
import type { StoreHandle } from "../stores/store-handle.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import type { WindowStore } from "../stores/window-store.ts";
import type { TimestampExtractor } from "../task/timestamp-extractor.ts";
import { type Partitioner, Topology, TopologyError } from "../topology/topology.ts";
import { requireMs } from "../windows/time-windows.ts";
import { GlobalTable } from "./global-table.ts";
import { KStream } from "./kstream.ts";
import { KTable } from "./ktable.ts";
import { WindowGraces } from "./window-grace.ts";

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
    | {
      readonly kind: "key-value";
      /**
       * So long after it was put an entry is gone, in the time of the records that come to the store.
       * Nobody is told of that, and nothing is written: the changelog is cleaned by age as well.
       */
      readonly ttlMs?: number;
    }
    | { readonly kind: "window"; readonly sizeMs: number; readonly retentionMs: number }
    | { readonly kind: "session"; readonly retentionMs: number }
  );

/** The store that a `StateStore` becomes. */
export type OpenStateStore<S> = S extends StateStore<infer K, infer V>
  ? S["kind"] extends "window" ? WindowStore<K, V>
  : S["kind"] extends "session" ? SessionStore<K, V>
  : KeyValueStore<K, V>
  : never;

/** What fills a global store of the application's own: it gives nothing on. */
export type GlobalProcessor<K, V> = ProcessorSupplier<K, V, never, never>;

/** See the head of the file. */
export class TopologyBuilder {
  readonly topology = new Topology();
  readonly windowGraces = new WindowGraces(this.topology);
  /** Repartition topics that take records without a key. */
  readonly keepsKeyless = new Set<string>();
  #count = 0;

  /**
   * A topic, or several with the same types, as a stream; or all whose whole names match a pattern, those
   * that come to be later, too.
   */
  stream<K = string, V = unknown>(
    topics: string | readonly string[] | RegExp,
    options: Consumed<K, V> = {},
  ): KStream<K, V> {
    const { name, keySerde, valueSerde } = this.#source(topics, options);
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

  /**
   * A store for processors of the application's own, which have it in their `stores`. What this gives is
   * how they ask for it: `context.store(handle)`.
   */
  addStateStore<const S extends StateStore<unknown, unknown>>(
    name: string,
    spec: S,
  ): StoreHandle<OpenStateStore<S>> {
    this.topology.addStore(stateStoreSpec(name, spec));
    return { name };
  }

  /**
   * A store that each member has whole, and that a processor of the application's own fills from a topic.
   * All processors may ask for it; none but that one writes it, which is given all of the topic again
   * whenever a member starts (Kafka's `addGlobalStore`).
   */
  addGlobalStore<const S extends StateStore<unknown, unknown>, K = string, V = unknown>(
    name: string,
    store: S & { readonly logged?: never; readonly cached?: never },
    topic: string,
    supplier: GlobalProcessor<K, V>,
    options: Consumed<K, V> = {},
  ): StoreHandle<OpenStateStore<S>> {
    const source = this.#sourceNode([topic], options);
    // Its topic is its log.
    const spec = { ...stateStoreSpec(name, store), isLogged: false };
    // Records that come to it are of the topic's types.
    const typed = supplier as unknown as ProcessorSupplier;
    const node = { name: this.nameOf("global-store"), supplier: typed };
    this.topology.addGlobalStore(spec, source, node);
    return { name };
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

  #source<K, V>(topics: string | readonly string[] | RegExp, options: Consumed<K, V>) {
    const source = this.#sourceNode(topics, options);
    this.topology.addSource(source);
    return source;
  }

  #sourceNode<K, V>(wanted: string | readonly string[] | RegExp, options: Consumed<K, V>) {
    const isPattern = wanted instanceof RegExp;
    const topics = isPattern ? [] : [wanted].flat();
    if (topics.length === 0 && !isPattern) {
      throw new TopologyError("a stream reads a topic at least");
    }
    return {
      ...{ name: this.nameOf("source"), topics, ...(isPattern && { pattern: whole(wanted) }) },
      // Without serdes the types are those of the defaults, unless the author says they are others.
      keySerde: options.key ?? string() as unknown as Serde<K>,
      valueSerde: options.value ?? json<V>(),
      timestampExtractor: options.timestamp ?? null,
      offsetReset: options.offsetReset ?? null,
    };
  }
}

/** Of whole names, as Kafka's patterns; and of each name anew. */
function whole({ source, flags }: RegExp): RegExp {
  return new RegExp(`^(?:${source})$`, flags.replace(/[gy]/g, ""));
}

function stateStoreSpec(name: string, spec: StateStore<unknown, unknown>): StoreSpec {
  const { logged = true, cached = false, changelogConfigs = {} } = spec;
  const common = {
    ...{ name, isLogged: logged, isCached: cached, changelogConfigs },
    ...{ isTimestamped: false, isTimeOrdered: false },
    // Whatever its types are: who has the handle puts what is of them.
    keySerde: spec.key,
    valueSerde: spec.value,
  };
  switch (spec.kind) {
    case "key-value": {
      const { kind, ttlMs } = spec;
      if (ttlMs === undefined) return { ...common, kind };
      requireMs("ttlMs", ttlMs, 1);
      if (!cached) return { ...common, kind, ttlMs };
      throw new TopologyError(`"${name}": a store whose entries go is not cached`);
    }
    case "session":
      return { ...common, kind: spec.kind, retentionMs: spec.retentionMs };
    case "window":
      return { ...common, kind: spec.kind, sizeMs: spec.sizeMs, retentionMs: spec.retentionMs };
  }
}
