import { expect, test } from "bun:test";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { silentLogger } from "../../core/logger.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { safeLong, string } from "../serdes/basic-serdes.ts";
import { RecordContext } from "../task/record-context.ts";
import { CacheBudget } from "./cache-budget.ts";
import type { StoreEngine } from "./engine.ts";
import type { KeyValueStore } from "./key-value-store.ts";
import { MemoryEngine } from "./memory-engine.ts";
import { engineOf, openStoreOf, restoreRecord } from "./open-store.ts";
import { StateDirectory } from "./state-directory.ts";
import type { StoreSpec } from "./store-spec.ts";

const SPEC: StoreSpec = {
  ...{ kind: "key-value", name: "seen", keySerde: string(), valueSerde: safeLong() } as const,
  ...{ isLogged: true, isCached: false, isTimestamped: false, changelogConfigs: {}, ttlMs: 5000 },
};

type Logged = readonly [key: Uint8Array, value: Uint8Array | null, timestampMs: number | null];

function opened(engine: StoreEngine, logged: Logged[] = []) {
  const context = new RecordContext();
  const store = openStoreOf(SPEC, {
    ...{ engine, topic: "t", context, budget: new CacheBudget(0) },
    onChange: (key, value, timestampMs) => void logged.push([key.slice(), value, timestampMs]),
  }) as unknown as KeyValueStore<string, number>;
  const at = (timestampMs: number, isPunctuator = false) => {
    const raw = { topic: "in", partition: 0, offset: 0n, timestampMs, headers: [] };
    const origin = isPunctuator ? null : { ...raw, key: null, value: null };
    context.now = { timestampMs, headers: [], origin };
    return store;
  };
  return { store, at };
}

const inMemory = () => engineOf(SPEC, () => new MemoryEngine());

function directory() {
  const clock = new SimClock(1_000_000_000);
  const disk = new MemoryDisk({ wallMs: () => clock.wallMs(), maxBytes: 1e9 });
  const io = { disk, clock, random: new SimRandom(1), logger: silentLogger };
  return () => StateDirectory.open(io, { dir: "/state", applicationId: "app" });
}

test("entries are gone when the time of records has passed, in memory and on disk", () => {
  const onDisk = directory()().open("0_0", SPEC).engine;
  for (const engine of [inMemory(), onDisk]) {
    const { at } = opened(engine);
    at(1000).put("a", 1);
    at(3000).put("b", 2);
    expect(at(5999).get("a")).toBe(1);
    // Looking is enough for time to pass; put again, an entry begins anew.
    expect([at(6000).get("a"), at(6000).get("b")]).toEqual([null, 2]);
    at(6000).put("b", 3);
    expect([...at(9000).range(null, null)]).toEqual([["b", 3]]);
    // A late record sees what there is, and what it puts is there as long as any other.
    at(100).put("c", 4);
    expect([...at(13_999).range(null, null)]).toEqual([["c", 4]]);
    // The time of a punctuator is not that of records.
    expect(at(1e12, true).get("c")).toBe(4);
    expect([...at(14_000).range(null, null)]).toEqual([]);
    at(14_000).put("d", 5);
    at(14_001).put("d", null);
    expect([at(14_002).get("d"), at(14_002).putIfAbsent("d", 6)]).toEqual([null, null]);
    at(100_000).get("x");
    // On disk, what is dropped counts until runs are merged.
    if (engine !== onDisk) expect(engine.approximateCount).toBe(0);
  }
});

test("as many entries come and go as a map has that forgets them by their times", () => {
  const random = new SimRandom(7);
  const { at } = opened(inMemory());
  const known = new Map<string, readonly [value: number, ms: number]>();
  let [nowMs, timeMs] = [0, 0];
  for (let i = 0; i < 20_000; i++) {
    nowMs += random.below(random.below(500) === 0 ? 20_000 : 200);
    const ms = Math.max(0, nowMs - random.below(4000));
    timeMs = Math.max(timeMs, ms);
    const key = `k${random.below(40)}`;
    for (const [each, [, putMs]] of known) if (putMs + 5000 <= timeMs) known.delete(each);
    expect(at(ms).get(key)).toBe(known.get(key)?.[0] ?? null);
    if (random.below(4) === 0) {
      at(ms).put(key, null);
      known.delete(key);
    } else {
      at(ms).put(key, i);
      known.set(key, [i, timeMs]);
    }
    if (i % 100 > 0) continue;
    const sorted = [...known].map(([each, [value]]) => [each, value] as const)
      .sort(([one], [other]) => one < other ? -1 : 1);
    expect([...at(ms).range(null, null)]).toEqual(sorted);
    expect([...at(ms).range(null, null, true)]).toEqual(sorted.reverse());
  }
});

test("what is restored ends when it would have ended", () => {
  const logged: Logged[] = [];
  const { at } = opened(inMemory(), logged);
  at(4000).put("a", 1);
  at(1000).put("b", 2);
  at(4000).put("c", 3);
  at(5000).put("c", null);
  expect(logged.map(([, value, ms]) => [value?.length ?? null, ms])).toEqual([
    [8, 4000],
    [8, 4000],
    [8, 4000],
    [null, null],
  ]);
  const engine = inMemory();
  for (const [key, value, ms] of logged) restoreRecord(SPEC, engine, key, value, ms ?? 5000);
  const again = opened(engine);
  expect([...again.at(8999).range(null, null)]).toEqual([["a", 1], ["b", 2]]);
  expect([...again.at(9000).range(null, null)]).toEqual([]);
});

test("another length of segments has the store restored", () => {
  const open = directory();
  const first = open();
  const state = first.open("0_0", SPEC);
  opened(state.engine).at(1000).put("a", 1);
  state.commit(3n);
  state.engine.close();
  first.close();
  const second = open();
  const same = second.open("0_0", SPEC);
  expect([same.changelogOffset, opened(same.engine).at(1000).get("a")]).toEqual([3n, 1]);
  same.engine.close();
  second.close();
  const other = open().open("0_0", { ...SPEC, ttlMs: 50_000 });
  expect([other.changelogOffset, other.engine.approximateCount]).toEqual([null, 0]);
});
