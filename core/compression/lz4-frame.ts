/**
 * LZ4 frames (format 1.5.1, what Kafka's Java clients and librdkafka write): a bound for what a
 * frame unpacks to before it is unpacked, and a decoder that stops at a bound. Little-endian:
 *
 *     magic 0x184d2204 · FLG · BD · [contentSize u64] · [dictionaryId u32] · headerChecksum u8 ·
 *     blocks: size u32 (top bit: stored as is) · bytes · [checksum u32] ·
 *     end mark u32 0 · [contentChecksum u32]
 *
 * FLG: bits 7–6 version 1, 5 independent blocks, 4 block checksums, 3 content size, 2 content
 * checksum, 0 dictionary. BD: bits 6–4 the largest block, 4 to 7 for 64 KiB to 4 MiB.
 */
import { CorruptRecordError } from "../records/corrupt-record-error.ts";
import { tooLarge } from "./codec.ts";

const MAGIC = 0x184d2204;
const SHORTEST_HEADER_BYTES = 7;
const STORED = 0x8000_0000;
/** What one byte of a compressed block can stand for at most: a run of length bytes of 255. */
const EXPANSION_MAX = 255;
const MIN_MATCH_BYTES = 4;

interface FrameHeader {
  readonly blocksStart: number;
  readonly maxBlockBytes: number;
  readonly independentBlocks: boolean;
  readonly blockChecksumBytes: number;
}

/** At most as many bytes as the frame unpacks to. Throws `CorruptRecordError` if it is no frame. */
export function lz4FrameBound(bytes: Uint8Array): number {
  const header = readHeader(bytes);
  let bound = 0;
  forEachBlock(bytes, header, (start, end, stored) => {
    const size = end - start;
    bound += stored ? size : Math.min(header.maxBlockBytes, size * EXPANSION_MAX);
  });
  return bound;
}

/**
 * Unpacks a frame; linked and independent blocks. Checksums are passed over: the batch has its own.
 * Throws `CorruptRecordError`, with MESSAGE_TOO_LARGE as soon as more than `maxBytes` would come out.
 */
export function lz4FrameDecode(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const header = readHeader(bytes);
  const output = new Uint8Array(Math.min(lz4FrameBound(bytes), maxBytes));
  let at = 0;
  forEachBlock(bytes, header, (start, end, stored) => {
    if (stored) {
      if (end - start > output.length - at) throw tooLarge(maxBytes);
      output.set(bytes.subarray(start, end), at);
      at += end - start;
      return;
    }
    const windowStart = header.independentBlocks ? at : 0;
    at = decodeBlock(bytes, start, end, output, at, windowStart, maxBytes);
  });
  return output.length === at ? output : output.slice(0, at);
}

function readHeader(bytes: Uint8Array): FrameHeader {
  if (bytes.length < SHORTEST_HEADER_BYTES || readUint32LittleEndian(bytes, 0) !== MAGIC) {
    throw new CorruptRecordError("no LZ4 frame");
  }
  const flags = bytes[4]!;
  const blockSizeCode = (bytes[5]! >> 4) & 7;
  if (flags >> 6 !== 1 || blockSizeCode < 4) {
    throw new CorruptRecordError("an LZ4 frame of an unknown version");
  }
  if ((flags & 0x01) !== 0) throw new CorruptRecordError("an LZ4 frame that needs a dictionary");
  return {
    blocksStart: SHORTEST_HEADER_BYTES + ((flags & 0x08) === 0 ? 0 : 8),
    maxBlockBytes: 1 << (8 + 2 * blockSizeCode),
    independentBlocks: (flags & 0x20) !== 0,
    blockChecksumBytes: (flags & 0x10) === 0 ? 0 : 4,
  };
}

function forEachBlock(
  bytes: Uint8Array,
  header: FrameHeader,
  callback: (start: number, end: number, stored: boolean) => void,
): void {
  let at = header.blocksStart;
  for (;;) {
    if (at + 4 > bytes.length) throw new CorruptRecordError("an LZ4 frame is cut short");
    const word = readUint32LittleEndian(bytes, at);
    if (word === 0) return;
    const size = word % STORED;
    const start = at + 4;
    at = start + size + header.blockChecksumBytes;
    if (size > header.maxBlockBytes || at > bytes.length) {
      throw new CorruptRecordError(`a block of an LZ4 frame claims ${size} bytes`);
    }
    callback(start, start + size, word >= STORED);
  }
}

/**
 * Unpacks one block into `output` at `at`; returns the position behind. Sequences of: a token
 * (literal count, match length − 4 in four bits each, 15 going on in further bytes), the literals,
 * the distance back to the match (u16). The last sequence ends after its literals.
 */
function decodeBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  output: Uint8Array,
  at: number,
  windowStart: number,
  maxBytes: number,
): number {
  let from = start;
  while (from < end) {
    const token = bytes[from++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255 && from < end) literals += more = bytes[from++]!;
    }
    if (literals > end - from) throw new CorruptRecordError("an LZ4 block is cut short");
    if (literals > output.length - at) throw tooLarge(maxBytes);
    output.set(bytes.subarray(from, from + literals), at);
    at += literals;
    from += literals;
    if (from === end) return at;

    if (end - from < 2) throw new CorruptRecordError("an LZ4 block is cut short");
    const distance = bytes[from]! | (bytes[from + 1]! << 8);
    from += 2;
    let length = (token & 15) + MIN_MATCH_BYTES;
    if (length === 15 + MIN_MATCH_BYTES) {
      let more = 255;
      while (more === 255 && from < end) length += more = bytes[from++]!;
    }
    if (distance === 0 || distance > at - windowStart) {
      throw new CorruptRecordError("a match in an LZ4 block points before the data");
    }
    if (length > output.length - at) throw tooLarge(maxBytes);
    copyMatch(output, at, distance, length);
    at += length;
  }
  throw new CorruptRecordError("an LZ4 block is cut short");
}

/** Repeats what stands `distance` before: it may overlap itself, so in steps that double. */
function copyMatch(output: Uint8Array, at: number, distance: number, length: number): void {
  const source = at - distance;
  if (length <= 16) {
    for (let i = 0; i < length; i++) output[at + i] = output[source + i]!;
    return;
  }
  let copied = Math.min(distance, length);
  output.copyWithin(at, source, source + copied);
  while (copied < length) {
    const step = Math.min(copied, length - copied);
    output.copyWithin(at + copied, at, at + step);
    copied += step;
  }
}

function readUint32LittleEndian(bytes: Uint8Array, at: number): number {
  const signed = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) |
    (bytes[at + 3]! << 24);
  return signed >>> 0;
}
