import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Errors } from "../errors.ts";
import { CorruptRecordError } from "../records/corrupt-record-error.ts";
import { bunCodecs } from "./bun.ts";
import { type Codec, codecFor, Compression, COMPRESSION_NAMES, NO_CODECS } from "./codec.ts";
import { lz4FrameDecode } from "./lz4-frame.ts";

const COMPRESSING = COMPRESSION_NAMES.filter((name) => name !== "none");
const fixtures = `${import.meta.dir}/../../tests/fixtures/records/`;
const fixture = (name: string) => new Uint8Array(readFileSync(fixtures + name));
const codec = (name: (typeof COMPRESSING)[number]): Codec => codecFor(bunCodecs, Compression[name]);

function text(size: number): Uint8Array {
  let all = "";
  for (let i = 0; all.length < size; i++) all += `line ${i % 100}\n`;
  return new TextEncoder().encode(all.slice(0, size));
}

/** Bytes of mixed compressibility, always the same for a seed. */
function mixed(size: number, seed: number): Uint8Array {
  let state = seed;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 16;
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const run = Math.min(size - at, 1 + next() % 200);
    const kind = next() % 3;
    const fill = next();
    for (let i = 0; i < run; i++, at++) {
      bytes[at] = kind === 0 ? fill : kind === 1 ? next() : bytes[Math.max(0, at - 90)]!;
    }
  }
  return bytes;
}

/** The code of what a decompressor throws; null if it did not. */
function refused(unpack: () => Uint8Array): number | null {
  try {
    unpack();
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptRecordError);
    return (error as CorruptRecordError).code;
  }
}

test("every codec gives back what it took, at every size", () => {
  for (const name of COMPRESSING) {
    for (const size of [2, 60, 1000, 32 * 1024, 32 * 1024 + 1, 65_537, 400_000]) {
      const plain = mixed(size, size);
      const packed = codec(name).compress(plain);
      expect(codec(name).decompress(packed, size)).toEqual(plain);
      expect(refused(() => codec(name).decompress(packed, size - 1))).toBe(
        Errors.MESSAGE_TOO_LARGE,
      );
    }
  }
});

test("levels are taken, also those out of range", () => {
  const plain = text(50_000);
  for (const name of COMPRESSING) {
    for (const level of [-5, -1, 1, 9, 17, 100]) {
      expect(codec(name).decompress(codec(name).compress(plain, level), 50_000)).toEqual(plain);
    }
  }
});

test("frames of the formats' own tools", () => {
  const plain = text(200_000);
  for (const name of ["text-linked.lz4", "text-sized.lz4"]) {
    expect(codec("lz4").decompress(fixture(name), 1_000_000)).toEqual(plain);
    expect(lz4FrameDecode(fixture(name), 200_000)).toEqual(plain);
    expect(refused(() => lz4FrameDecode(fixture(name), 199_999))).toBe(Errors.MESSAGE_TOO_LARGE);
  }
  expect(codec("zstd").decompress(fixture("text-unsized.zst"), 200_000)).toEqual(plain);
  expect(refused(() => codec("zstd").decompress(fixture("text-unsized.zst"), 199_999))).toBe(
    Errors.MESSAGE_TOO_LARGE,
  );
});

test("our LZ4 decoder reads what the addon writes", () => {
  for (let seed = 1; seed < 60; seed++) {
    const plain = mixed(seed * 997, seed);
    expect(lz4FrameDecode(codec("lz4").compress(plain), plain.length)).toEqual(plain);
  }
});

test("snappy without framing, and streams joined together", () => {
  const plain = text(30_000);
  const framed = codec("snappy").compress(plain);
  const raw = framed.subarray(20);
  expect(codec("snappy").decompress(raw, 30_000)).toEqual(plain);
  const joined = new Uint8Array([...framed, ...framed]);
  expect(codec("snappy").decompress(joined, 60_000)).toEqual(new Uint8Array([...plain, ...plain]));
  expect(refused(() => codec("snappy").decompress(joined, 59_999))).toBe(Errors.MESSAGE_TOO_LARGE);
});

test("bombs are refused before they unfold", () => {
  const plain = new Uint8Array(64 * 1024 * 1024);
  for (const name of COMPRESSING) {
    const bomb = codec(name).compress(plain);
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    expect(refused(() => codec(name).decompress(bomb, 1_000_000))).toBe(Errors.MESSAGE_TOO_LARGE);
    expect(process.memoryUsage.rss() - before).toBeLessThan(16 * 1024 * 1024);
  }
  // A block that only claims to be large gets no memory either.
  const claim = Uint8Array.of(0xff, 0xff, 0xff, 0x3f, 1, 2, 3);
  expect(() => codec("snappy").decompress(claim, 2 ** 40)).toThrow("size that it cannot have");
});

test("damaged data is refused, never anything else", () => {
  for (const name of COMPRESSING) {
    const packed = codec(name).compress(mixed(3000, 5));
    expect(refused(() => codec(name).decompress(new Uint8Array(0), 5000))).toBe(
      Errors.CORRUPT_MESSAGE,
    );
    for (let at = 0; at < packed.length; at++) {
      const damaged = packed.slice();
      damaged[at] = damaged[at]! ^ (1 << (at % 8));
      refused(() => codec(name).decompress(damaged, 5000));
      if (name === "lz4") refused(() => lz4FrameDecode(damaged, 5000));
      // A cut zstd stream may come out short: the reader of the records misses the rest.
      if (at % 7 === 0) refused(() => codec(name).decompress(packed.subarray(0, at), 5000));
    }
  }
});

test("what is not there is said", () => {
  expect(() => codecFor(NO_CODECS, Compression.zstd)).toThrow("zstd is not available");
  expect(() => codecFor(bunCodecs, 6)).toThrow("unknown compression type 6");
});
