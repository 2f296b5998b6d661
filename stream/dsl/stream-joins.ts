/** Joins of streams, as the methods of `KStream` have them: nodes and stores of each. */
import { stateless } from "../processors/stateless.ts";
import { type StreamJoin, streamJoinSide } from "../processors/stream-join.ts";
import type { JoinBufferSpec } from "../processors/join-buffer.ts";
import { streamTableJoin } from "../processors/stream-table-join.ts";
import { unjoinedKeySerde, unjoinedValuesSerde } from "../processors/unjoined.ts";
import { bytes, json } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import { TopologyError } from "../topology/topology.ts";
import type { JoinWindows } from "../windows/join-windows.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { GlobalTable } from "./global-table.ts";
import type { StreamParts } from "./stream-parts.ts";
import type { TableParts } from "./ktable.ts";
import { byItsKey } from "./repartition.ts";

/** How records are kept until they are joined. Without serdes those of the streams. */
export interface StreamJoined<K, V, V2, R> {
  readonly key?: Serde<K>;
  readonly value?: Serde<V>;
  /** Of the values of the other stream. */
  readonly other?: Serde<V2>;
  /** Of what comes of it. Default: JSON. */
  readonly result?: Serde<R>;
  /** Default: what is kept is logged, so that it can be restored. */
  readonly logged?: boolean;
  readonly changelogConfigs?: Readonly<Record<string, string>>;
}

/** How a stream is joined with a table. */
export interface TableJoined<K, V, R> {
  /** Of the topic between: needed where the keys of the stream were changed. */
  readonly name?: string;
  readonly key?: Serde<K>;
  readonly value?: Serde<V>;
  /** Of what comes of it. Default: JSON. */
  readonly result?: Serde<R>;
  /**
   * How long records wait, in stream time, for what comes late to the table (KIP-923): it is versioned,
   * with a history as long. They come out by time then. `name` is that of their store, too.
   */
  readonly graceMs?: number;
}

/** Which sides are given on without the other one. */
export interface Keeps {
  readonly keepsLeft: boolean;
  readonly keepsRight: boolean;
}

export const INNER: Keeps = { keepsLeft: false, keepsRight: false };
export const LEFT: Keeps = { keepsLeft: true, keepsRight: false };
export const OUTER: Keeps = { keepsLeft: true, keepsRight: true };

/** Two streams. Names of stores and topics are Kafka's, for `StreamJoined.as(name).withName(name)`. */
export function joinStreams<K, V, V2, R>(
  builder: TopologyBuilder,
  name: string,
  sides: readonly [left: StreamParts<K, V>, right: StreamParts<K, V2>],
  windows: JoinWindows,
  keeps: Keeps,
  joiner: (left: V | null, right: V2 | null, key: K) => R,
  options: StreamJoined<K, V, V2, R>,
): StreamParts<K, R> {
  const { keepsLeft, keepsRight } = keeps;
  const keySerde = options.key ?? sides[0].keySerde;
  const left = byItsKey(builder, sides[0], `${name}-left`, {
    key: keySerde,
    value: options.value ?? sides[0].valueSerde,
  });
  const right = byItsKey(builder, sides[1], `${name}-right`, {
    key: keySerde,
    value: options.other ?? sides[1].valueSerde,
  });
  const stores = {
    leftStore: `${name}${keepsRight ? "-outer-this" : "-this"}-join-store`,
    rightStore: `${name}${keepsLeft ? "-outer-other" : "-other"}-join-store`,
    unjoinedStore: keepsLeft ? `${name}-${keepsRight ? "outer" : "left"}-shared-join-store` : null,
  };
  addJoinStores(builder, stores, windows, left, right, options);
  const join: StreamJoin = {
    ...{ windows, ...stores, ...keeps },
    // Records of these streams have their types.
    join: (key, one, two) => joiner(one as V | null, two as V2 | null, key as K),
  };
  const { topology } = builder;
  const node = builder.nameOf("stream-join");
  const needed = Object.values(stores).filter((store) => store !== null);
  for (const [side, { node: parent }] of [["left", left], ["right", right]] as const) {
    const supplier = streamJoinSide(join, side);
    topology.addProcessor({ name: `${node}-${side}`, parents: [parent], supplier, stores: needed });
  }
  const parents = [`${node}-left`, `${node}-right`];
  const pass = stateless((record, forward) => forward(record));
  topology.addProcessor({ name: node, parents, supplier: pass, stores: [] });
  if (keepsLeft || keepsRight) builder.keepKeylessBefore([left.node, right.node]);
  const sources = builder.joinSources(left.sources, right.sources);
  const valueSerde = options.result ?? json<R>();
  return { node, sources, keySerde, valueSerde, isRekeyed: false };
}

function addJoinStores(
  { topology }: TopologyBuilder,
  names: Pick<StreamJoin, "leftStore" | "rightStore" | "unjoinedStore">,
  { retentionMs }: JoinWindows,
  left: StreamParts<unknown, unknown>,
  right: StreamParts<unknown, unknown>,
  { logged = true, changelogConfigs = {} }: Pick<
    StreamJoined<unknown, unknown, unknown, unknown>,
    "logged" | "changelogConfigs"
  >,
): void {
  const { keySerde } = left;
  const common = { isLogged: logged, isCached: false, changelogConfigs };
  for (
    const [name, { valueSerde }] of [[names.leftStore, left], [names.rightStore, right]] as const
  ) {
    topology.addStore({ ...common, kind: "join-window", name, keySerde, valueSerde, retentionMs });
  }
  if (names.unjoinedStore === null) return;
  topology.addStore({
    ...{ ...common, kind: "key-value", name: names.unjoinedStore, isTimestamped: false },
    // Each store has serdes of what is put there.
    keySerde: unjoinedKeySerde(keySerde) as Serde<unknown>,
    valueSerde: unjoinedValuesSerde(left.valueSerde, right.valueSerde) as Serde<unknown>,
  });
}

/** A stream and a table. */
export function joinTable<K, V, V2, R>(
  builder: TopologyBuilder,
  stream: StreamParts<K, V>,
  table: TableParts<K, V2>,
  { keepsLeft }: Keeps,
  joiner: (value: NonNullable<V>, other: V2, key: K) => R,
  options: TableJoined<K, V, R>,
): StreamParts<K, R> {
  if (stream.isRekeyed && options.name === undefined) {
    throw new TopologyError(
      "the keys were changed, so records have to go through a topic: joinTable(…, { name: … })",
    );
  }
  const left = byItsKey(builder, stream, options.name ?? "", {
    ...(options.key !== undefined && { key: options.key }),
    ...(options.value !== undefined && { value: options.value }),
  });
  const buffer = options.graceMs === undefined
    ? null
    : addBuffer(builder, left, table.view.stores, table.view.asOf !== undefined, options);
  const node = builder.nameOf("table-join");
  const supplier = streamTableJoin({
    ...{ table: table.view, keepsLeft, buffer, keyOf: (key) => key },
    // Records and rows of these have their types; a row that is not there is null where it is let through.
    join: (key, value, other) => joiner(value as NonNullable<V>, other as V2, key as K),
  });
  const stores = [...table.view.stores, ...(buffer === null ? [] : [buffer.store])];
  builder.topology.addProcessor({ name: node, parents: [left.node], supplier, stores });
  if (keepsLeft) builder.keepKeylessBefore([left.node]);
  const sources = builder.joinSources(left.sources, table.sources);
  const valueSerde = options.result ?? json<R>();
  return { node, sources, keySerde: left.keySerde, valueSerde, isRekeyed: false };
}

/** The store of records that wait; its name is Kafka's for `Joined.as(name).withGracePeriod(…)`. */
function addBuffer(
  { topology }: TopologyBuilder,
  { keySerde, valueSerde }: StreamParts<unknown, unknown>,
  tableStores: readonly string[],
  isVersioned: boolean,
  { name, graceMs = 0 }: Pick<TableJoined<unknown, unknown, unknown>, "name" | "graceMs">,
): JoinBufferSpec {
  if (name === undefined) {
    throw new TopologyError("records that wait are kept in a store: joinTable(…, { name: … })");
  }
  if (!Number.isSafeInteger(graceMs) || graceMs < 0) {
    throw new TopologyError(`graceMs of "${name}" is whole milliseconds from 0 on, not ${graceMs}`);
  }
  const isLongEnough = tableStores.every((store) => {
    const spec = topology.stores.get(store);
    return spec?.kind === "versioned" && spec.historyRetentionMs >= graceMs;
  });
  if (!isVersioned || !isLongEnough) {
    throw new TopologyError(
      `"${name}" has a grace of ${graceMs} ms: the table needs historyRetentionMs of as much`,
    );
  }
  const store = `${name}-Buffer`;
  topology.addStore({
    ...{ kind: "key-value", name: store } as const,
    // What is in those bytes, for whoever compares topologies.
    keySerde: { ...bytes(), name: `timed ${keySerde.name ?? "other"}` },
    valueSerde: { ...bytes(), name: `buffered ${valueSerde.name ?? "other"}` },
    ...{ isTimestamped: false, isLogged: true, isCached: false, changelogConfigs: {} },
  });
  return { store, graceMs, keySerde, valueSerde, topic: name };
}

/** A stream and a global table: by any key. */
export function joinGlobal<K, V, KG, VG, R>(
  builder: TopologyBuilder,
  stream: StreamParts<K, V>,
  table: GlobalTable<KG, VG>,
  { keepsLeft }: Keeps,
  keyOf: (value: NonNullable<V>, key: K) => KG | null,
  joiner: (value: NonNullable<V>, other: VG, key: K) => R,
  result: Serde<R> | undefined,
): StreamParts<K, R> {
  const node = builder.nameOf("global-join");
  const supplier = streamTableJoin({
    ...{ table: table.view, keepsLeft, buffer: null },
    // As in `joinTable`.
    keyOf: (key, value) => keyOf(value as NonNullable<V>, key as K),
    join: (key, value, other) => joiner(value as NonNullable<V>, other as VG, key as K),
  });
  builder.topology.addProcessor({ name: node, parents: [stream.node], supplier, stores: [] });
  if (keepsLeft) builder.keepKeylessBefore([stream.node]);
  return { ...stream, node, valueSerde: result ?? json<R>() };
}
