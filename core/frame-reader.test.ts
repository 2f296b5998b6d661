import { BufferPool } from "./buffer-pool.ts";
import { expect, test } from "bun:test";
import { FrameReader } from "./frame-reader.ts";

function frame(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(4 + bytes.length);
  new DataView(out.buffer).setInt32(0, bytes.length);
  out.set(bytes, 4);
  return out;
}

function drain(reader: FrameReader): Uint8Array[] {
  const frames = [];
  for (let next = reader.next(); next !== null; next = reader.next()) frames.push(next);
  return frames;
}

/** A small linear congruential generator: the same cuts in every run. */
function seeded(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * bound);
  };
}

test("frames come out whole and in order, however the stream is cut", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const below = seeded(seed);
    const sent = Array.from(
      { length: 30 },
      (_, i) => new Uint8Array(below(10) === 0 ? below(700_000) : below(300)).fill(i),
    );
    const stream = Buffer.concat(sent.map(frame));
    const reader = new FrameReader(1_000_000);
    const got: Uint8Array[] = [];
    for (let from = 0; from < stream.length;) {
      const to = Math.min(stream.length, from + 1 + below(below(3) === 0 ? 5 : 200_000));
      reader.push(new Uint8Array(stream.subarray(from, to)));
      if (below(2) === 0 || to === stream.length) got.push(...drain(reader));
      from = to;
    }
    expect(got.length).toBe(sent.length);
    sent.forEach((bytes, i) => expect(Buffer.compare(bytes, got[i] ?? new Uint8Array())).toBe(0));
    expect(reader.bufferedBytes).toBe(0);
  }
});

test("a frame inside one chunk is a view, not a copy", () => {
  const chunk = frame(new Uint8Array([1, 2, 3]));
  const reader = new FrameReader(100);
  reader.push(chunk);
  expect(reader.next()?.buffer).toBe(chunk.buffer);
});

test("a claimed length costs nothing before its bytes come", () => {
  const readers: FrameReader[] = [];
  const before = process.memoryUsage().external;
  for (let i = 0; i < 20; i++) {
    const reader = new FrameReader(104_857_600);
    reader.push(new Uint8Array([0x06, 0x40, 0, 0, 1]));
    expect(reader.next()).toBeNull();
    expect(reader.bufferedBytes).toBe(1);
    readers.push(reader);
  }
  expect(process.memoryUsage().external - before).toBeLessThan(16 * 1024 * 1024);
  expect(readers.length).toBe(20);
});

test("a large frame that gets its room at once comes out the same", () => {
  const bytes = Uint8Array.from({ length: 900_000 }, (_, i) => i % 251);
  const stream = frame(bytes);
  for (const roomBytes of [1, 1_000, 1_000_000]) {
    const reader = new FrameReader(1_000_000, { roomBytes });
    for (let from = 0; from < stream.length; from += 70_000) {
      reader.push(stream.slice(from, from + 70_000));
      if (from + 70_000 < stream.length) expect(reader.next()).toBeNull();
    }
    expect(Buffer.compare(reader.next() ?? new Uint8Array(), bytes)).toBe(0);
  }
});

test("a length out of bounds ends reading for good", () => {
  for (const length of [-1, 101, 0x7fff_ffff]) {
    const reader = new FrameReader(100);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, length);
    reader.push(frame(new Uint8Array(100)));
    reader.push(bytes);
    expect(reader.next()?.length).toBe(100);
    expect(reader.badLength).toBeNull();
    expect(reader.next()).toBeNull();
    expect(reader.badLength).toBe(length);
    reader.push(frame(new Uint8Array(3)));
    expect(reader.next()).toBeNull();
  }
});

test("a large frame lies in the pool's memory, which comes back with takeBuffer", () => {
  const pool = new BufferPool(1_000_000);
  const reader = new FrameReader(1_000_000, { pool });
  const frameOf = (fill: number) => {
    const stream = new Uint8Array(100_004).fill(fill);
    new DataView(stream.buffer).setInt32(0, 100_000);
    reader.push(stream.slice(0, 50_000));
    expect(reader.next()).toBeNull();
    reader.push(stream.slice(50_000));
    const frame = reader.next();
    expect(frame?.length).toBe(100_000);
    expect(frame?.every((byte) => byte === fill)).toBe(true);
    return frame;
  };
  const first = frameOf(7);
  const buffer = reader.takeBuffer();
  expect(buffer?.buffer).toBe(first?.buffer);
  expect(reader.takeBuffer()).toBeNull();
  pool.give(buffer!);
  expect(frameOf(9)?.buffer).toBe(first?.buffer);
  // Not given back: the next frame must not touch it.
  const kept = reader.takeBuffer();
  expect(frameOf(11)?.buffer).not.toBe(kept?.buffer);
});
