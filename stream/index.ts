/** `kstream/stream`: what applications import. */
export {
  type Consumed,
  type GlobalProcessor,
  type OpenStateStore,
  type StateStore,
  type StoreOptions,
  TopologyBuilder,
} from "./dsl/builder.ts";
export type { Materialized, MaterializedWindows } from "./dsl/aggregated-table.ts";
export {
  CogroupedStream,
  SessionCogroupedStream,
  WindowedCogroupedStream,
} from "./dsl/cogrouped-stream.ts";
export { GroupedStream } from "./dsl/grouped-stream.ts";
export { GroupedTable } from "./dsl/grouped-table.ts";
export { KStream } from "./dsl/kstream.ts";
export type { Produced, Repartitioned } from "./dsl/stream-parts.ts";
export { KTable, type MaterializedTable, type TransformedTable } from "./dsl/ktable.ts";
export type {
  Processor,
  ProcessorContext,
  ProcessorSupplier,
  PunctuationType,
} from "./processor.ts";
export type { ValueContext, ValueTransformer } from "./processors/value-transformer.ts";
export type { NewRecord, RecordFacts, RecordOrigin, StreamRecord } from "./record.ts";
export { bytes, double, int, json, long, safeLong, string } from "./serdes/basic-serdes.ts";
export type { Serde, SerdeType } from "./serdes/serde.ts";
export { hopping, TimeWindows, tumbling, type Window } from "./windows/time-windows.ts";
export { Topology, TopologyError } from "./topology/topology.ts";
export { GlobalTable } from "./dsl/global-table.ts";
export type { StreamJoined, TableJoined } from "./dsl/stream-joins.ts";
export { JoinWindows, type JoinWindowsOptions, within } from "./windows/join-windows.ts";
export { type Version, VersionedStore } from "./stores/versioned-store.ts";
export type { PutOutcome } from "./stores/versioned-engine.ts";
export { sessionWindowed, timeWindowed, type Windowed } from "./windows/windowed-key.ts";
export { sessions, SessionWindows } from "./windows/session-windows.ts";
export { unlimited, UnlimitedWindows } from "./windows/unlimited-windows.ts";
export { sliding, SlidingWindows } from "./windows/sliding-windows.ts";
export { type EmitStrategy, onWindowClose, onWindowUpdate } from "./windows/emit-strategy.ts";
export type { ProcessOptions, TableOptions } from "./dsl/process-steps.ts";
export { SessionStream } from "./dsl/session-stream.ts";
export {
  type BufferBounds,
  type Suppression,
  untilTimeLimit,
  untilWindowCloses,
} from "./dsl/suppression.ts";
export { WindowedStream } from "./dsl/windowed-stream.ts";
export type { KeyValueStore, ReadableKeyValueStore } from "./stores/key-value-store.ts";
export type { ReadableSessionStore, SessionStore } from "./stores/session-store.ts";
export type { ReadableWindowStore, WindowStore } from "./stores/window-store.ts";
export type { StoreHandle, StoreName } from "./stores/store-handle.ts";
export type { TimestampedValue } from "./stores/timestamped-value.ts";
