/** Opens the store of a spec over engines, whoever gives those; and restores one from its changelog. */
import type { RecordContext } from "../task/record-context.ts";
import { STORED_SESSIONS, type StoredKeys, storedWindows } from "../windows/windowed-key.ts";
import type { CacheBudget } from "./cache-budget.ts";
import type { StoreEngine } from "./engine.ts";
import type { ChangeListener } from "./logged-engine.ts";
import { ExpiringEngine, expiringSegmentMs } from "./expiring-engine.ts";
import { expiringStore } from "./expiring-store.ts";
import { JoinWindowStore } from "./join-window-store.ts";
import {
  type AnyStore,
  keyValueStore,
  type OpenStore,
  timestampedStore,
} from "./key-value-store.ts";
import { SegmentedEngine, segmentLengthMs, type SegmentSpace } from "./segmented-engine.ts";
import { OpenSessionStore } from "./session-store.ts";
import type { SessionStoreSpec, StoreSpec, WindowStoreSpec } from "./store-spec.ts";
import { SuppressionBuffer } from "./suppression-buffer.ts";
import { VersionedEngine } from "./versioned-engine.ts";
import { versioned, VersionedStore } from "./versioned-store.ts";
import { lentWithTimestamp } from "./timestamped-value.ts";
import { OpenWindowStore } from "./window-store.ts";
import type { WindowedStoreParts } from "./windowed-store.ts";
import type { Serde } from "../serdes/serde.ts";

/**
 * The engine that a spec asks for, made of what `open` gives; segments are kept in `space`, where there
 * is one.
 */
export function engineOf(
  spec: StoreSpec,
  open: () => StoreEngine,
  space: (() => SegmentSpace) | null = null,
): StoreEngine {
  if (spec.kind === "versioned") {
    return new VersionedEngine(spec.historyRetentionMs, open, space?.() ?? null);
  }
  if (spec.kind === "key-value" && spec.ttlMs !== undefined) {
    return new ExpiringEngine(spec.ttlMs, open, space?.() ?? null);
  }
  const times = storedKeysOf(spec);
  if (times === null || !("retentionMs" in spec)) return open();
  const { retentionMs } = spec;
  const isTimeOrdered = "isTimeOrdered" in spec && spec.isTimeOrdered;
  const { timeOf } = times;
  const options = { retentionMs, timeOf, timeOrder: isTimeOrdered ? times : null };
  return new SegmentedEngine(options, open, space?.() ?? null);
}

/** How long its segments are; null: it has none. Another length is another layout on disk. */
export function segmentMsOf(spec: StoreSpec): number | null {
  if (spec.kind === "versioned") return segmentLengthMs(spec.historyRetentionMs);
  if (spec.kind === "key-value" || spec.kind === "suppression") {
    return "ttlMs" in spec && spec.ttlMs !== undefined ? expiringSegmentMs(spec.ttlMs) : null;
  }
  return segmentLengthMs(spec.retentionMs);
}

/** What a store is opened in. */
export interface StorePlace {
  /** Of `engineOf`. */
  readonly engine: StoreEngine;
  /** Its changelog's name, for serdes. */
  readonly topic: string;
  /** Null: changes are not logged. */
  readonly onChange: ChangeListener | null;
  readonly context: RecordContext;
  readonly budget: CacheBudget;
}

/** The store as its task has it. */
export function openStoreOf(spec: StoreSpec, place: StorePlace): AnyStore {
  switch (spec.kind) {
    case "key-value":
      return plainStore(spec, place, spec.keySerde);
    case "suppression":
      return new SuppressionBuffer({ ...spec, ...place });
    case "join-window":
      return new JoinWindowStore({ ...spec, ...place });
    case "versioned":
      return new VersionedStore({ ...spec, ...place });
    case "window":
      return new OpenWindowStore(windowedParts(spec, place), spec.sizeMs);
    case "session":
      return new OpenSessionStore(windowedParts(spec, place));
  }
}

function windowedParts(
  spec: WindowStoreSpec | SessionStoreSpec,
  place: StorePlace,
): WindowedStoreParts<unknown, unknown> {
  const keys = storedKeysOf(spec)!;
  const { engine, topic } = place;
  return {
    store: plainStore(spec, place, keys.serde(spec.keySerde)),
    ...{ keySerde: spec.keySerde, keys, topic },
    byTime: engine instanceof SegmentedEngine && spec.isTimeOrdered ? engine : null,
  };
}

function plainStore<K>(
  spec: StoreSpec,
  { engine, topic, onChange, context, budget }: StorePlace,
  keySerde: Serde<K>,
): OpenStore<K, unknown> {
  const { valueSerde } = spec;
  const cache = spec.isCached ? { context, budget } : null;
  const parts = { engine, topic, keySerde, valueSerde, onChange, cache };
  if (engine instanceof ExpiringEngine) return expiringStore(parts, engine, context);
  return hasTimes(spec) ? timestampedStore(parts) : keyValueStore(parts);
}

/** Puts a record of the changelog into the engine: what `openStoreOf` has logged. */
export function restoreRecord(
  spec: StoreSpec,
  engine: StoreEngine,
  key: Uint8Array,
  value: Uint8Array | null,
  timestampMs: number,
): void {
  if (spec.kind === "versioned") return void versioned(engine).putVersion(key, value, timestampMs);
  // Engines keep nothing of what they are given.
  engine.put(key, value !== null && hasTimes(spec) ? lentWithTimestamp(value, timestampMs) : value);
}

function hasTimes(spec: StoreSpec): boolean {
  if (spec.kind === "key-value") return spec.isTimestamped || spec.ttlMs !== undefined;
  return spec.kind === "window" && spec.isTimestamped;
}

/** Where the times are in keys; null: the store is not one of windows. */
export function storedKeysOf(spec: StoreSpec): StoredKeys | null {
  switch (spec.kind) {
    case "window":
      return storedWindows(spec.sizeMs);
    case "join-window":
      return storedWindows(0);
    case "session":
      return STORED_SESSIONS;
    case "key-value":
    case "versioned":
    case "suppression":
      return null;
  }
}
