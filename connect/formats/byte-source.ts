/** Files as streams of bytes, unpacked where they are gzip or zstd: their first bytes tell. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { ReadInto } from "../../core/text/record-blocks.ts";
import { FormatError } from "./format-error.ts";

export interface ByteSource {
  /** In bytes as they come out. */
  readonly read: ReadInto;
  close(): Promise<void>;
}

const GZIP = [0x1f, 0x8b];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];

/** A file from `startAt` of its unpacked bytes on. Throws what the system says. */
export async function openBytes(path: string, startAt: number): Promise<ByteSource> {
  const file = await open(path, "r");
  const packing = await packingOf(file).catch(async (error: unknown) => {
    await file.close();
    throw error;
  });
  if (packing === null) return plain(file, startAt);
  await file.close();
  const unpacked = packing === "gzip" ? createGunzip() : createZstdDecompress();
  const input = createReadStream(path);
  // An error of the file is one of what is unpacked from it.
  input.on("error", (error) => unpacked.destroy(error));
  const source = streamed(input.pipe(unpacked), () => input.destroy());
  await skip(source.read, startAt);
  return source;
}

/** Throws `FormatError`. */
async function packingOf(file: FileHandle): Promise<"gzip" | "zstd" | null> {
  const head = new Uint8Array(4);
  await file.read(head, 0, 4, 0);
  const begins = (magic: readonly number[]) => magic.every((byte, i) => head[i] === byte);
  if (begins(GZIP)) return "gzip";
  if (!begins(ZSTD)) return null;
  await requireWholeFrames(file);
  return "zstd";
}

function plain(file: FileHandle, startAt: number): ByteSource {
  let position = startAt;
  return {
    read: async (into, at) => {
      const { bytesRead } = await file.read(into, at, into.length - at, position);
      position += bytesRead;
      return bytesRead;
    },
    close: () => file.close(),
  };
}

/** The bytes of a stream; it is asked for more only when they are wanted. */
export function streamed(
  stream: Readable | AsyncIterable<Uint8Array>,
  close: () => void,
): ByteSource {
  const chunks = stream[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  return {
    read: async (into, at) => {
      while (rest.length === 0) {
        const { done, value } = await chunks.next().catch((error: Error) => {
          throw new FormatError(`cannot be read: ${error.message}`);
        });
        if (done === true) return 0;
        rest = value;
      }
      const count = Math.min(rest.length, into.length - at);
      into.set(rest.subarray(0, count), at);
      rest = rest.subarray(count);
      return count;
    },
    close: async () => {
      await chunks.return?.();
      close();
    },
  };
}

async function skip(read: ReadInto, count: number): Promise<void> {
  const buffer = Buffer.alloc(Math.min(count, 64 * 1024));
  for (let left = count; left > 0;) {
    const got = await read(buffer.subarray(0, Math.min(buffer.length, left)), 0);
    if (got === 0) return;
    left -= got;
  }
}

/** Text in another encoding as UTF-8, for encodings in which a line end is more than a byte. */
export function transcoded(source: ByteSource, encoding: string): ByteSource {
  const decoder = new TextDecoder(encoding, { fatal: true });
  async function* chunks() {
    const buffer = Buffer.alloc(64 * 1024);
    for (;;) {
      const count = await source.read(buffer, 0);
      yield Buffer.from(decoder.decode(buffer.subarray(0, count), { stream: count > 0 }));
      if (count === 0) return;
    }
  }
  return { ...streamed(chunks(), () => {}), close: () => source.close() };
}

const BLOCK_HEADER_BYTES = 3;

/**
 * A zstd file that is cut off is unpacked without an error by the runtime's decoder, as far as it goes:
 * so it is seen from the lengths of its blocks (RFC 8878) whether it is whole. Throws `FormatError`.
 */
async function requireWholeFrames(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  const header = Buffer.alloc(18);
  for (let at = 0; at < size;) {
    const { bytesRead } = await file.read(header, 0, header.length, at);
    const frame = bytesRead < 5 ? null : frameHeader(header);
    if (frame === null) throw new FormatError("is no zstd, or is cut off");
    at += frame.bytes;
    let isLast = frame.hasBlocks === false;
    while (!isLast) {
      const block = await file.read(header, 0, BLOCK_HEADER_BYTES, at);
      if (block.bytesRead < BLOCK_HEADER_BYTES) throw new FormatError("is cut off");
      const word = header.readUIntLE(0, 3);
      isLast = (word & 1) === 1;
      const isRun = ((word >> 1) & 3) === 1;
      at += BLOCK_HEADER_BYTES + (isRun ? 1 : word >> 3);
    }
    at += frame.checksumBytes;
    if (at > size) throw new FormatError("is cut off");
  }
}

function frameHeader(bytes: Buffer) {
  const magic = bytes.readUInt32LE(0);
  if ((magic & 0xfffffff0) >>> 0 === 0x184d2a50) {
    return { bytes: 8 + bytes.readUInt32LE(4), hasBlocks: false, checksumBytes: 0 };
  }
  if (magic !== 0xfd2fb528) return null;
  const descriptor = bytes[4]!;
  const isSingle = (descriptor & 0x20) !== 0;
  const contentSizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  return {
    bytes: 5 + (isSingle ? 0 : 1) + dictionaryBytes + contentSizeBytes,
    hasBlocks: true,
    checksumBytes: (descriptor & 4) === 0 ? 0 : 4,
  };
}
