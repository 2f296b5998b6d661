/**
 * LZ4 frames, compressed in TypeScript: independent blocks of 64 KiB without checksums, as Kafka's
 * Java clients write them (they read no others). `lz4-frame.ts` has the format of a frame; a block:
 *
 *     sequences: token (literals << 4 | match − 4) · [more of the literals' length] · literals ·
 *                offset u16 · [more of the match's length];  the last one ends after its literals
 */
import { findMatches } from "./matches.ts";

/** Magic, FLG (version 1, independent blocks), BD (64 KiB) and the checksum of those two. */
const HEADER = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82);
const BLOCK_BYTES = 64 * 1024;
const STORED = 0x8000_0000;
const MIN_MATCH_BYTES = 4;
/** The format: the last match begins so many bytes before a block's end or earlier… */
const LAST_MATCH_BYTES = 12;
/** …and so many bytes at the end are literals. */
const LAST_LITERALS = 5;

/** A frame with the bytes. */
export function lz4FrameCompress(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES);
  const output = new Uint8Array(HEADER.length + 4 * (blocks + 1) + bytes.length);
  output.set(HEADER);
  let at = HEADER.length;
  const scratch = new Uint8Array(blockBound(Math.min(bytes.length, BLOCK_BYTES)));
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    const end = Math.min(start + BLOCK_BYTES, bytes.length);
    const size = compressBlock(bytes, start, end, scratch);
    const isStored = size >= end - start;
    const block = isStored ? bytes.subarray(start, end) : scratch.subarray(0, size);
    writeUint32LittleEndian(output, at, isStored ? (block.length | STORED) >>> 0 : size);
    output.set(block, at + 4);
    at += 4 + block.length;
  }
  writeUint32LittleEndian(output, at, 0);
  return output.slice(0, at + 4);
}

/** What a block takes at most, where nothing repeats. */
function blockBound(size: number): number {
  return size + Math.ceil(size / 255) + 16;
}

function compressBlock(bytes: Uint8Array, start: number, end: number, output: Uint8Array): number {
  let at = 0;
  const writeLength = (length: number): void => {
    for (; length >= 255; length -= 255) output[at++] = 255;
    output[at++] = length;
  };
  const writeLiterals = (from: number, to: number, matchToken: number): void => {
    const count = to - from;
    output[at++] = (Math.min(count, 15) << 4) | matchToken;
    if (count >= 15) writeLength(count - 15);
    output.set(bytes.subarray(from, to), at);
    at += count;
  };
  const bounds = { lastStart: end - LAST_MATCH_BYTES, lastEnd: end - LAST_LITERALS };
  const rest = findMatches(bytes, start, bounds, (literalStart, matchStart, length, offset) => {
    const more = length - MIN_MATCH_BYTES;
    writeLiterals(literalStart, matchStart, Math.min(more, 15));
    output[at++] = offset & 0xff;
    output[at++] = offset >> 8;
    if (more >= 15) writeLength(more - 15);
  });
  writeLiterals(rest, end, 0);
  return at;
}

function writeUint32LittleEndian(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
