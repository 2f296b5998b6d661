/**
 * The framing that Java's snappy library puts around raw blocks (xerial's `SnappyOutputStream`), in
 * which Kafka's Java clients write. Big-endian:
 *
 *     0x82 "SNAPPY" 0x00 · version int32 1 · oldest compatible version int32 1 ·
 *     chunks: length int32 · one raw snappy block
 *
 * Some clients write one raw block without any framing: readers take both.
 */
import { readInt32, writeInt32 } from "../records/batch-header.ts";
import { CorruptRecordError } from "../records/corrupt-record-error.ts";
import { type Codec, tooLarge } from "./codec.ts";

/** A raw snappy block, both ways, without any bound of its own. */
export interface RawSnappy {
  compress(bytes: Uint8Array): Uint8Array;
  uncompress(bytes: Uint8Array): Uint8Array;
}

const MAGIC = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00);
const HEADER_BYTES = 16;
const VERSION = 1;
/** What Kafka's Java clients put into one chunk. */
const CHUNK_BYTES = 32 * 1024;
/** More than any snappy block can unpack to: its densest element makes 64 bytes out of 3. */
const EXPANSION_MAX = 22;

/** The codec over an implementation of raw blocks. */
export function framedSnappy(raw: RawSnappy): Codec {
  return {
    compress: (bytes) => compress(raw, bytes),
    decompress: (bytes, maxBytes) => decompress(raw, bytes, maxBytes),
  };
}

function compress(raw: RawSnappy, bytes: Uint8Array): Uint8Array {
  const chunks: Uint8Array[] = [];
  let size = HEADER_BYTES;
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const chunk = raw.compress(bytes.subarray(at, at + CHUNK_BYTES));
    size += 4 + chunk.length;
    chunks.push(chunk);
  }
  const framed = new Uint8Array(size);
  framed.set(MAGIC);
  writeInt32(framed, 8, VERSION);
  writeInt32(framed, 12, VERSION);
  let at = HEADER_BYTES;
  for (const chunk of chunks) {
    writeInt32(framed, at, chunk.length);
    framed.set(chunk, at + 4);
    at += 4 + chunk.length;
  }
  return framed;
}

function decompress(raw: RawSnappy, bytes: Uint8Array, maxBytes: number): Uint8Array {
  const blocks = isFramed(bytes, 0) ? chunksOf(bytes) : [bytes];
  let size = 0;
  for (const block of blocks) {
    size += uncompressedBytes(block);
    if (size > maxBytes) throw tooLarge(maxBytes);
  }
  if (blocks.length === 1) return raw.uncompress(blocks[0]!);
  const output = new Uint8Array(size);
  let at = 0;
  for (const block of blocks) {
    const plain = raw.uncompress(block);
    output.set(plain, at);
    at += plain.length;
  }
  return output;
}

function chunksOf(bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    // Streams may be joined: a further header can stand where a chunk could.
    if (isFramed(bytes, at)) {
      at += HEADER_BYTES;
      continue;
    }
    if (at + 4 > bytes.length) throw new CorruptRecordError("a snappy stream is cut short");
    const length = readInt32(bytes, at);
    at += 4;
    if (length < 1 || length > bytes.length - at) {
      throw new CorruptRecordError(`a chunk of a snappy stream claims ${length} bytes`);
    }
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (at > bytes.length) throw new CorruptRecordError("a snappy stream is cut short");
  return chunks;
}

function isFramed(bytes: Uint8Array, at: number): boolean {
  return bytes.length - at >= MAGIC.length && MAGIC.every((byte, i) => bytes[at + i] === byte);
}

/** What a raw block says it unpacks to: an unsigned varint at its start. */
function uncompressedBytes(block: Uint8Array): number {
  let size = 0;
  for (let i = 0; i < 5 && i < block.length; i++) {
    const byte = block[i]!;
    size += (byte & 0x7f) * 2 ** (7 * i);
    if (byte >= 0x80) continue;
    if (size > block.length * EXPANSION_MAX) break;
    return size;
  }
  throw new CorruptRecordError("a snappy block claims a size that it cannot have");
}
