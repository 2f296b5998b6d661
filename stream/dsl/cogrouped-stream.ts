/** Records of several streams by the same key, to be added up together (Kafka's `CogroupedKStream`). */
import { onWindowUpdate } from "../windows/emit-strategy.ts";
import { SessionWindows } from "../windows/session-windows.ts";
import type { Windowed } from "../windows/windowed-key.ts";
import {
  type AggregatedInput,
  aggregatedTable,
  aggregatedWindows,
  type AnyWindows,
  type FixedWindows,
  type Materialized,
  type MaterializedWindows,
} from "./aggregated-table.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { GroupedStream } from "./grouped-stream.ts";
import type { KTable } from "./ktable.ts";

/** See the head of the file. `store`, everywhere, is the name of the store of the table. */
export class CogroupedStream<K, A> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly inputs: readonly AggregatedInput<K>[],
  ) {}

  /** Has the records of another group added up as well. */
  cogroup<V>(
    stream: GroupedStream<K, V>,
    add: (aggregate: A, value: V, key: K) => A | null,
  ): CogroupedStream<K, A> {
    return new CogroupedStream(this.builder, [...this.inputs, stream.input(add)]);
  }

  /** In windows of a fixed length, sliding ones, or one without an end. */
  windowedBy(windows: FixedWindows): WindowedCogroupedStream<K, A>;
  /** In sessions. */
  windowedBy(windows: SessionWindows): SessionCogroupedStream<K, A>;
  windowedBy(windows: AnyWindows): WindowedCogroupedStream<K, A> | SessionCogroupedStream<K, A> {
    const { builder, inputs } = this;
    return windows instanceof SessionWindows
      ? new SessionCogroupedStream(builder, inputs, windows)
      : new WindowedCogroupedStream(builder, inputs, windows);
  }

  aggregate(store: string, initialise: () => A, options: Materialized<A> = {}): KTable<K, A> {
    const { builder, inputs } = this;
    return aggregatedTable(builder, { store, inputs, initialise, options });
  }
}

/** As `CogroupedStream`, in windows (Kafka's `TimeWindowedCogroupedKStream`). */
export class WindowedCogroupedStream<K, A> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly inputs: readonly AggregatedInput<K>[],
    private readonly windows: FixedWindows,
  ) {}

  aggregate(
    store: string,
    initialise: () => A,
    options: MaterializedWindows<A> = {},
  ): KTable<Windowed<K>, A> {
    const { builder, inputs, windows } = this;
    const emit = onWindowUpdate();
    const merge = () => null;
    return aggregatedWindows(builder, { store, inputs, windows, initialise, options, emit, merge });
  }
}

/** As `CogroupedStream`, in sessions (Kafka's `SessionWindowedCogroupedKStream`). */
export class SessionCogroupedStream<K, A> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly inputs: readonly AggregatedInput<K>[],
    private readonly windows: SessionWindows,
  ) {}

  /** `merge` joins the aggregates of two sessions that a record has brought together. */
  aggregate(
    store: string,
    initialise: () => A,
    merge: (one: A, other: A, key: K) => A | null,
    options: MaterializedWindows<A> = {},
  ): KTable<Windowed<K>, A> {
    const { builder, inputs, windows } = this;
    return aggregatedWindows(builder, {
      ...{ store, inputs, windows, initialise, options, emit: onWindowUpdate() },
      // Aggregates and keys here are of these types.
      merge: (key, one, other) => merge(one as A, other as A, key as K),
    });
  }
}
