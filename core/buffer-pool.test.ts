import { expect, test } from "bun:test";
import { BufferPool } from "./buffer-pool.ts";

test("a buffer given back is taken again for what it can hold, and for nothing larger", () => {
  const pool = new BufferPool(10_000_000);
  const buffer = pool.take(100_000);
  expect(buffer.length).toBeGreaterThanOrEqual(100_000);
  pool.give(buffer);
  expect(pool.take(200_000)).not.toBe(buffer);
  expect(pool.take(1)).not.toBe(buffer);
  expect(pool.take(buffer.length)).toBe(buffer);
  expect(pool.take(buffer.length)).not.toBe(buffer);
});

test("no more is kept than the bound, and nothing of odd size", () => {
  const pool = new BufferPool(150_000);
  const [a, b] = [pool.take(65_536), pool.take(131_072)];
  pool.give(a);
  pool.give(b);
  expect(pool.take(131_072)).not.toBe(b);
  expect(pool.take(65_536)).toBe(a);
  pool.give(new Uint8Array(70_000));
  expect(pool.take(70_000).length).toBe(131_072);
  expect(pool.take(50_000_000).length).toBe(50_000_000);
});
