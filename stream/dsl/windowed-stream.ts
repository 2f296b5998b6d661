/** Records by key and window, to be added up (Kafka's `TimeWindowedKStream`). */
import { safeLong } from "../serdes/basic-serdes.ts";
import { type EmitStrategy, onWindowUpdate } from "../windows/emit-strategy.ts";
import type { Windowed } from "../windows/windowed-key.ts";
import {
  aggregatedWindows,
  type FixedWindows,
  type MaterializedWindows,
} from "./aggregated-table.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { StreamParts } from "./stream-parts.ts";
import type { KTable } from "./ktable.ts";

/** See the head of the file. `store`, everywhere, is the name of the store of the table. */
export class WindowedStream<K, V> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly parts: StreamParts<K, V>,
    private readonly windows: FixedWindows,
    private readonly emit: EmitStrategy = onWindowUpdate(),
  ) {}

  /** When what was added up is given on: `onWindowUpdate()`, the default, or `onWindowClose()`. */
  emitStrategy(emit: EmitStrategy): WindowedStream<K, V> {
    return new WindowedStream(this.builder, this.parts, this.windows, emit);
  }

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
    const { parts: stream, builder, windows, emit } = this;
    return aggregatedWindows(builder, {
      ...{ store, windows, emit, initialise, options },
      inputs: [{
        stream,
        // Records and aggregates here are of these types.
        add: (key, value, before) => add(before as A, value as V, key as K),
      }],
      merge: () => null,
    });
  }
}
