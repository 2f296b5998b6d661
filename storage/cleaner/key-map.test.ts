import { expect, test } from "bun:test";
import { KeyHash } from "./key-hash.ts";
import { KeyMap, SLOT_BYTES } from "./key-map.ts";

const SECRET = Uint8Array.from({ length: 16 }, (_, index) => index * 7 + 1);
const text = new TextEncoder();

function hashOf(hash: KeyHash, key: Uint8Array): string {
  hash.compute(key, 0, key.length);
  return [hash.a, hash.b, hash.c, hash.d].join();
}

test("the map knows the last offset of each key", () => {
  const map = new KeyMap(SECRET, 10_000_000);
  const last = new Map<string, number>();
  for (let offset = 0; offset < 200_000; offset++) {
    const key = `key-${(offset * 7919) % 50_000}`;
    const bytes = text.encode(key);
    expect(map.put(bytes, 0, bytes.length, offset)).toBe(true);
    last.set(key, offset);
  }
  expect(map.size).toBe(last.size);
  expect(map.latestOffset).toBe(199_999);
  for (const [key, offset] of last) {
    const bytes = text.encode(key);
    if (map.get(bytes, 0, bytes.length) !== offset) throw new Error(`${key} is not at ${offset}`);
  }
  expect(map.get(text.encode("other"), 0, 5)).toBe(-1);
});

test("a full map takes known keys and refuses new ones, without change", () => {
  const slots = 100;
  const map = new KeyMap(SECRET, slots * SLOT_BYTES, 0.5);
  const put = (key: number, offset: number) => map.put(text.encode(String(key)), 0, 2, offset);
  let offset = 0;
  for (let key = 10; key < 60; key++) expect(put(key, offset++)).toBe(true);
  expect(put(60, offset)).toBe(false);
  expect(map.latestOffset).toBe(offset - 1);
  expect(put(10, offset)).toBe(true);
  expect(map.get(text.encode("10"), 0, 2)).toBe(offset);
  expect(map.size).toBe(50);
});

test("hashes of keys that differ in a bit, in their length or in the secret differ", () => {
  const seen = new Set<string>();
  let count = 0;
  const other = SECRET.slice();
  other[15]! ^= 1;
  for (const hash of [new KeyHash(SECRET), new KeyHash(other)]) {
    for (let length = 0; length < 20; length++) {
      const key = new Uint8Array(length);
      seen.add(hashOf(hash, key));
      count++;
      for (let bit = 0; bit < length * 8; bit++) {
        const changed = key.slice();
        changed[bit >> 3]! ^= 1 << (bit & 7);
        seen.add(hashOf(hash, changed));
        count++;
      }
    }
  }
  expect(seen.size).toBe(count);
});

test("a hash depends on nothing but the key's bytes", () => {
  const hash = new KeyHash(SECRET);
  const padded = text.encode("xxabcdefgyy");
  hash.compute(padded, 2, 9);
  const within = [hash.a, hash.b, hash.c, hash.d].join();
  expect(within).toBe(hashOf(hash, text.encode("abcdefg")));
});
