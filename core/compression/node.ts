/**
 * Kafka's codecs for the npm package, on Node, Deno and Bun: gzip and (where it is) zstd of
 * `node:zlib`, LZ4 and snappy by the addons `lz4-napi` and `snappy` if the user has installed them,
 * else in TypeScript.
 */
import { Buffer } from "node:buffer";
import * as zlib from "node:zlib";
import { CorruptRecordError } from "../records/corrupt-record-error.ts";
import { optional } from "../io/node/optional.ts";
import { type Codec, type Codecs, tooLarge } from "./codec.ts";
import { lz4FrameCompress } from "./lz4-compress.ts";
import { lz4FrameBound, lz4FrameDecode } from "./lz4-frame.ts";
import { framedSnappy, type RawSnappy } from "./snappy-framing.ts";
import { rawSnappy } from "./snappy-raw.ts";

const ZSTD_LEVEL = { min: 1, max: 22, usual: 3 };

/** Loads what there is. `addons` false: nothing native, for tests. */
export async function loadNodeCodecs(options: { addons?: boolean } = {}): Promise<Codecs> {
  const addons = options.addons ?? true;
  return {
    gzip,
    zstd: builtInZstd() ?? await portableZstd(),
    lz4: (addons ? addonLz4() : null) ?? portableLz4,
    snappy: framedSnappy((addons ? addonSnappy() : null) ?? rawSnappy),
  };
}

async function portableZstd(): Promise<Codec> {
  return await (await import("./zstd-portable.ts")).loadPortableZstd();
}

const gzip: Codec = {
  compress: (bytes, level = -1) =>
    plain(zlib.gzipSync(bytes, { level: level === -1 ? -1 : clamp(level, 1, 9) })),
  decompress: (bytes, maxBytes) =>
    bounded("gzip", bytes, maxBytes, (options) => zlib.gunzipSync(bytes, options)),
};

const portableLz4: Codec = { compress: lz4FrameCompress, decompress: lz4FrameDecode };

function builtInZstd(): Codec | null {
  if (typeof zlib.zstdCompressSync !== "function") return null;
  return {
    compress: (bytes, level = ZSTD_LEVEL.usual) => {
      const known = clamp(level, ZSTD_LEVEL.min, ZSTD_LEVEL.max);
      const params = { [zlib.constants.ZSTD_c_compressionLevel]: known };
      return plain(zlib.zstdCompressSync(bytes, { params }));
    },
    decompress: (bytes, maxBytes) =>
      bounded("zstd", bytes, maxBytes, (options) => zlib.zstdDecompressSync(bytes, options)),
  };
}

/** The addon knows no bound of its own: what might exceed it is unpacked here. */
function addonLz4(): Codec | null {
  const addon = optional<typeof import("lz4-napi")>("lz4-napi");
  if (addon === null) return null;
  return {
    compress: (bytes) => plain(addon.compressFrameSync(asBuffer(bytes))),
    decompress: (bytes, maxBytes) =>
      lz4FrameBound(bytes) > maxBytes
        ? lz4FrameDecode(bytes, maxBytes)
        : bounded("lz4", bytes, maxBytes, () => addon.decompressFrameSync(asBuffer(bytes))),
  };
}

function addonSnappy(): RawSnappy | null {
  const addon = optional<typeof import("snappy")>("snappy");
  if (addon === null) return null;
  return {
    compress: (bytes) => plain(addon.compressSync(asBuffer(bytes))),
    uncompress: (block) =>
      bounded("snappy", block, Number.MAX_SAFE_INTEGER, () => {
        const data = addon.uncompressSync(asBuffer(block), { asBuffer: true });
        return typeof data === "string" ? Buffer.from(data) : data;
      }),
  };
}

/** Gives the errors of a library the one type that callers know. */
function bounded(
  name: string,
  bytes: Uint8Array,
  maxBytes: number,
  unpack: (options: { maxOutputLength: number }) => Uint8Array,
): Uint8Array {
  if (bytes.length === 0) throw new CorruptRecordError(`no ${name} data`);
  try {
    return plain(unpack({ maxOutputLength: Math.min(maxBytes, 0x7fff_ffff) }));
  } catch (error) {
    const isTooLarge = error instanceof Error && "code" in error &&
      error.code === "ERR_BUFFER_TOO_LARGE";
    if (isTooLarge) throw tooLarge(maxBytes);
    const reason = error instanceof Error ? error.message : String(error);
    throw new CorruptRecordError(`${name}: ${reason}`);
  }
}

/** Not as a Buffer, whose slice and toString mean something else. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
