/** Records by key and session, to be added up (Kafka's `SessionWindowedKStream`). */
import { safeLong } from "../serdes/basic-serdes.ts";
import { type EmitStrategy, onWindowUpdate } from "../windows/emit-strategy.ts";
import type { SessionWindows } from "../windows/session-windows.ts";
import type { Windowed } from "../windows/windowed-key.ts";
import { aggregatedWindows, type MaterializedWindows } from "./aggregated-table.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { StreamParts } from "./stream-parts.ts";
import type { KTable } from "./ktable.ts";

/** See the head of the file. `store`, everywhere, is the name of the store of the table. */
export class SessionStream<K, V> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly parts: StreamParts<K, V>,
    private readonly windows: SessionWindows,
    private readonly emit: EmitStrategy = onWindowUpdate(),
  ) {}

  /** When what was added up is given on: `onWindowUpdate()`, the default, or `onWindowClose()`. */
  emitStrategy(emit: EmitStrategy): SessionStream<K, V> {
    return new SessionStream(this.builder, this.parts, this.windows, emit);
  }

  /** How many records of a key there were in a session. */
  count(
    store: string,
    options: MaterializedWindows<number> = {},
  ): KTable<Windowed<K>, number> {
    const [value, sum] = [options.value ?? safeLong(), (one: number, two: number) => one + two];
    return this.aggregate(store, () => 0, (count) => count + 1, sum, { ...options, value });
  }

  /** The values of a session brought together, two by two; sessions are joined in the same way. */
  reduce(
    store: string,
    add: (aggregate: V, value: V, key: K) => V | null,
    options: MaterializedWindows<V> = {},
  ): KTable<Windowed<K>, V> {
    const value = options.value ?? this.parts.valueSerde;
    const merge = (one: V | null, other: V, key: K) => one === null ? other : add(one, other, key);
    return this.#table(store, null, add, merge, { ...options, value });
  }

  /** `merge` joins the aggregates of two sessions that a record has brought together. */
  aggregate<A>(
    store: string,
    initialise: () => A,
    add: (aggregate: A, value: V, key: K) => A | null,
    merge: (one: A, other: A, key: K) => A | null,
    options: MaterializedWindows<A> = {},
  ): KTable<Windowed<K>, A> {
    // What is merged begins with what `initialise` gives.
    const mergeAll = merge as (one: A | null, other: A, key: K) => A | null;
    return this.#table(store, initialise, add, mergeAll, options);
  }

  #table<A>(
    store: string,
    initialise: (() => A) | null,
    add: (aggregate: A, value: V, key: K) => A | null,
    merge: (one: A | null, other: A, key: K) => A | null,
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
      merge: (key, one, other) => merge(one as A | null, other as A, key as K),
    });
  }
}
