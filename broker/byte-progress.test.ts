import { expect, test } from "bun:test";
import { ByteProgress } from "./byte-progress.ts";

test("bytes are counted up to where readers may see", () => {
  const progress = new ByteProgress(0);
  progress.note(10, 100);
  progress.note(20, 300);
  expect(progress.reachedBytes).toBe(0);
  progress.reach(10);
  expect(progress.reachedBytes).toBe(100);
  progress.reach(5);
  progress.reach(20);
  expect(progress.reachedBytes).toBe(400);
  progress.note(21, 7);
  progress.reach(21);
  expect(progress.reachedBytes).toBe(407);
});

test("however much an open transaction holds back, few marks are kept and no byte is lost", () => {
  const progress = new ByteProgress(0);
  const count = 100_000;
  for (let offset = 1; offset <= count; offset++) progress.note(offset, 10);
  expect(progress.markCount).toBeLessThanOrEqual(1024);
  let last = 0;
  for (const offset of [1, 2, 777, 50_000, 99_999]) {
    progress.reach(offset);
    expect(progress.reachedBytes).toBeGreaterThan(last);
    expect(Math.abs(progress.reachedBytes - offset * 10)).toBeLessThanOrEqual(10);
    last = progress.reachedBytes;
  }
  progress.reach(count);
  expect(progress.reachedBytes).toBe(count * 10);
  expect(progress.markCount).toBe(0);
});
