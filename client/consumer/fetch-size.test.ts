import { expect, test } from "bun:test";
import { FetchSize } from "./fetch-size.ts";

const MB = 1024 * 1024;

test("what is asked for grows while full answers come quickly, up to the bounds", () => {
  const size = new FetchSize(16 * MB, 32 * MB);
  expect([size.partitionBytes, size.answerBytes]).toEqual([4 * MB, 16 * MB]);
  size.heard(4 * MB - 100, 20);
  expect([size.partitionBytes, size.answerBytes]).toEqual([8 * MB, 32 * MB]);
  for (let i = 0; i < 5; i++) size.heard(size.partitionBytes, 20);
  expect([size.partitionBytes, size.answerBytes]).toEqual([16 * MB, 32 * MB]);
});

test("it shrinks when answers come slowly or not at all, and small ones say nothing", () => {
  const size = new FetchSize(16 * MB, 32 * MB);
  size.heard(4 * MB, 1000);
  size.heard(1000, 1);
  size.heard(1000, 10_000);
  expect(size.partitionBytes).toBe(4 * MB);
  size.heard(4 * MB, 3000);
  expect(size.partitionBytes).toBe(2 * MB);
  for (let i = 0; i < 9; i++) size.failed();
  expect(size.partitionBytes).toBe(256 * 1024);
});

test("a bound that was asked for is kept", () => {
  const size = new FetchSize(1000, 500);
  expect([size.partitionBytes, size.answerBytes]).toEqual([1000, 500]);
  size.failed();
  expect(size.partitionBytes).toBe(1000);
});
