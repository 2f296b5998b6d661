/**
 * A run: a file of entries in the order of their keys, which is never changed.
 *
 *     blocks    up to 4 KB each, or one larger entry: entries; where each begins (two bytes each) and how
 *               many there are (two bytes); CRC-32C of the block
 *     meta      where blocks begin (doubles; one more for the end), where their first keys begin among
 *               those keys (four bytes each; one more for the end), the Bloom filter, the first keys,
 *               the last key
 *     footer    magic number, blocks, bytes of the filter, of all keys, CRC-32C of meta (four bytes each),
 *               entries (double), beginning of meta (double), CRC-32C of the footer
 *
 * Little-endian.
 */
import { OperatorError } from "../../../core/operator-error.ts";

/** Most that a block has, but where it has one entry alone. */
export const BLOCK_BYTES = 4 * 1024;
/** What a block has besides entries, and besides two bytes for each. */
export const BLOCK_TAIL_BYTES = 2 + 4;
export const CRC_BYTES = 4;
export const FOOTER_BYTES = 40;
export const RUN_MAGIC = 0x6b73_7231;

/** What the footer says. */
export interface RunFooter {
  readonly blockCount: number;
  readonly filterBytes: number;
  readonly keyBytes: number;
  readonly metaCrc: number;
  readonly entryCount: number;
  readonly metaStart: number;
}

/** Bytes on disk are not those that were written. The store has to be restored from its changelog. */
export class CorruptStoreError extends OperatorError {
  constructor(path: string, why: string) {
    super(
      `the state store in ${path} cannot be read`,
      why,
      "it is restored from its changelog when the task begins again; check the disk",
    );
  }
}

/** How long meta is. */
export function metaBytesOf({ blockCount, filterBytes, keyBytes }: RunFooter): number {
  return (blockCount + 1) * (8 + 4) + filterBytes + keyBytes;
}

/** The footer but for its checksum, which the last four bytes are for. */
export function footerBytes(footer: RunFooter): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, RUN_MAGIC, true);
  view.setUint32(4, footer.blockCount, true);
  view.setUint32(8, footer.filterBytes, true);
  view.setUint32(12, footer.keyBytes, true);
  view.setUint32(16, footer.metaCrc, true);
  view.setFloat64(20, footer.entryCount, true);
  view.setFloat64(28, footer.metaStart, true);
  return bytes;
}

export function readFooter(bytes: Uint8Array): RunFooter {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    blockCount: view.getUint32(4, true),
    filterBytes: view.getUint32(8, true),
    keyBytes: view.getUint32(12, true),
    metaCrc: view.getUint32(16, true),
    entryCount: view.getFloat64(20, true),
    metaStart: view.getFloat64(28, true),
  };
}
