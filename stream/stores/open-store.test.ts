import { expect, test } from "bun:test";
import { long, string } from "../serdes/basic-serdes.ts";
import { RecordContext } from "../task/record-context.ts";
import { storedWindow } from "../windows/windowed-key.ts";
import { CacheBudget } from "./cache-budget.ts";
import type { OpenStore } from "./key-value-store.ts";
import { MemoryEngine } from "./memory-engine.ts";
import { engineOf, openStoreOf, restoreRecord } from "./open-store.ts";
import type { StoreSpec } from "./store-spec.ts";

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
    { ...common, kind: "window", keySerde: storedWindow(string(), 10), retentionMs: 60_000 },
    { key: "k", window: window(20) },
    { value: 7n, timestampMs: 25 },
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
