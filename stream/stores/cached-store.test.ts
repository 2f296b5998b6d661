import { expect, test } from "bun:test";
import { json, safeLong, string } from "../serdes/basic-serdes.ts";
import { RecordContext } from "../task/record-context.ts";
import { CacheBudget } from "./cache-budget.ts";
import { seededBelow } from "./engine.test-helper.ts";
import { keyValueStore, timestampedStore } from "./key-value-store.ts";
import { MemoryEngine } from "./memory-engine.ts";

for (const bytesMax of [0, 300, 2000, 1_000_000]) {
  test(`a store with a cache of ${bytesMax} bytes is as one without, and tells each change once`, () => {
    const below = seededBelow(bytesMax + 1);
    const context = new RecordContext();
    const engine = new MemoryEngine();
    const store = timestampedStore<string, number>({
      ...{ engine, topic: "t", keySerde: string(), valueSerde: safeLong(), onChange: null },
      cache: { context, budget: new CacheBudget(bytesMax) },
    });
    const model = new Map<string, number>();
    /** As those behind the store know it. */
    const told = new Map<string, number>();
    store.onFlush(({ key, value, before }) => {
      expect(before?.value ?? null).toBe(told.get(key) ?? null);
      if (value === null) told.delete(key);
      else told.set(key, value.value);
    }, () => true);
    for (let step = 0; step < 5000; step++) {
      const key = `k${below(20)}`;
      expect(store.get(key)?.value ?? null).toBe(model.get(key) ?? null);
      const other = below(3) === 0 ? `k${below(20)}` : key;
      if (below(4) === 0) {
        store.put(other, null);
        model.delete(other);
      } else {
        store.put(other, { value: step, timestampMs: step });
        model.set(other, step);
      }
      if (below(50) === 0) {
        store.flush();
        expect(told).toEqual(model);
      }
      if (below(50) > 0) continue;
      const found = Array.from(
        store.range(null, null),
        ([each, { value }]) => [each, value] as const,
      );
      expect(new Map(found)).toEqual(model);
    }
  });
}

test("who changes an object that a store gave changes nothing in the store", () => {
  const context = new RecordContext();
  const store = keyValueStore<string, { count: number }>({
    ...{ engine: new MemoryEngine(), topic: "t", keySerde: string(), valueSerde: json() },
    ...{ onChange: null, cache: { context, budget: new CacheBudget(1e6) } },
  });
  const given = { count: 1 };
  store.get("a");
  store.put("a", given);
  given.count = 2;
  const got = store.get("a")!;
  got.count = 3;
  expect(store.get("a")).toEqual({ count: 1 });
});

test("ranges in both directions and prefixes are in the order of bytes, of the cache and the store", () => {
  const context = new RecordContext();
  const store = keyValueStore<string, string>({
    ...{ engine: new MemoryEngine(), topic: "t", keySerde: string(), valueSerde: string() },
    ...{ onChange: null, cache: { context, budget: new CacheBudget(1e6) } },
  });
  for (const key of ["de-2", "at", "de-1", "fr", "de"]) store.put(key, key);
  store.flush();
  for (const key of ["de-3", "df", "b"]) store.put(key, key);
  store.delete("de-1");
  const keys = (found: Iterable<readonly [string, string]>) => Array.from(found, ([key]) => key);
  expect(keys(store.range("b", "de-2"))).toEqual(["b", "de", "de-2"]);
  expect(keys(store.range("b", null, true))).toEqual(["fr", "df", "de-3", "de-2", "de", "b"]);
  expect(keys(store.prefixScan(Buffer.from("de")))).toEqual(["de", "de-2", "de-3"]);
  expect(keys(store.prefixScan(new Uint8Array(0))).length).toBe(7);
});

test("what a node behind changes while changes are told is told once, and nothing is lost", () => {
  const context = new RecordContext();
  const engine = new MemoryEngine();
  const store = keyValueStore<string, number>({
    ...{ engine, topic: "t", keySerde: string(), valueSerde: safeLong(), onChange: null },
    cache: { context, budget: new CacheBudget(1e6) },
  });
  const told: [string, number | null][] = [];
  store.onFlush(({ key, value }) => {
    told.push([key, value]);
    if (value === null || value >= 100) return;
    // One that waits to be told, one that was, and a new one.
    for (const other of ["b", "a", "new"]) store.put(other, 100 + value);
  }, () => false);
  for (const [at, key] of ["a", "b", "c"].entries()) store.put(key, at);
  expect([...store.range("b", "new")].map(([key]) => key)).toEqual(["b", "c"]);
  store.flush();
  expect(told).toEqual([["a", 0], ["b", 100], ["c", 2]]);
  expect(store.get("b")).toBe(102);
  expect([...store.range(null, null)]).toEqual([["a", 102], ["b", 102], ["c", 2], ["new", 102]]);
  store.flush();
  expect(told.slice(3)).toEqual([["b", 102], ["a", 102], ["new", 102]]);
  expect(Array.from(engine.range({ from: null, to: null })).length).toBe(4);
});

for (const isReversed of [false, true]) {
  const way = isReversed ? "backwards" : "forwards";
  test(`whoever goes through a store ${way} meets all, though the cache lets go of them meanwhile`, () => {
    const store = keyValueStore<string, string>({
      ...{ engine: new MemoryEngine(), topic: "t", keySerde: string(), valueSerde: string() },
      ...{ onChange: null },
      cache: { context: new RecordContext(), budget: new CacheBudget(20_000) },
    });
    const keys = Array.from({ length: 50 }, (_, at) => `k${10 + at}`);
    for (const key of keys) store.put(key, "1");
    const seen: string[] = [];
    for (const [key, value] of store.range(null, null, isReversed)) {
      seen.push(`${key}=${value}`);
      for (let other = 0; other < 20; other++) store.get(`other-${seen.length}-${other}`);
    }
    const all = keys.map((key) => `${key}=1`);
    expect(seen).toEqual(isReversed ? all.toReversed() : all);
  });
}

test("a task has room made by its own changes, and by what others only have read", () => {
  const budget = new CacheBudget(2000);
  const storeOf = () => {
    const told: string[] = [];
    const store = keyValueStore<string, string>({
      ...{ engine: new MemoryEngine(), topic: "t", keySerde: string(), valueSerde: string() },
      ...{ onChange: null, cache: { context: new RecordContext(), budget } },
    });
    store.onFlush(({ key }) => void told.push(key), () => false);
    return { store, told };
  };
  const [one, other] = [storeOf(), storeOf()];
  for (let at = 0; at < 10; at++) one.store.put(`one-${at}`, "x");
  // Nodes of one task are at work only when that task is.
  for (let at = 0; at < 100; at++) other.store.put(`other-${at}`, "x");
  expect(one.told).toEqual([]);
  expect(other.told.length).toBeGreaterThan(80);
  expect(budget.bytes).toBeLessThanOrEqual(2000);
  // What has been flushed is as the store has it, and goes before changes do.
  one.store.flush();
  other.store.flush();
  other.told.length = 0;
  for (let at = 0; at < 5; at++) other.store.put(`other-${at}`, "y");
  expect([one.told.length, other.told.length]).toEqual([10, 0]);
  expect(budget.bytes).toBeLessThanOrEqual(2000);
  for (let at = 0; at < 10; at++) expect(one.store.get(`one-${at}`)).toBe("x");
});
