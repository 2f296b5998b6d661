/** What every engine has to do, as tests. */
import { describe, expect, test } from "bun:test";
import type { BytesRange, StoreEngine } from "./engine.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

/** Random numbers that are the same each time (mulberry32). */
export function seededBelow(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * bound);
  };
}

export function engineConformance(name: string, open: () => StoreEngine): void {
  describe(name, () => {
    test("what is put is found, until it is replaced or taken away", () => {
      const engine = open();
      expect(engine.get(bytes(1))).toBeNull();
      engine.put(bytes(1), bytes(7));
      engine.put(bytes(), bytes());
      expect(engine.get(bytes(1))).toEqual(bytes(7));
      expect(engine.get(bytes())).toEqual(bytes());
      engine.put(bytes(1), bytes(8, 9));
      expect(engine.get(bytes(1))).toEqual(bytes(8, 9));
      engine.put(bytes(1), null);
      engine.put(bytes(2), null);
      expect(engine.get(bytes(1))).toBeNull();
      engine.close();
    });

    test("bytes that were given may be changed afterwards", () => {
      const engine = open();
      const [key, value] = [bytes(1), bytes(2)];
      engine.put(key, value);
      key[0] = 9;
      value[0] = 9;
      expect(engine.get(bytes(1))).toEqual(bytes(2));
      expect(engine.get(bytes(9))).toBeNull();
      engine.close();
    });

    test("ranges are in the order of unsigned bytes, both ends included", () => {
      const engine = open();
      const keys = [bytes(), bytes(0), bytes(0, 255), bytes(1), bytes(127), bytes(128), bytes(255)];
      for (const key of keys.toReversed()) engine.put(key, key);
      const found = (range: BytesRange) =>
        Array.from(
          engine.range(range),
          ([key]) => keys.findIndex((k) => Buffer.compare(k, key) === 0),
        );
      expect(found({ from: null, to: null })).toEqual([0, 1, 2, 3, 4, 5, 6]);
      expect(found({ from: null, to: null, isReversed: true })).toEqual([6, 5, 4, 3, 2, 1, 0]);
      expect(found({ from: bytes(0), to: bytes(127) })).toEqual([1, 2, 3, 4]);
      expect(found({ from: bytes(0, 0), to: bytes(126) })).toEqual([2, 3]);
      expect(found({ from: bytes(0, 0), to: bytes(126), isReversed: true })).toEqual([3, 2]);
      expect(found({ from: bytes(2), to: bytes(1) })).toEqual([]);
      engine.close();
    });

    for (const isReversed of [false, true]) {
      test(`who goes through it may change it, ${isReversed ? "backwards" : "forwards"}`, () => {
        const engine = open();
        const keys = Array.from({ length: 200 }, (_, at) => at);
        for (const key of keys) engine.put(bytes(key), bytes(1));
        const range = { from: bytes(10), to: bytes(189), isReversed };
        const seen: number[] = [];
        for (const [[key]] of engine.range(range)) {
          seen.push(key!);
          // What is taken away, also before it is come to, and what comes in where nobody is any more.
          engine.put(bytes(key!), null);
          if (key! % 3 === 0) engine.put(bytes(isReversed ? key! - 1 : key! + 1), null);
          engine.put(bytes(isReversed ? 200 : 0, key!), bytes(2));
        }
        const inside = keys.slice(10, 190);
        const gone = new Set(
          inside.filter((key) => key % 3 === 0).map((key) => {
            return isReversed ? key - 1 : key + 1;
          }),
        );
        const left = inside.filter((key) => !gone.has(key));
        expect(seen).toEqual(isReversed ? left.toReversed() : left);
        engine.close();
      });
    }

    test("it is as a sorted map, whatever is done", () => {
      const below = seededBelow(1);
      const engine = open();
      const model = new Map<string, string>();
      const key = () => Array.from({ length: below(3) }, () => below(5) * 60);
      for (let step = 0; step < 5000; step++) {
        const [at, value] = [bytes(...key()), bytes(below(256))];
        const isGone = below(3) === 0;
        engine.put(at, isGone ? null : value);
        if (isGone) model.delete(String(at));
        else model.set(String(at), String(value));
        if (step % 50 !== 0) continue;
        const [low, high] = [bytes(...key()), bytes(...key())];
        const inside = ([name]: readonly [string, string]) => {
          const each = Buffer.from(name === "" ? [] : name.split(",").map(Number));
          return Buffer.compare(each, low) >= 0 && Buffer.compare(each, high) <= 0;
        };
        const found = Array.from(
          engine.range({ from: low, to: high }),
          ([k, v]) => [String(new Uint8Array(k)), String(new Uint8Array(v))] as const,
        );
        expect(new Map(found)).toEqual(new Map([...model].filter(inside)));
      }
      expect(engine.approximateCount).toBe(model.size);
      engine.close();
    });
  });
}
