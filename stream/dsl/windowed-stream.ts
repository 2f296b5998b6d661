/** Records by key and window, to be added up (Kafka's `TimeWindowedKStream`). */
import { storeView } from "../processors/table-view.ts";
import { windowAggregate } from "../processors/window-aggregate.ts";
import { json, safeLong } from "../serdes/basic-serdes.ts";
import type { TimeWindows } from "../windows/time-windows.ts";
import { storedWindow, timeWindowed, type Windowed } from "../windows/windowed-key.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { Materialized } from "./grouped-stream.ts";
import type { StreamParts } from "./kstream.ts";
import { KTable } from "./ktable.ts";

/** How an aggregate of windows is kept. */
export interface MaterializedWindows<V> extends Materialized<V> {
  /** How long a window is kept for those who ask. Default: its length and grace, which is the least. */
  readonly retentionMs?: number;
}

/** See the head of the file. `store`, everywhere, is the name of the store of the table. */
export class WindowedStream<K, V> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly parts: StreamParts<K, V>,
    private readonly windows: TimeWindows,
  ) {}

  /** How many records of a key there were in a window. */
  count(
    store: string,
    options: MaterializedWindows<number> = {},
  ): KTable<Windowed<K>, number> {
    const value = options.value ?? safeLong();
    return this.aggregate(store, () => 0, (count) => count + 1, { ...options, value });
  }

  /** The values of a key in a window brought together, two by two; the first is the beginning. */
  reduce(
    store: string,
    add: (aggregate: V, value: V, key: K) => V | null,
    options: MaterializedWindows<V> = {},
  ): KTable<Windowed<K>, V> {
    const value = options.value ?? this.parts.valueSerde;
    return this.#table(store, null, add, { ...options, value });
  }

  aggregate<A>(
    store: string,
    initialise: () => A,
    add: (aggregate: A, value: V, key: K) => A | null,
    options: MaterializedWindows<A> = {},
  ): KTable<Windowed<K>, A> {
    return this.#table(store, initialise, add, options);
  }

  #table<A>(
    store: string,
    initialise: (() => A) | null,
    add: (aggregate: A, value: V, key: K) => A | null,
    options: MaterializedWindows<A>,
  ): KTable<Windowed<K>, A> {
    const { windows, builder } = this;
    const { node: parent, sources, keySerde } = this.parts;
    const valueSerde = options.value ?? json<A>();
    const links = { sendsOldValues: false };
    builder.addWindowStore(
      store,
      storedWindow(keySerde, windows.sizeMs),
      valueSerde,
      Math.max(options.retentionMs ?? 0, windows.sizeMs + windows.graceMs),
      options,
    );
    const node = builder.nameOf("window-aggregate");
    const supplier = windowAggregate({
      ...{ store, links, initialise },
      // Records and aggregates here are of these types.
      add: (key, value, before) => add(before as A, value as V, key as K),
    }, windows);
    builder.topology.addProcessor({ name: node, parents: [parent], supplier, stores: [store] });
    return new KTable(builder, {
      ...{ node, sources, valueSerde, store },
      keySerde: timeWindowed(keySerde, windows.sizeMs),
      view: storeView(store, () => void (links.sendsOldValues = true)),
    });
  }
}
