/** Records by key, to be added up (Kafka's `KGroupedStream`). */
import { safeLong } from "../serdes/basic-serdes.ts";
import { SessionWindows } from "../windows/session-windows.ts";
import {
  type AggregatedInput,
  aggregatedTable,
  type FixedWindows,
  type Materialized,
} from "./aggregated-table.ts";
import { CogroupedStream } from "./cogrouped-stream.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { StreamParts } from "./stream-parts.ts";
import type { KTable } from "./ktable.ts";
import { SessionStream } from "./session-stream.ts";
import { WindowedStream } from "./windowed-stream.ts";

/** See the head of the file. `store`, everywhere, is the name of the store of the table. */
export class GroupedStream<K, V> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly parts: StreamParts<K, V>,
  ) {}

  /** In windows of a fixed length, `tumbling({ sizeMs: 60_000 })`, `hopping(…)`, in `sliding(…)`, or `unlimited()` ones. */
  windowedBy(windows: FixedWindows): WindowedStream<K, V>;
  /** In sessions: `sessions({ gapMs: 60_000 })`. */
  windowedBy(windows: SessionWindows): SessionStream<K, V>;
  windowedBy(
    windows: FixedWindows | SessionWindows,
  ): WindowedStream<K, V> | SessionStream<K, V> {
    return windows instanceof SessionWindows
      ? new SessionStream(this.builder, this.parts, windows)
      : new WindowedStream(this.builder, this.parts, windows);
  }

  /** Begins an aggregate of records of several groups: `add` adds those of this one. */
  cogroup<A>(add: (aggregate: A, value: V, key: K) => A | null): CogroupedStream<K, A> {
    return new CogroupedStream<K, A>(this.builder, []).cogroup(this, add);
  }

  /** For `cogroup`. */
  input<A>(add: (aggregate: A, value: V, key: K) => A | null): AggregatedInput<K> {
    return {
      stream: this.parts,
      // Records and aggregates here are of these types.
      add: (key, value, before) => add(before as A, value as V, key as K),
    };
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
    return aggregatedTable(this.builder, { store, initialise, options, inputs: [this.input(add)] });
  }
}
