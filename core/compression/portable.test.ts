/** The codecs without addons against those of the binary: each reads what the other writes. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Errors } from "../errors.ts";
import { CorruptRecordError } from "../records/corrupt-record-error.ts";
import { bunCodecs } from "./bun.ts";
import type { Codec, Codecs } from "./codec.ts";
import { loadNodeCodecs } from "./node.ts";
import { loadPortableZstd } from "./zstd-portable.ts";

const fixtures = `${import.meta.dir}/../../tests/fixtures/records/`;
const NAMES = ["gzip", "snappy", "lz4", "zstd"] as const;
type Name = (typeof NAMES)[number];

/** Without addons; with the addons; and zstd as on a Node that has none. */
const ours: readonly { name: Name; codec: Codec }[] = [
  ...all(await loadNodeCodecs({ addons: false })),
  ...all(await loadNodeCodecs()),
  { name: "zstd", codec: await loadPortableZstd() },
];

function all(codecs: Codecs): { name: Name; codec: Codec }[] {
  return NAMES.map((name) => ({ name, codec: codecs[name]! }));
}

/** Bytes of mixed compressibility, always the same for a seed. */
function mixed(size: number, seed: number): Uint8Array {
  let state = seed;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 16;
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const run = Math.min(size - at, 1 + next() % 300);
    const kind = next() % 4;
    const back = 1 + next() % Math.max(1, at);
    const fill = next();
    for (let i = 0; i < run; i++, at++) {
      bytes[at] = kind === 0 ? fill : kind === 1 ? next() : bytes[Math.max(0, at - back)]!;
    }
  }
  return bytes;
}

function refused(unpack: () => Uint8Array): number | null {
  try {
    unpack();
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptRecordError);
    return (error as CorruptRecordError).code;
  }
}

test("both read what the other writes, at every size, up to their bound and not beyond", () => {
  const sizes = [
    1,
    2,
    4,
    5,
    11,
    12,
    13,
    14,
    60,
    61,
    256,
    257,
    1000,
    65_535,
    65_536,
    65_537,
    300_000,
  ];
  for (const { name, codec } of ours) {
    for (const size of sizes) {
      const plain = mixed(size, size);
      const packed = codec.compress(plain);
      expect(bunCodecs[name]!.decompress(packed, size)).toEqual(plain);
      expect(codec.decompress(packed, size)).toEqual(plain);
      expect(codec.decompress(bunCodecs[name]!.compress(plain), size)).toEqual(plain);
      if (size === 1) continue;
      expect(refused(() => codec.decompress(packed, size - 1))).toBe(Errors.MESSAGE_TOO_LARGE);
    }
  }
});

test("random contents", () => {
  for (const { name, codec } of ours) {
    for (let seed = 1; seed < 150; seed++) {
      const plain = mixed((seed * 7919) % 40_000 + 1, seed);
      const packed = codec.compress(plain);
      expect(bunCodecs[name]!.decompress(packed, plain.length)).toEqual(plain);
      expect(codec.decompress(bunCodecs[name]!.compress(plain), plain.length)).toEqual(plain);
    }
  }
});

test("what repeats becomes small, and what does not hardly grows", () => {
  const lines = new TextEncoder().encode(
    `{"id":1,"name":"somebody","tags":["a","b"]}\n`.repeat(5000),
  );
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  for (const { codec } of ours) {
    expect(codec.compress(lines).length).toBeLessThan(lines.length / 15);
    expect(codec.compress(noise).length).toBeLessThan(noise.length * 1.01);
  }
});

test("bombs are refused before they unfold", () => {
  const plain = new Uint8Array(64 * 1024 * 1024);
  for (const { name, codec } of ours) {
    const bomb = bunCodecs[name]!.compress(plain);
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    expect(refused(() => codec.decompress(bomb, 1_000_000))).toBe(Errors.MESSAGE_TOO_LARGE);
    expect(process.memoryUsage.rss() - before).toBeLessThan(24 * 1024 * 1024);
  }
});

test("a zstd frame that asks for 2 GB gets none", async () => {
  const { decompress } = await loadPortableZstd();
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  const wide = Uint8Array.of(...magic, 0x00, 0xa0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  expect(refused(() => decompress(wide, 1000))).toBe(Errors.CORRUPT_MESSAGE);
  const long = Uint8Array.of(...magic, 0xa0, 0, 0, 0, 0x70, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  expect(refused(() => decompress(long, 1000))).toBe(Errors.MESSAGE_TOO_LARGE);
});

test("zstd frames of unknown size", async () => {
  const { decompress } = await loadPortableZstd();
  const frame = new Uint8Array(readFileSync(`${fixtures}text-unsized.zst`));
  expect(decompress(frame, 200_000)).toEqual(bunCodecs.zstd!.decompress(frame, 200_000));
  expect(refused(() => decompress(frame, 199_999))).toBe(Errors.MESSAGE_TOO_LARGE);
});

test("damaged data is refused, never anything else", () => {
  for (const { codec } of ours) {
    const packed = codec.compress(mixed(3000, 5));
    expect(refused(() => codec.decompress(new Uint8Array(0), 5000))).toBe(Errors.CORRUPT_MESSAGE);
    for (let at = 0; at < packed.length; at++) {
      const damaged = packed.slice();
      damaged[at] = damaged[at]! ^ (1 << (at % 8));
      refused(() => codec.decompress(damaged, 5000));
      if (at % 7 === 0) refused(() => codec.decompress(packed.subarray(0, at), 5000));
    }
  }
});
