/** Writes a run (`run-format.ts`): entries are given in the order of their keys. */
import type { DiskFile } from "../../../core/io.ts";
import { crc32c } from "../../../core/crc32c.ts";
import { copyInto } from "../small-bytes.ts";
import { BloomFilter } from "./bloom-filter.ts";
import { hashOf } from "./bytes-order.ts";
import type { EntryView } from "./entry-format.ts";
import { BLOCK_BYTES, BLOCK_TAIL_BYTES, CRC_BYTES, footerBytes } from "./run-format.ts";

/** So much is given to the file at once. */
const WRITE_BYTES = 256 * 1024;

/** See the head of the file. */
export class RunWriter {
  #out = new Uint8Array(WRITE_BYTES);
  #outEnd = 0;
  /** Of `#out`, where in the file it begins. */
  #outPosition = 0;
  #blockStart = 0;
  readonly #entryStarts = new Uint16Array(BLOCK_BYTES);
  #entriesInBlock = 0;
  #entryCount = 0;
  /** Of `#out`: the key that was added last. */
  #lastKeyStart = 0;
  #lastKeyEnd = 0;
  readonly #blockPositions: number[] = [];
  readonly #firstKeyStarts: number[] = [];
  #keys = new Uint8Array(1024);
  #keysEnd = 0;
  readonly #filter: BloomFilter;

  /** `countMax`: as many entries as there can be. */
  constructor(private readonly file: DiskFile, countMax: number) {
    this.#filter = BloomFilter.forKeys(countMax);
  }

  /** Bytes so far. */
  get sizeBytes(): number {
    return this.#outPosition + this.#outEnd;
  }

  /** The entry that `view` has read at `start` of `bytes`. */
  add(bytes: Uint8Array, start: number, view: EntryView): void {
    const length = view.end - start;
    this.#makeRoom(length + 2);
    if (this.#entriesInBlock === 0) this.#beginBlock(bytes, view);
    this.#entryStarts[this.#entriesInBlock++] = this.#outEnd - this.#blockStart;
    copyInto(this.#out, this.#outEnd, bytes, start, view.end);
    this.#lastKeyStart = this.#outEnd + view.keyStart - start;
    this.#lastKeyEnd = this.#outEnd + view.keyEnd - start;
    this.#outEnd += length;
    this.#filter.add(hashOf(bytes, view.keyStart, view.keyEnd));
    this.#entryCount++;
  }

  /** Writes what is left, the rest of the file included. */
  finish(): void {
    const lastKey = this.#out.slice(this.#lastKeyStart, this.#lastKeyEnd);
    if (this.#entriesInBlock > 0) this.#endBlock();
    this.#flush();
    const metaStart = this.#outPosition;
    const blockCount = this.#blockPositions.length;
    const positions = Float64Array.from([...this.#blockPositions, metaStart]);
    const keyStarts = Uint32Array.from([...this.#firstKeyStarts, this.#keysEnd]);
    const keys = [this.#keys.subarray(0, this.#keysEnd), lastKey];
    const filter = this.#filter.bytes;
    const meta = Buffer.concat([
      ...[new Uint8Array(positions.buffer), new Uint8Array(keyStarts.buffer), filter, ...keys],
    ]);
    const footer = footerBytes({
      ...{ blockCount, filterBytes: filter.length, metaStart, metaCrc: crc32c(meta) },
      ...{ keyBytes: this.#keysEnd + lastKey.length, entryCount: this.#entryCount },
    });
    setCrc(footer, 0, footer.length - CRC_BYTES);
    this.file.writeSync(meta, metaStart);
    this.file.writeSync(footer, metaStart + meta.length);
  }

  #beginBlock(bytes: Uint8Array, view: EntryView): void {
    this.#blockStart = this.#outEnd;
    this.#blockPositions.push(this.sizeBytes);
    this.#firstKeyStarts.push(this.#keysEnd);
    const end = this.#keysEnd + view.keyEnd - view.keyStart;
    if (end > this.#keys.length) {
      const keys = new Uint8Array(Math.max(end, this.#keys.length * 2));
      keys.set(this.#keys.subarray(0, this.#keysEnd));
      this.#keys = keys;
    }
    copyInto(this.#keys, this.#keysEnd, bytes, view.keyStart, view.keyEnd);
    this.#keysEnd = end;
  }

  #endBlock(): void {
    for (let index = 0; index < this.#entriesInBlock; index++) {
      this.#writeUint16(this.#entryStarts[index]!);
    }
    this.#writeUint16(this.#entriesInBlock);
    setCrc(this.#out, this.#blockStart, this.#outEnd);
    this.#outEnd += CRC_BYTES;
    this.#entriesInBlock = 0;
  }

  #writeUint16(value: number): void {
    this.#out[this.#outEnd++] = value;
    this.#out[this.#outEnd++] = value >>> 8;
  }

  /** A block that has no room for so much more ends; a large entry gets a larger buffer. */
  #makeRoom(bytes: number): void {
    const inBlock = this.#entriesInBlock === 0
      ? 0
      : this.#outEnd - this.#blockStart + this.#entriesInBlock * 2;
    const needed = bytes + BLOCK_TAIL_BYTES;
    if (inBlock > 0 && inBlock + needed <= BLOCK_BYTES) return;
    if (inBlock > 0) this.#endBlock();
    const blockBytes = Math.max(BLOCK_BYTES, needed);
    if (this.#outEnd + blockBytes <= this.#out.length) return;
    this.#flush();
    if (blockBytes > this.#out.length) this.#out = new Uint8Array(blockBytes);
  }

  #flush(): void {
    this.file.writeSync(this.#out.subarray(0, this.#outEnd), this.#outPosition);
    this.#outPosition += this.#outEnd;
    this.#outEnd = 0;
  }
}

function setCrc(bytes: Uint8Array, start: number, end: number): void {
  const crc = crc32c(bytes, start, end);
  for (let byte = 0; byte < CRC_BYTES; byte++) bytes[end + byte] = crc >>> (byte * 8);
}
