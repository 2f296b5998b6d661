/**
 * zstd for runtimes that have none (Node before 22.15): compressed by Facebook's own code as
 * WebAssembly, decompressed in JavaScript block by block, so that nothing unfolds beyond its bound.
 */
import { Decompress } from "fzstd";
import { CorruptRecordError } from "../records/corrupt-record-error.ts";
import { type Codec, tooLarge } from "./codec.ts";

/** What the reference decoder takes unless told otherwise. */
const WINDOW_BYTES_MAX = 128 * 1024 * 1024;
const USUAL_LEVEL = 3;
const LEVEL_MAX = 22;

/** Loads the WebAssembly. */
export async function loadPortableZstd(): Promise<Codec> {
  const { Zstd } = await import("@hpcc-js/wasm-zstd");
  const zstd = await Zstd.load();
  return {
    // A copy: the addon's memory is used again.
    compress: (bytes, level = USUAL_LEVEL) =>
      zstd.compress(bytes, Math.min(Math.max(level, 1), LEVEL_MAX)).slice(),
    decompress: zstdDecompressPortable,
  };
}

/** As `Codec.decompress`. */
export function zstdDecompressPortable(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.length === 0) throw new CorruptRecordError("no zstd data");
  checkWindow(bytes, maxBytes);
  const parts: Uint8Array[] = [];
  let size = 0;
  const stream = new Decompress((part) => {
    size += part.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    if (part.length > 0) parts.push(part.slice());
  });
  try {
    stream.push(bytes, true);
  } catch (error) {
    if (error instanceof CorruptRecordError) throw error;
    throw new CorruptRecordError(`zstd: ${error instanceof Error ? error.message : String(error)}`);
  }
  const output = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    output.set(part, at);
    at += part.length;
  }
  return output;
}

/**
 * Refuses a frame that asks for much memory: the library gives it at once. RFC 8878, 3.1.1.1: the
 * frame's descriptor, then the window (mantissa in 3 bits, exponent in 5) unless it is one segment,
 * whose window is its content, whose length stands after the dictionary's id.
 */
function checkWindow(bytes: Uint8Array, maxBytes: number): void {
  const descriptor = bytes[4] ?? 0;
  const isOneSegment = (descriptor & 0x20) !== 0;
  if (!isOneSegment) {
    const window = bytes[5] ?? 0;
    if (2 ** (10 + (window >> 3)) * (1 + (window & 7) / 8) <= WINDOW_BYTES_MAX) return;
    throw new CorruptRecordError("zstd: a window that needs too much memory");
  }
  const sizeBytes = [1, 2, 4, 8][descriptor >> 6]!;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  let size = sizeBytes === 2 ? 256 : 0;
  for (let i = 0; i < sizeBytes; i++) size += (bytes[5 + dictionaryBytes + i] ?? 0) * 256 ** i;
  if (size > maxBytes) throw tooLarge(maxBytes);
}
