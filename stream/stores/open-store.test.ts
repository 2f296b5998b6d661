import { expect, test } from "bun:test";
import { long, string } from "../serdes/basic-serdes.ts";
import { RecordContext } from "../task/record-context.ts";
import { CacheBudget } from "./cache-budget.ts";
import type { OpenStore } from "./key-value-store.ts";
import { MemoryEngine } from "./memory-engine.ts";
import { engineOf, openStoreOf, restoreRecord } from "./open-store.ts";
import type { StoreSpec } from "./store-spec.ts";
import type { VersionedStore } from "./versioned-store.ts";

const common = {
  name: "s",
  valueSerde: long(),
  isLogged: true,
  isCached: false,
  changelogConfigs: {},
};
const window = (startMs: number) => ({ startMs, endMs: startMs + 10 });
const SPECS: [StoreSpec, unknown, unknown][] = [
  [{ ...common, kind: "key-value", keySerde: string(), isTimestamped: false }, "k", 7n],
  [{ ...common, kind: "key-value", keySerde: string(), isTimestamped: true }, "k", {
    value: 7n,
    timestampMs: 5,
  }],
  [
    {
      ...{ ...common, kind: "window", keySerde: string(), isTimestamped: true, sizeMs: 10 },
      ...{ retentionMs: 60_000, isTimeOrdered: false },
    },
    { key: "k", window: window(20) },
    { value: 7n, timestampMs: 25 },
  ],
  [
    { ...common, kind: "session", keySerde: string(), retentionMs: 60_000, isTimeOrdered: true },
    { key: "k", window: window(20) },
    7n,
  ],
];

test("what a store has logged makes an equal store", () => {
  for (const [spec, key, value] of SPECS) {
    const log: [Uint8Array, Uint8Array | null, number][] = [];
    const engine = () => engineOf(spec, () => new MemoryEngine());
    const open = (over: ReturnType<typeof engine>) =>
      openStoreOf(spec, {
        engine: over,
        topic: "s-changelog",
        onChange: (k, v, timestampMs) => void log.push([k, v, timestampMs ?? -1]),
        context: new RecordContext(),
        budget: new CacheBudget(0),
        // All of these are stores by key.
      }) as OpenStore<unknown, unknown>;
    const first = open(engine());
    first.put(key, value);
    const restored = engine();
    for (const [k, v, timestampMs] of log) restoreRecord(spec, restored, k, v, timestampMs);
    expect(open(restored).get(key)).toEqual(value);
    first.delete(key);
    const [k, v, timestampMs] = log.at(-1)!;
    restoreRecord(spec, restored, k, v, timestampMs);
    expect(open(restored).get(key)).toBeNull();
  }
});

test("versions that a store has logged make an equal store", () => {
  const spec = {
    ...{ ...common, kind: "versioned", keySerde: string(), historyRetentionMs: 100 } as const,
  };
  const log: [Uint8Array, Uint8Array | null, number][] = [];
  const open = (engine: ReturnType<typeof engineOf>) =>
    openStoreOf(spec, {
      ...{ engine, topic: "s-changelog", context: new RecordContext() },
      onChange: (k, v, timestampMs) => void log.push([k, v, timestampMs ?? -1]),
      budget: new CacheBudget(0),
      // Of such a spec.
    }) as VersionedStore<string, bigint>;
  const fresh = () => engineOf(spec, () => new MemoryEngine());
  const first = open(fresh());
  const puts = [[1n, 50], [2n, 40], [null, 90], [3n, 200], [4n, 99], [5n, 100]] as const;
  const outcomes = puts.map(([value, atMs]) => first.put("k", value, atMs));
  expect(outcomes).toEqual(["latest", "late", "latest", "latest", "expired", "late"]);
  const restored = fresh();
  for (const [k, v, timestampMs] of log) restoreRecord(spec, restored, k, v, timestampMs);
  const again = open(restored);
  for (const store of [first, again]) {
    expect(store.get("k")).toEqual({ value: 3n, timestampMs: 200 });
    expect(store.getAsOf("k", 150)).toEqual({ value: 5n, timestampMs: 100, validToMs: 200 });
    expect(store.getAsOf("k", 99)).toBeNull();
    expect(store.delete("k", 210)).toEqual({ value: 3n, timestampMs: 200, validToMs: null });
    expect(store.get("k")).toBeNull();
  }
});
