/**
 * One run of a key index: which keys are in which batches of a part of a segment. Little-endian:
 *
 *      0  magic, version     uint32   "KSK" and 1
 *      4  crc                uint32   CRC-32C of everything behind it
 *      8  count              uint32   entries
 *     12  fromPosition       uint32   where the part begins in the `.log`
 *     16  toPosition         uint32   where it ends
 *     20  nextOffsetDelta    uint32   the offset behind the part, from the segment's base
 *     24  lastPosition       uint32   where the last batch of the part begins
 *     28  lastHeaderCrc      uint32   CRC-32C of that batch's header
 *     32  secret             16 bytes of the keys' hash
 *     48  baseOffset         float64  of the segment
 *     56  zeros
 *     64  entries            uint32 batch's base offset from the segment's base · uint32 hash of a key
 *
 * Entries ascend by hash, then by offset. The batch at the end of the part is named so that a run
 * which speaks of another file of that name is known as such.
 */
import { crc32c } from "../../core/crc32c.ts";
import { BATCH_HEADER_BYTES } from "../../core/records/batch-header.ts";
import { SECRET_BYTES } from "../cleaner/key-hash.ts";

/** What a run says of itself. */
export interface KeyRunFacts {
  readonly baseOffset: number;
  readonly fromPosition: number;
  readonly toPosition: number;
  /** The offset behind the last batch. */
  readonly nextOffset: number;
  readonly lastPosition: number;
  readonly lastHeaderCrc: number;
  readonly secret: Uint8Array;
}

/** The head of a run. */
export interface KeyRunHead extends KeyRunFacts {
  readonly count: number;
  readonly crc: number;
}

/** Bytes before the entries, and of each of them. */
export const RUN_HEAD_BYTES = 64;
export const RUN_ENTRY_BYTES = 8;
/** Where the bytes begin that the CRC covers. */
export const RUN_CRC_FROM = 8;

const MAGIC = 0x014b534b;
const SECRET_AT = 32;

/**
 * A run of the first `count` entries, which need not be in order and may be there twice; they are
 * sorted in place. Each has two words: the offset of the batch, the hash of the key.
 */
export function encodeKeyRun(facts: KeyRunFacts, words: Uint32Array, count: number): Uint8Array {
  const entries = new BigUint64Array(words.buffer, words.byteOffset, count).sort();
  let kept = 0;
  for (let at = 0; at < count; at++) {
    const entry = entries[at]!;
    if (kept === 0 || entries[kept - 1] !== entry) entries[kept++] = entry;
  }
  const bytes = new Uint8Array(RUN_HEAD_BYTES + kept * RUN_ENTRY_BYTES);
  bytes.set(new Uint8Array(words.buffer, words.byteOffset, kept * RUN_ENTRY_BYTES), RUN_HEAD_BYTES);
  bytes.set(facts.secret, SECRET_AT);
  const view = new DataView(bytes.buffer);
  const numbers = [
    kept,
    facts.fromPosition,
    facts.toPosition,
    facts.nextOffset - facts.baseOffset,
    facts.lastPosition,
    facts.lastHeaderCrc,
  ];
  for (const [index, value] of numbers.entries()) view.setUint32(8 + 4 * index, value, true);
  view.setFloat64(48, facts.baseOffset, true);
  view.setUint32(4, crc32c(bytes, RUN_CRC_FROM), true);
  view.setUint32(0, MAGIC, true);
  return bytes;
}

/** The head of the run that `bytes` begin with, or null if they do not. The CRC is not checked. */
export function parseKeyRunHead(bytes: Uint8Array): KeyRunHead | null {
  if (bytes.length < RUN_HEAD_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, RUN_HEAD_BYTES);
  if (view.getUint32(0, true) !== MAGIC) return null;
  const baseOffset = view.getFloat64(48, true);
  const head = {
    crc: view.getUint32(4, true),
    count: view.getUint32(8, true),
    fromPosition: view.getUint32(12, true),
    toPosition: view.getUint32(16, true),
    nextOffset: baseOffset + view.getUint32(20, true),
    lastPosition: view.getUint32(24, true),
    lastHeaderCrc: view.getUint32(28, true),
    secret: bytes.slice(SECRET_AT, SECRET_AT + SECRET_BYTES),
    baseOffset,
  };
  const { fromPosition, lastPosition, toPosition } = head;
  const isSound = Number.isSafeInteger(baseOffset) && fromPosition <= lastPosition &&
    lastPosition + BATCH_HEADER_BYTES <= toPosition;
  return isSound ? head : null;
}
