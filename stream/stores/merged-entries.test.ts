import { expect, test } from "bun:test";
import type { BytesEntry, BytesRange } from "./engine.ts";
import { MemoryEngine } from "./memory-engine.ts";
import { mergedEntries } from "./merged-entries.ts";

let readers = 0;

/** As one on disk, it holds what is gone through until who goes through it is done. */
class HeldEngine extends MemoryEngine {
  override *range(range: BytesRange): IterableIterator<BytesEntry> {
    readers++;
    try {
      yield* super.range(range);
    } finally {
      readers--;
    }
  }
}

function engineOf(...keys: readonly number[]): HeldEngine {
  const engine = new HeldEngine();
  for (const key of keys) engine.put(Uint8Array.of(key), Uint8Array.of(key));
  return engine;
}

const ALL = { from: null, to: null };

test("whoever stops early holds none of the engines any more", () => {
  const engines = [engineOf(1, 4), engineOf(2, 5), engineOf(3, 6)];
  for (const [key] of mergedEntries(engines, ALL)) {
    expect(readers).toBe(3);
    if (key[0] === 2) break;
  }
  expect(readers).toBe(0);
});

test("where one of them fails, the others are not held", () => {
  const failing = engineOf(1);
  failing.range = () => {
    throw new Error("damaged");
  };
  expect(() => [...mergedEntries([engineOf(1, 2), failing], ALL)]).toThrow("damaged");
  expect(readers).toBe(0);
});
