/**
 * What was committed since the last run was written: a frame for each commit, whole or not there.
 *
 *     length of what is behind the header (4 bytes), CRC-32C of all behind this field (4), number of the
 *     commit (8, double), changelog offset (8; −1: none), length of the floor (4), floor, entries
 *
 * Little-endian. Frames have consecutive numbers, over all files; behind a gap nothing counts, so what
 * is left of several files after a power cut is the state of some commit.
 */
import type { DiskFile } from "../../../core/io.ts";
import { crc32c } from "../../../core/crc32c.ts";

const HEADER_BYTES = 28;
const CRC_AT = 4;
const CHECKED_FROM = 8;

/** A commit. */
export interface Frame {
  readonly sequence: number;
  readonly changelogOffset: bigint | null;
  /** Keys before this one are gone. Empty: none are. */
  readonly floor: Uint8Array;
  readonly entries: Uint8Array;
}

/** Appends a frame; gives where it ends. Throws `DiskError`, after which a part may be there. */
export function appendFrame(file: DiskFile, position: number, frame: Frame): number {
  const { sequence, changelogOffset, floor, entries } = frame;
  const head = new Uint8Array(HEADER_BYTES + floor.length);
  const view = new DataView(head.buffer);
  view.setUint32(0, floor.length + entries.length, true);
  view.setFloat64(CHECKED_FROM, sequence, true);
  view.setBigInt64(16, changelogOffset ?? -1n, true);
  view.setUint32(24, floor.length, true);
  head.set(floor, HEADER_BYTES);
  const crc = crc32c(entries, 0, entries.length, crc32c(head, CHECKED_FROM, head.length));
  view.setUint32(CRC_AT, crc, true);
  file.writevSync(entries.length === 0 ? [head] : [head, entries], position);
  return position + head.length + entries.length;
}

/** What a log says that it goes up to, without a look at what was put; a torn frame may count. */
export function readOffsets(
  file: DiskFile,
  take: (sequence: number, changelogOffset: bigint | null) => void,
): void {
  const size = file.sizeBytes();
  const head = new Uint8Array(HEADER_BYTES);
  const view = new DataView(head.buffer);
  for (let position = 0; position + HEADER_BYTES <= size;) {
    if (file.readSync(head, position) < HEADER_BYTES) return;
    position += HEADER_BYTES + view.getUint32(0, true);
    if (position > size) return;
    const offset = view.getBigInt64(16, true);
    take(view.getFloat64(CHECKED_FROM, true), offset < 0n ? null : offset);
  }
}

/** Gives frames in turn, until one is not whole or `take` gives false; gives where the last one ends. */
export function readFrames(file: DiskFile, take: (frame: Frame) => boolean): number {
  const size = file.sizeBytes();
  let position = 0;
  while (position + HEADER_BYTES <= size) {
    const head = new Uint8Array(HEADER_BYTES);
    if (file.readSync(head, position) < HEADER_BYTES) break;
    const view = new DataView(head.buffer);
    const length = view.getUint32(0, true);
    if (position + HEADER_BYTES + length > size) break;
    const body = new Uint8Array(length);
    if (file.readSync(body, position + HEADER_BYTES) < length) break;
    const crc = crc32c(body, 0, length, crc32c(head, CHECKED_FROM, HEADER_BYTES));
    if (crc !== view.getUint32(CRC_AT, true)) break;
    const floorLength = view.getUint32(24, true);
    const offset = view.getBigInt64(16, true);
    const isTaken = take({
      sequence: view.getFloat64(CHECKED_FROM, true),
      changelogOffset: offset < 0n ? null : offset,
      floor: body.subarray(0, floorLength),
      entries: body.subarray(floorLength),
    });
    if (!isTaken) break;
    position += HEADER_BYTES + length;
  }
  return position;
}
