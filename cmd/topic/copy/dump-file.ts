/**
 * The file of `topic dump`. All integers are big-endian.
 *
 *     magic    8 bytes  "KSTRDMP1"
 *     frames            int32 length of the payload · int8 type · uint32 CRC-32C of type and payload
 *                       · payload
 *       H      the header, first: JSON (`DumpHeader`)
 *       C      a chunk: int32 partition · int64 offset behind it · int32 records · record batches as
 *              the broker stores them, without markers and what was aborted
 *       I      the index, last: JSON (`DumpIndex`)
 *     trailer  int64 position of the index frame · 8 bytes "KSTRMEND"
 *
 * Records of the first batch of a partition that lie below its `startOffset` don't belong to it.
 */
import { crc32c } from "../../../core/crc32c.ts";
import {
  readInt32,
  readInt64,
  writeInt32,
  writeInt64,
} from "../../../core/records/batch-header.ts";
import { OperatorError } from "../../../core/operator-error.ts";

const utf8 = new TextEncoder();
const MAGIC = utf8.encode("KSTRDMP1");
const END_MAGIC = utf8.encode("KSTRMEND");
const TRAILER_BYTES = 16;
const FRAME_HEAD_BYTES = 9;
const CHUNK_HEAD_BYTES = 16;
/** A chunk is what one fetch brought of a partition, or one batch that is larger. */
const FRAME_BYTES_MAX = 1 << 30;
const TYPES = { header: 0x48, chunk: 0x43, index: 0x49 } as const;

/** What was dumped. Offsets are numbers; times milliseconds since 1970. */
export interface DumpHeader {
  readonly version: 1;
  readonly topic: string;
  readonly topicId: string | null;
  readonly clusterId: string | null;
  readonly createdMs: number;
  readonly replicationFactor: number;
  /** Those of the topic itself. */
  readonly configs: Readonly<Record<string, string>>;
  readonly partitions: readonly DumpPartition[];
  readonly groups: readonly GroupOffsets[];
}

/** The range of one partition: from `startOffset` up to and without `endOffset`. */
export interface DumpPartition {
  readonly partition: number;
  readonly startOffset: number;
  readonly endOffset: number;
}

/** Where a group is. */
export interface GroupOffsets {
  readonly group: string;
  readonly type: string;
  readonly offsets: readonly { readonly partition: number; readonly offset: number }[];
}

/** What is in the file. */
export interface DumpIndex {
  readonly records: number;
  readonly partitions: readonly { readonly partition: number; readonly records: number }[];
  /** Position of the frame, partition, offset behind the chunk. */
  readonly chunks: readonly (readonly [number, number, number])[];
}

/** Records of one partition. */
export interface DumpChunk {
  readonly partition: number;
  readonly nextOffset: number;
  readonly records: number;
  /** Whole batches, one behind the other. */
  readonly bytes: Uint8Array;
}

/** A frame as it stands in a file. */
export type DumpFrame =
  & { readonly position: number; readonly endPosition: number }
  & (
    | { readonly type: "header"; readonly header: DumpHeader }
    | { readonly type: "chunk"; readonly chunk: DumpChunk }
    | { readonly type: "index"; readonly index: DumpIndex }
  );

/** Something is wrong with a dump. `position` is where its sound part ends. */
export class DumpError extends Error {
  override readonly name = "DumpError";
  constructor(
    readonly position: number,
    readonly why: string,
    /** Whether it just ends there, as an interrupted dump does. */
    readonly isCut: boolean,
  ) {
    super(`${why} at byte ${position}`);
  }
}

/** What the file begins with. */
export function encodeStart(header: DumpHeader): Uint8Array[] {
  return [MAGIC, ...encodeFrame(TYPES.header, [utf8.encode(JSON.stringify(header))])];
}

/** A chunk as a frame; `batches` are runs of whole batches. */
export function encodeChunk(
  chunk: Omit<DumpChunk, "bytes">,
  batches: readonly Uint8Array[],
): Uint8Array[] {
  const head = new Uint8Array(CHUNK_HEAD_BYTES);
  writeInt32(head, 0, chunk.partition);
  writeInt64(head, 4, chunk.nextOffset);
  writeInt32(head, 12, chunk.records);
  return encodeFrame(TYPES.chunk, [head, ...batches]);
}

/** The index and the trailer; `position` is where the index frame will stand. */
export function encodeEnd(index: DumpIndex, position: number): Uint8Array[] {
  const trailer = new Uint8Array(TRAILER_BYTES);
  writeInt64(trailer, 0, position);
  trailer.set(END_MAGIC, 8);
  return [...encodeFrame(TYPES.index, [utf8.encode(JSON.stringify(index))]), trailer];
}

function encodeFrame(type: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const head = new Uint8Array(FRAME_HEAD_BYTES);
  writeInt32(head, 0, parts.reduce((sum, part) => sum + part.length, 0));
  head[4] = type;
  let crc = crc32c(head, 4, 5);
  for (const part of parts) crc = crc32c(part, 0, part.length, crc);
  writeInt32(head, 5, crc);
  return [head, ...parts];
}

/**
 * The frames of a file in their order, up to the index, one in memory at a time. Throws `DumpError`
 * where the file is not what it should be, and where it ends before its index.
 */
export async function* readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<DumpFrame> {
  const input = new ByteSource(source);
  const magic = await input.take(MAGIC.length);
  if (magic === null || !equal(magic, MAGIC)) throw new DumpError(0, "this is no dump", false);
  for (;;) {
    const position = input.position;
    const head = await input.take(FRAME_HEAD_BYTES);
    if (head === null) throw new DumpError(position, "it ends without its index", true);
    const length = readInt32(head, 0);
    if (length < 0 || length > FRAME_BYTES_MAX) throw new DumpError(position, "damage", false);
    const crc = crc32c(head, 4, 5);
    const [type, expected] = [head[4]!, readInt32(head, 5) >>> 0];
    const payload = await input.take(length);
    if (payload === null) throw new DumpError(position, "it is cut short", true);
    if (crc32c(payload, 0, length, crc) !== expected) {
      throw new DumpError(position, "a checksum fails", false);
    }
    const frame = decode(type, payload, position, input.position);
    if ((position === MAGIC.length) !== (frame.type === "header")) {
      throw new DumpError(position, "its parts stand in the wrong order", false);
    }
    yield frame;
    if (frame.type !== "index") continue;
    const trailer = await input.take(TRAILER_BYTES);
    if (trailer === null || !isTrailerOf(trailer, position)) {
      throw new DumpError(position, "it is cut short", true);
    }
    return;
  }
}

function isTrailerOf(trailer: Uint8Array, position: number): boolean {
  return readInt64(trailer, 0) === position && equal(trailer.subarray(8), END_MAGIC);
}

function decode(type: number, payload: Uint8Array, position: number, end: number): DumpFrame {
  const place = { position, endPosition: end };
  try {
    switch (type) {
      case TYPES.header:
        return { ...place, type: "header", header: parseHeader(payload) };
      case TYPES.index:
        return { ...place, type: "index", index: parseIndex(payload) };
      case TYPES.chunk:
        if (payload.length >= CHUNK_HEAD_BYTES) {
          const chunk = {
            partition: readInt32(payload, 0),
            nextOffset: readInt64(payload, 4),
            records: readInt32(payload, 12),
            bytes: payload.subarray(CHUNK_HEAD_BYTES),
          };
          return { ...place, type: "chunk", chunk };
        }
    }
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new DumpError(position, error instanceof Error ? error.message : String(error), false);
  }
  throw new DumpError(position, "something of an unknown kind stands", false);
}

// What a checksum covers was written by this program: only the version can be another one's.
function parseHeader(payload: Uint8Array): DumpHeader {
  const header: DumpHeader & { version: number } = JSON.parse(new TextDecoder().decode(payload));
  if (header.version === 1) return header;
  const what = `the dump has version ${header.version}, and this program knows 1`;
  throw new OperatorError(what, "", "use a newer kstream");
}

function parseIndex(payload: Uint8Array): DumpIndex {
  return JSON.parse(new TextDecoder().decode(payload));
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Bytes of a stream by number. */
class ByteSource {
  /** Of the next byte to be taken. */
  position = 0;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** So many bytes, or null if there are fewer left. Room is made as bytes come. */
  async take(count: number): Promise<Uint8Array | null> {
    const parts: Uint8Array[] = [];
    let missing = count;
    while (missing > this.#rest.length) {
      parts.push(this.#rest);
      missing -= this.#rest.length;
      const next = await this.#chunks.next();
      if (next.done === true) return null;
      this.#rest = next.value;
    }
    parts.push(this.#rest.subarray(0, missing));
    this.#rest = this.#rest.subarray(missing);
    this.position += count;
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }
}
