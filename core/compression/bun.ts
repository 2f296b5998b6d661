/**
 * Kafka's codecs on Bun: gzip and zstd are built in, snappy and LZ4 are addons, loaded at their
 * first use so that commands which need none start quickly.
 */
import { gunzipSync, gzipSync, zstdDecompressSync } from "node:zlib";
import { CorruptRecordError } from "../records/corrupt-record-error.ts";
import { type Codec, type Codecs, tooLarge } from "./codec.ts";
import { lz4FrameBound, lz4FrameDecode } from "./lz4-frame.ts";
import { framedSnappy } from "./snappy-framing.ts";

const GZIP_LEVEL = { min: 1, max: 9 };
const ZSTD_LEVEL = { min: 1, max: 22, usual: 3 };

/** `compression.gzip.level`: 1 to 9, or −1 for the usual one. */
const gzip: Codec = {
  compress(bytes, level = -1) {
    const known = level === -1 ? -1 : clamp(level, GZIP_LEVEL.min, GZIP_LEVEL.max);
    return gzipSync(bytes, { level: known });
  },
  decompress(bytes, maxBytes) {
    return bounded("gzip", bytes, maxBytes, () => gunzipSync(bytes, { maxOutputLength: maxBytes }));
  },
};

/** `compression.zstd.level`; the levels below 1 (fastest of all) count as 1. */
const zstd: Codec = {
  compress(bytes, level = ZSTD_LEVEL.usual) {
    const known = clamp(level, ZSTD_LEVEL.min, ZSTD_LEVEL.max);
    return Bun.zstdCompressSync(owned(bytes), { level: known });
  },
  decompress(bytes, maxBytes) {
    return bounded(
      "zstd",
      bytes,
      maxBytes,
      () => zstdDecompressSync(bytes, { maxOutputLength: maxBytes }),
    );
  },
};

/** Levels have no meaning here: the addon has one way to compress. */
const lz4: Codec = {
  compress(bytes) {
    return lz4Addon().compressFrameSync(asBuffer(bytes));
  },
  decompress(bytes, maxBytes) {
    // The addon knows no bound of its own. What a frame cannot exceed is seen from its blocks; only
    // one that might is unpacked here, step by step.
    if (lz4FrameBound(bytes) > maxBytes) return lz4FrameDecode(bytes, maxBytes);
    return bounded("lz4", bytes, maxBytes, () => lz4Addon().decompressFrameSync(asBuffer(bytes)));
  },
};

const snappy: Codec = framedSnappy({
  compress: (bytes) => snappyAddon().compressSync(bytes),
  uncompress: (block) =>
    bounded("snappy", block, Number.MAX_SAFE_INTEGER, () => {
      const plain = snappyAddon().uncompressSync(block, { asBuffer: true });
      return typeof plain === "string" ? Buffer.from(plain) : plain;
    }),
});

/** All of Kafka's codecs. */
export const bunCodecs: Codecs = { gzip, snappy, lz4, zstd };

type Lz4Addon = typeof import("lz4-napi");
type SnappyAddon = typeof import("snappy");

let loadedLz4: Lz4Addon | null = null;
let loadedSnappy: SnappyAddon | null = null;

function lz4Addon(): Lz4Addon {
  return loadedLz4 ??= require("lz4-napi") as Lz4Addon;
}

function snappyAddon(): SnappyAddon {
  return loadedSnappy ??= require("snappy") as SnappyAddon;
}

/** Gives the errors of a library the one type that callers know. */
function bounded(
  name: string,
  bytes: Uint8Array,
  maxBytes: number,
  unpack: () => Uint8Array,
): Uint8Array {
  if (bytes.length === 0) throw new CorruptRecordError(`no ${name} data`);
  try {
    const plain = unpack();
    // Not as a Buffer, whose slice and toString mean something else.
    return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") {
      throw tooLarge(maxBytes);
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new CorruptRecordError(`${name}: ${reason}`);
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bun's types want arrays over an ArrayBuffer; ours are never shared between threads. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
