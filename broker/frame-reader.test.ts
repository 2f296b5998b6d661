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

test("what is not Kafka's protocol is named", () => {
  const cases: [number[] | string, RegExp][] = [
    [[0x16, 0x03, 0x01, 0x02, 0x00], /TLS/],
    ["GET / HTTP/1.1\r\n", /HTTP/],
    ["OPTIONS * HTTP/1.1\r\n", /HTTP/],
    ["PRI * HTTP/2.0\r\n", /HTTP/],
    [[0xff, 0xff, 0xff, 0xff], /negative length \(-1\)/],
    [[0x7f, 0xff, 0xff, 0xff], /2147483647 bytes.*socket\.request\.max\.bytes=104857600/],
  ];
  for (const [input, what] of cases) {
    const reader = new FrameReader(104_857_600);
    reader.push(typeof input === "string" ? Buffer.from(input) : new Uint8Array(input));
    expect(reader.next()).toBeNull();
    expect(reader.bad?.what).toMatch(what);
    reader.push(frame(new Uint8Array(3)));
    expect(reader.next()).toBeNull();
  }
});
