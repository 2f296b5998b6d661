/** What every engine on disk has to do besides (`engine.test-helper.ts`), as tests. */
import { describe, expect, test } from "bun:test";
import type { DurableEngine } from "./durable-engine.ts";
import { seededBelow } from "./engine.test-helper.ts";

const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text);

function contents(engine: DurableEngine, isReversed = false): string[] {
  const entries = engine.range({ from: null, to: null, isReversed });
  return Array.from(entries, ([key, value]) => `${Buffer.from(key)}=${Buffer.from(value)}`);
}

/** `open`: the store of that name, again and again. */
export function durableConformance(name: string, open: (store: string) => DurableEngine): void {
  describe(`${name} on disk`, () => {
    test("it is what it was at the last commit", async () => {
      const engine = open("commit");
      expect(engine.changelogOffset).toBeNull();
      engine.put(bytes("a"), bytes("1"));
      engine.put(bytes("b"), bytes("2"));
      expect(engine.uncommittedBytes).toBeGreaterThan(3);
      engine.commit(7n);
      expect(engine.uncommittedBytes).toBe(0);
      engine.put(bytes("a"), null);
      engine.put(bytes("c"), bytes("3"));
      expect(contents(engine)).toEqual(["b=2", "c=3"]);
      await engine.settled();
      engine.close();
      const again = open("commit");
      expect(again.changelogOffset).toBe(7n);
      expect(contents(again)).toEqual(["a=1", "b=2"]);
      again.put(bytes("a"), null);
      again.commit(null);
      again.close();
      const third = open("commit");
      expect([third.changelogOffset, contents(third)]).toEqual([null, ["b=2"]]);
      third.close();
    });

    test("large values, empty ones and the empty key", () => {
      const engine = open("large");
      const large = new Uint8Array(3_000_000).fill(7);
      engine.put(bytes("large"), large);
      engine.put(bytes(""), bytes(""));
      engine.commit(1n);
      for (let index = 0; index < 2000; index++) {
        engine.put(bytes(`k${index}`), large.slice(0, 500));
      }
      engine.commit(2n);
      engine.close();
      const again = open("large");
      expect(again.get(bytes("large"))).toEqual(large);
      expect(again.get(bytes(""))).toEqual(bytes(""));
      expect(again.get(bytes("k1999"))).toEqual(large.slice(0, 500));
      expect(Array.from(again.range({ from: bytes("k1998"), to: null })).length).toBe(3 + 888);
      again.close();
    });

    test("what is wiped is gone, and stays so", () => {
      const engine = open("wiped");
      for (let index = 0; index < 3000; index++) {
        engine.put(bytes(`k${index}`), new Uint8Array(100));
        if (index % 100 === 0) engine.commit(BigInt(index));
      }
      engine.wipe();
      expect([engine.changelogOffset, contents(engine)]).toEqual([null, []]);
      engine.close();
      const again = open("wiped");
      expect([again.changelogOffset, contents(again)]).toEqual([null, []]);
      again.put(bytes("new"), bytes("1"));
      again.commit(3n);
      again.close();
      const third = open("wiped");
      expect([third.changelogOffset, contents(third)]).toEqual([3n, ["new=1"]]);
      third.close();
    });

    test("keys below the floor are gone, once that is committed", () => {
      const engine = open("floor");
      for (const key of ["a", "b", "c"]) engine.put(bytes(key), bytes("1"));
      engine.commit(1n);
      engine.dropBelow(bytes("b"));
      engine.dropBelow(bytes("a"));
      expect(contents(engine)).toEqual(["b=1", "c=1"]);
      expect(engine.get(bytes("a"))).toBeNull();
      engine.close();
      const again = open("floor");
      expect(contents(again)).toEqual(["a=1", "b=1", "c=1"]);
      again.dropBelow(bytes("b"));
      again.commit(2n);
      again.close();
      const third = open("floor");
      expect(contents(third, true)).toEqual(["c=1", "b=1"]);
      expect(Array.from(third.range({ from: bytes("a"), to: bytes("b") })).length).toBe(1);
      third.close();
    });

    test("it is as a sorted map, whatever is done, and when it is opened again", async () => {
      const below = seededBelow(3);
      const key = () => Array.from({ length: below(4) }, () => "aäz~"[below(4)]).join("");
      let engine = open("random");
      let model = new Map<string, string>();
      let committed = new Map<string, string>();
      for (let step = 0; step < 6000; step++) {
        const [at, value] = [key() + below(60), `v${step}`.repeat(below(20))];
        const what = below(100);
        if (what < 70) engine.put(bytes(at), bytes(value));
        else if (what < 90) engine.put(bytes(at), null);
        if (what < 70) model.set(at, value);
        else if (what < 90) model.delete(at);
        else if (what < 96) {
          engine.commit(BigInt(step));
          committed = new Map(model);
          if (below(3) === 0) await engine.settled();
        } else if (what < 97) {
          engine.close();
          engine = open("random");
          model = new Map(committed);
        } else {
          const [low, high] = [key(), key() + below(60)];
          const isReversed = below(2) === 0;
          const range = { from: bytes(low), to: bytes(high), isReversed };
          const found = Array.from(
            engine.range(range),
            ([one, other]) => [`${Buffer.from(one)}`, `${Buffer.from(other)}`] as const,
          );
          const expected = [...model].filter(([each]) =>
            Buffer.compare(bytes(each), bytes(low)) >= 0 &&
            Buffer.compare(bytes(each), bytes(high)) <= 0
          ).sort(([one], [other]) => Buffer.compare(bytes(one), bytes(other)));
          expect(found).toEqual(isReversed ? expected.reverse() : expected);
        }
        expect(engine.get(bytes(at))).toEqual(model.has(at) ? bytes(model.get(at)!) : null);
      }
      engine.close();
    });

    test("somebody iterates while others put and commit", () => {
      const engine = open("iterated");
      for (let index = 0; index < 500; index++) {
        engine.put(bytes(`k${1000 + index}`), new Uint8Array(50));
      }
      engine.commit(1n);
      const seen: string[] = [];
      for (const [key] of engine.range({ from: null, to: null })) {
        const text = Buffer.from(key).toString();
        seen.push(text);
        engine.put(key, null);
        engine.put(bytes(`a${seen.length}`), new Uint8Array(50));
        if (seen.length % 20 === 0) engine.commit(2n);
      }
      expect(seen).toEqual(Array.from({ length: 500 }, (_, index) => `k${1000 + index}`));
      expect(contents(engine).length).toBe(500);
      engine.close();
    });
  });
}
