/** Tables that records of one stream, or of several, are added up in: the nodes and the store of them. */
import { aggregate, type Aggregation } from "../processors/aggregate.ts";
import { CLOSED_KEPT_MS } from "../processors/final-results.ts";
import { sessionAggregate, sessionView } from "../processors/session-aggregate.ts";
import { slidingAggregate } from "../processors/sliding-aggregate.ts";
import { stateless } from "../processors/stateless.ts";
import { storeView, type TableView } from "../processors/table-view.ts";
import { windowAggregate } from "../processors/window-aggregate.ts";
import type { ProcessorSupplier } from "../processor.ts";
import { json } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import type { EmitStrategy } from "../windows/emit-strategy.ts";
import { SessionWindows } from "../windows/session-windows.ts";
import { SlidingWindows } from "../windows/sliding-windows.ts";
import { TimeWindows } from "../windows/time-windows.ts";
import { UnlimitedWindows } from "../windows/unlimited-windows.ts";
import { sessionWindowed, timeWindowed, type Windowed } from "../windows/windowed-key.ts";
import { TopologyError } from "../topology/topology.ts";
import type { StoreOptions, TopologyBuilder } from "./builder.ts";
import type { StreamParts } from "./stream-parts.ts";
import { KTable } from "./ktable.ts";

/** How an aggregate is kept. */
export interface Materialized<V> extends StoreOptions {
  /** Default: JSON; of a count eight bytes, as Kafka's. */
  readonly value?: Serde<V>;
}

/** How an aggregate of windows is kept. */
export interface MaterializedWindows<V> extends Materialized<V> {
  /**
   * How long windows are kept for those who ask: after their start, sessions after their end. Default and
   * least: as long as they may change, of sliding windows a window's length more.
   */
  readonly retentionMs?: number;
}

/** Windows whose length is known. */
export type FixedWindows = TimeWindows | SlidingWindows | UnlimitedWindows;
export type AnyWindows = FixedWindows | SessionWindows;

/** A stream that is added up, without the type of its values, and how. */
export interface AggregatedInput<K> {
  readonly stream: StreamParts<K, unknown>;
  readonly add: Aggregation["add"];
}

/** What is added up, and how. */
export interface AggregatedTable<K, A> {
  readonly store: string;
  /** One at least; keys are written as those of the first. */
  readonly inputs: readonly AggregatedInput<K>[];
  /** Null: the first value is the first aggregate (a reduction). */
  readonly initialise: (() => A) | null;
  readonly options: Materialized<A>;
}

/** As `AggregatedTable`, in windows. */
export interface AggregatedWindows<K, A> extends AggregatedTable<K, A> {
  readonly windows: AnyWindows;
  readonly emit: EmitStrategy;
  /** Of sessions. */
  readonly merge: (key: unknown, one: unknown, other: unknown) => unknown;
  readonly options: MaterializedWindows<A>;
}

/** A table of the aggregates of keys. */
export function aggregatedTable<K, A>(
  builder: TopologyBuilder,
  table: AggregatedTable<K, A>,
): KTable<K, A> {
  const { store, options } = table;
  const keySerde = keySerdeOf(table);
  const valueSerde = options.value ?? json<A>();
  const links = { sendsOldValues: false };
  builder.addTableStore(store, keySerde, valueSerde, options);
  const parts = addNodes(builder, table, "aggregate", (add) => {
    return aggregate({ store, links, initialise: table.initialise, add });
  });
  const isVersioned = options.historyRetentionMs !== undefined;
  const view = storeView(store, () => void (links.sendsOldValues = true), isVersioned);
  return new KTable(builder, { ...parts, keySerde, valueSerde, store, view });
}

/** A table of the aggregates of keys in windows. */
export function aggregatedWindows<K, A>(
  builder: TopologyBuilder,
  table: AggregatedWindows<K, A>,
): KTable<Windowed<K>, A> {
  const { store, windows, initialise, merge, emit } = table;
  const keySerde = keySerdeOf(table);
  const valueSerde = table.options.value ?? json<A>();
  const links = { sendsOldValues: false };
  addWindowStore(builder, table, valueSerde);
  const parts = addNodes(builder, table, "window-aggregate", (add) => {
    const aggregation = { store, links, initialise, add, merge };
    if (windows instanceof SessionWindows) return sessionAggregate(aggregation, windows, emit);
    if (windows instanceof SlidingWindows) return slidingAggregate(aggregation, windows, emit);
    return windowAggregate(aggregation, windows, emit);
  });
  builder.windowGraces.set(parts.node, graceOf(windows));
  const sendOldValues = () => void (links.sendsOldValues = true);
  return new KTable(builder, {
    ...{ ...parts, valueSerde, store },
    keySerde: windowSerde(windows, keySerde),
    view: windowView(windows, store, sendOldValues),
  });
}

function keySerdeOf<K>({ inputs }: { readonly inputs: readonly AggregatedInput<K>[] }): Serde<K> {
  return inputs[0]!.stream.keySerde;
}

/** A node for each stream; behind several one that brings them together. */
function addNodes<K, A>(
  builder: TopologyBuilder,
  { inputs, store }: AggregatedTable<K, A>,
  kind: string,
  supplierOf: (add: Aggregation["add"]) => ProcessorSupplier,
) {
  const { topology } = builder;
  const nodes = inputs.map(({ stream, add }) => {
    const name = builder.nameOf(kind);
    const supplier = supplierOf(add);
    topology.addProcessor({ name, parents: [stream.node], supplier, stores: [store] });
    return name;
  });
  const sources = [...new Set(inputs.flatMap(({ stream }) => stream.sources))];
  if (nodes.length === 1) return { node: nodes[0]!, sources };
  const node = builder.nameOf("cogroup");
  const supplier = stateless((record, forward) => forward(record));
  topology.addProcessor({ name: node, parents: nodes, supplier, stores: [] });
  return { node, sources };
}

function addWindowStore<K, A>(
  builder: TopologyBuilder,
  table: AggregatedWindows<K, A>,
  valueSerde: Serde<A>,
): void {
  const { store, windows, emit, options } = table;
  const isFinal = emit.kind === "on-close";
  if (isFinal && windows instanceof UnlimitedWindows) {
    throw new TopologyError(`"${store}": windows without an end are never closed`);
  }
  const common = {
    ...{ name: store, keySerde: keySerdeOf(table), valueSerde, isTimeOrdered: isFinal },
    ...{ isLogged: options.logged ?? true, changelogConfigs: options.changelogConfigs ?? {} },
    // As in Kafka, for what stands in changelogs.
    isCached: (options.cached ?? true) && (!isFinal || windows instanceof TimeWindows),
    retentionMs: Math.max(
      options.retentionMs ?? 0,
      leastRetentionMs(windows) + (isFinal ? CLOSED_KEPT_MS : 0),
    ),
  };
  if (windows instanceof SessionWindows) builder.topology.addStore({ kind: "session", ...common });
  else {
    const sizeMs = sizeOf(windows);
    builder.topology.addStore({ kind: "window", isTimestamped: true, sizeMs, ...common });
  }
}

function sizeOf(windows: FixedWindows): number {
  return windows instanceof SlidingWindows ? windows.differenceMs : windows.sizeMs;
}

function leastRetentionMs(windows: AnyWindows): number {
  // A late record may still join a session that has ended a gap before: Kafka finds it in its cache.
  if (windows instanceof SessionWindows) return 2 * windows.gapMs + windows.graceMs + 1;
  if (windows instanceof SlidingWindows) return 2 * windows.differenceMs + windows.graceMs;
  return windows.sizeMs + windows.graceMs;
}

function graceOf(windows: AnyWindows): number {
  return windows instanceof SessionWindows ? windows.gapMs + windows.graceMs : windows.graceMs;
}

function windowSerde<K>(windows: AnyWindows, keySerde: Serde<K>): Serde<Windowed<K>> {
  return windows instanceof SessionWindows
    ? sessionWindowed(keySerde)
    : timeWindowed(keySerde, sizeOf(windows));
}

function windowView(windows: AnyWindows, store: string, sendOldValues: () => void): TableView {
  return windows instanceof SessionWindows
    ? sessionView(store, sendOldValues)
    : storeView(store, sendOldValues);
}
