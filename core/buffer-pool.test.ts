import { expect, test } from "bun:test";
import { BufferPool } from "./buffer-pool.ts";

test("a buffer given back is taken again for what it can hold, and for nothing larger", () => {
  const pool = new BufferPool(10_000_000);
  const buffer = pool.take(100_000);
  expect(buffer.length).toBeGreaterThanOrEqual(100_000);
  expect(buffer.slice().buffer).not.toBe(buffer.buffer);
  pool.give(buffer);
  expect(pool.take(200_000)).not.toBe(buffer);
  expect(pool.take(1)).not.toBe(buffer);
  expect(pool.take(buffer.length)).toBe(buffer);
  expect(pool.take(buffer.length)).not.toBe(buffer);
});

test("no more is kept than the bound, and nothing of odd size", () => {
  const pool = new BufferPool(150_000);
  const [a, b] = [pool.take(60_000), pool.take(131_072)];
  pool.give(a);
  pool.give(b);
  expect(pool.take(131_072)).not.toBe(b);
  expect(pool.take(60_000)).toBe(a);
  const odd = new Uint8Array(100_000);
  pool.give(odd);
  expect(pool.take(100_000)).not.toBe(odd);
  expect(pool.take(50_000_000).length).toBe(50_000_000);
});

test("a megabyte and what goes with it does not take two", () => {
  const pool = new BufferPool(0);
  for (const slack of [0, 100, 8192]) {
    expect(pool.take(1024 * 1024 + slack).length).toBe(1024 * 1024 + 64 * 1024);
  }
});
