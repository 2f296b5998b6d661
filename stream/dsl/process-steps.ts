/** Steps of a stream that an application writes itself, and a stream as a table. */
import { tableSource } from "../processors/table-source.ts";
import { storeView } from "../processors/table-view.ts";
import type { Processor, ProcessorContext, ProcessorSupplier } from "../processor.ts";
import { json } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import { nameOfStore, type StoreName } from "../stores/store-handle.ts";
import { TopologyError } from "../topology/topology.ts";
import type { StoreOptions, TopologyBuilder } from "./builder.ts";
import type { StreamParts } from "./stream-parts.ts";
import { KTable } from "./ktable.ts";
import { repartition } from "./repartition.ts";

/** What a processor is given besides records. */
export interface ProcessOptions<V> {
  /** Stores that it may ask for: what `addStateStore` gave, or names of those and of tables. */
  readonly stores?: readonly StoreName[];
  /** Of what it gives on. Default: JSON. */
  readonly value?: Serde<V>;
}

/** How a stream is kept as a table. */
export interface TableOptions<K, V> extends StoreOptions {
  /** Of the topic between, where the keys are not those of the stream's topics. */
  readonly name?: string;
  readonly key?: Serde<K>;
  readonly value?: Serde<V>;
}

/** Adds a processor. `key` undefined: it gives on the keys that it gets. */
export function processed<K, V, K2, V2>(
  builder: TopologyBuilder,
  parts: StreamParts<K, V>,
  supplier: ProcessorSupplier<K, V, K2, V2>,
  options: ProcessOptions<V2>,
  key: Serde<K2> | "kept",
): StreamParts<K2, V2> {
  const node = builder.nameOf(key === "kept" ? "process-values" : "process");
  const { value = json<V2>() } = options;
  const stores = (options.stores ?? []).map(nameOfStore);
  // Records that come here are of this stream's types, and the author says what goes on.
  const typed = supplier as unknown as ProcessorSupplier;
  const wanted = key === "kept" ? () => keepingKeys(typed()) : typed;
  builder.topology.addProcessor({ name: node, parents: [parts.node], supplier: wanted, stores });
  return {
    ...{ node, sources: parts.sources, valueSerde: value },
    keySerde: key === "kept" ? parts.keySerde as unknown as Serde<K2> : key,
    isRekeyed: parts.isRekeyed || key !== "kept",
  };
}

/** What gives another key on fails (Kafka's `FixedKeyProcessor`): the keys behind it are trusted. */
function keepingKeys(processor: Processor): Processor {
  let current: { readonly key: unknown } | null = null;
  return {
    init(context: ProcessorContext) {
      const forward: ProcessorContext["forward"] = (record, child) => {
        if (current === null || record.key !== current.key) {
          throw new Error("a processor of values gives on the key of the record that it has");
        }
        context.forward(record, child);
      };
      processor.init?.(Object.create(context, { forward: { value: forward } }));
    },
    process(record) {
      current = record;
      try {
        processor.process(record);
      } finally {
        current = null;
      }
    },
    close: () => processor.close?.(),
  };
}

/** The latest value of each key, in a store of that name. */
export function streamAsTable<K, V>(
  builder: TopologyBuilder,
  parts: StreamParts<K, V>,
  store: string,
  options: TableOptions<K, NonNullable<V>>,
): KTable<K, NonNullable<V>> {
  if (parts.isRekeyed && options.name === undefined) {
    throw new TopologyError(
      "the keys were changed, so records have to go through a topic: " +
        `toTable("${store}", { name: … })`,
    );
  }
  const keySerde = options.key ?? parts.keySerde;
  // Null is never given to a serde.
  const valueSerde = (options.value ?? parts.valueSerde) as Serde<NonNullable<V>>;
  const serdes = { key: keySerde, value: valueSerde as unknown as Serde<V> };
  const { node: parent, sources } = parts.isRekeyed
    ? repartition(builder, parts, options.name!, serdes)
    : parts;
  const links = { sendsOldValues: false };
  const node = builder.nameOf("to-table");
  builder.addTableStore(store, keySerde, valueSerde, options);
  const supplier = tableSource(store, links);
  builder.topology.addProcessor({ name: node, parents: [parent], supplier, stores: [store] });
  const isVersioned = options.historyRetentionMs !== undefined;
  const view = storeView(store, () => void (links.sendsOldValues = true), isVersioned);
  return new KTable(builder, { node, sources, keySerde, valueSerde, store, view });
}
