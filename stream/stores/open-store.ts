/** Opens the store of a spec over engines, whoever gives those; and restores one from its changelog. */
import type { RecordContext } from "../task/record-context.ts";
import { storedStartMs } from "../windows/windowed-key.ts";
import type { CacheBudget } from "./cache-budget.ts";
import type { StoreEngine } from "./engine.ts";
import type { ChangeListener } from "./logged-engine.ts";
import { JoinWindowStore } from "./join-window-store.ts";
import { type AnyStore, keyValueStore, timestampedStore } from "./key-value-store.ts";
import { SegmentedEngine, type SegmentSpace } from "./segmented-engine.ts";
import type { StoreSpec } from "./store-spec.ts";
import { VersionedEngine } from "./versioned-engine.ts";
import { versioned, VersionedStore } from "./versioned-store.ts";
import { withTimestamp } from "./timestamped-value.ts";

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
  return spec.kind === "key-value"
    ? open()
    : new SegmentedEngine(spec.retentionMs, storedStartMs, open, space?.() ?? null);
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
export function openStoreOf(
  spec: StoreSpec,
  { engine, topic, onChange, context, budget }: StorePlace,
): AnyStore {
  const { keySerde, valueSerde } = spec;
  if (spec.kind === "join-window") {
    const { retentionMs } = spec;
    return new JoinWindowStore({ engine, topic, keySerde, valueSerde, onChange, retentionMs });
  }
  if (spec.kind === "versioned") {
    return new VersionedStore({ engine, topic, keySerde, valueSerde, onChange });
  }
  const cache = spec.isCached ? { context, budget } : null;
  const parts = { engine, topic, keySerde, valueSerde, onChange, cache };
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
  engine.put(key, value !== null && hasTimes(spec) ? withTimestamp(value, timestampMs) : value);
}

function hasTimes(spec: StoreSpec): boolean {
  return spec.kind === "window" || (spec.kind === "key-value" && spec.isTimestamped);
}
