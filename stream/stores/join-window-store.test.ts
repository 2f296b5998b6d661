import { expect, test } from "bun:test";
import { bytes, string } from "../serdes/basic-serdes.ts";
import { storedWindows } from "../windows/windowed-key.ts";
import { JoinWindowStore } from "./join-window-store.ts";
import { MemoryEngine } from "./memory-engine.ts";
import { SegmentedEngine } from "./segmented-engine.ts";

const MINUTE = 60_000;
const { timeOf } = storedWindows(0);

function open(
  retentionMs: number,
  engine = new SegmentedEngine({ retentionMs, timeOf }, () => new MemoryEngine()),
) {
  const serdes = { keySerde: bytes(), valueSerde: string() };
  const store = new JoinWindowStore({ engine, topic: "t", ...serdes, retentionMs, onChange: null });
  return { engine, store };
}

test("records of a key and a time are all found, the oldest first, those of longer keys not", () => {
  const { store } = open(10 * MINUTE);
  const key = Uint8Array.of(1);
  // The bytes of the longer one go on as times and numbers of the other do.
  const longer = Uint8Array.of(1, ...new Uint8Array(7), 5);
  for (const [at, value] of [[9, "c"], [5, "a"], [5, "b"], [MINUTE * 7, "d"]] as const) {
    store.put(key, value, at);
  }
  store.put(longer, "x", 0);
  expect([...store.fetch(key, 0, 10)]).toEqual([[5, "a"], [5, "b"], [9, "c"]]);
  expect([...store.fetch(key, 6, MINUTE * 8)]).toEqual([[9, "c"], [MINUTE * 7, "d"]]);
  expect([...store.fetch(longer, 0, 10)]).toEqual([[0, "x"]]);
});

test("what is older than the retention is not found", () => {
  const { store } = open(100);
  const key = Uint8Array.of(1);
  store.put(key, "old", 0);
  store.put(key, "edge", 1);
  store.put(key, "new", 100);
  expect([...store.fetch(key, 0, 200)].map(([, value]) => value)).toEqual(["edge", "new"]);
});

test("opened again, it does not write over records of the same time", () => {
  const key = Uint8Array.of(1);
  const { engine, store } = open(100);
  for (const value of ["a", "b"]) store.put(key, value, 5);
  const again = open(100, engine).store;
  again.put(key, "c", 5);
  expect([...again.fetch(key, 5, 5)].map(([, value]) => value)).toEqual(["a", "b", "c"]);
});
