import { describe, expect, test } from "bun:test";
import { ReadBuffers } from "./read-buffers.ts";

describe("read buffers", () => {
  test("what is given back is used again, whole, and nothing is given out twice", () => {
    const buffers = new ReadBuffers(2);
    const first = buffers.take(100);
    const second = buffers.take(100);
    expect(second.buffer).not.toBe(first.buffer);
    buffers.give(first);
    const third = buffers.take(1024 * 1024);
    expect(third.buffer).toBe(first.buffer);
    expect(third.length).toBe(1024 * 1024);
    expect(buffers.take(1).buffer).not.toBe(first.buffer);
  });

  test("no more are kept than it may, and none of another size", () => {
    const buffers = new ReadBuffers(1);
    const large = buffers.take(2 * 1024 * 1024);
    expect(large.length).toBe(2 * 1024 * 1024);
    buffers.give(large);
    const [first, second] = [buffers.take(10), buffers.take(10)];
    expect(first.buffer).not.toBe(large.buffer);
    buffers.give(first);
    buffers.give(second);
    expect(buffers.take(10).buffer).toBe(first.buffer);
    expect(buffers.take(10).buffer).not.toBe(second.buffer);
  });
});
