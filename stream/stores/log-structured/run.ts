/** Reads a run (`run-format.ts`). What of it says where things are is in memory, blocks are as cached. */
import type { DiskFile } from "../../../core/io.ts";
import { crc32c } from "../../../core/crc32c.ts";
import { Block, isBlockWhole } from "./block.ts";
import type { BlockCache } from "./block-cache.ts";
import { BloomFilter } from "./bloom-filter.ts";
import { compareBytes } from "./bytes-order.ts";
import { EntryView } from "./entry-format.ts";
import {
  BLOCK_BYTES,
  CorruptStoreError,
  CRC_BYTES,
  FOOTER_BYTES,
  metaBytesOf,
  readFooter,
  RUN_MAGIC,
} from "./run-format.ts";

/** In place of a slot: the block is not in the cache. */
const NOT_CACHED = -1;

/** See the head of the file. */
export class Run {
  readonly sizeBytes: number;
  readonly entryCount: number;
  readonly blockCount: number;
  readonly firstKey: Uint8Array;
  readonly lastKey: Uint8Array;
  /** Whether the file is known to be on stable storage. */
  isSynced = false;
  /** SHA-256 of the file in hex, once somebody has looked. */
  digest: string | null = null;
  readonly #positions: Float64Array;
  readonly #keyStarts: Uint32Array;
  readonly #keys: Uint8Array;
  readonly #filter: BloomFilter;
  /** By block: its slot in the cache. */
  readonly #slots: Int32Array;
  readonly #block = new Block();
  readonly #view = new EntryView();
  #users = 1;

  /**
   * `number`: that of the file. `onCorrupt` is called before `CorruptStoreError` is thrown, here and by
   * whatever reads blocks.
   */
  constructor(
    readonly number: number,
    readonly file: DiskFile,
    private readonly cache: BlockCache,
    private readonly onCorrupt: () => void,
  ) {
    this.sizeBytes = file.sizeBytes();
    const { footer, meta } = this.#readMeta();
    const { blockCount, filterBytes } = footer;
    const keyStartsAt = (blockCount + 1) * 8;
    const filterAt = keyStartsAt + (blockCount + 1) * 4;
    this.blockCount = blockCount;
    this.entryCount = footer.entryCount;
    this.#positions = new Float64Array(meta.buffer, 0, blockCount + 1);
    this.#keyStarts = new Uint32Array(meta.buffer, keyStartsAt, blockCount + 1);
    this.#filter = new BloomFilter(new Uint32Array(meta.buffer, filterAt, filterBytes / 4));
    this.#keys = meta.subarray(filterAt + filterBytes);
    this.firstKey = this.#keys.subarray(0, blockCount === 0 ? 0 : this.#keyStarts[1]);
    this.lastKey = this.#keys.subarray(this.#keyStarts[blockCount]!);
    this.#slots = new Int32Array(blockCount).fill(NOT_CACHED);
  }

  /** A copy of the value; null: the key is gone; undefined: it is not here. */
  get(key: Uint8Array, hash: number): Uint8Array | null | undefined {
    if (!this.#filter.mayHave(hash)) return undefined;
    const index = this.blockOf(key);
    if (index < 0) return undefined;
    this.#load(index);
    const block = this.#block;
    const view = this.#view;
    const entry = block.indexFrom(key, view);
    if (entry === block.count) return undefined;
    block.read(entry, view);
    return block.compare(view, key) === 0 ? view.valueOf(block.bytes) : undefined;
  }

  /** The last block that begins with this key or one before it; −1: all begin behind it. */
  blockOf(key: Uint8Array): number {
    let low = 0;
    let high = this.blockCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const start = this.#keyStarts[middle]!;
      const end = this.#keyStarts[middle + 1]!;
      if (compareBytes(this.#keys, start, end, key, 0, key.length) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** A copy of a block, which whoever iterates may keep. */
  blockAt(index: number): Block {
    const block = new Block();
    if (this.#slots[index] === NOT_CACHED) return this.blocksFrom(index, 1)[0]!;
    const start = this.#slots[index]! * BLOCK_BYTES;
    const end = start + this.#positions[index + 1]! - this.#positions[index]!;
    block.set(this.cache.bytes.slice(start, end), 0, end - start);
    return block;
  }

  /**
   * Blocks from one on, up to so many bytes of them but one at least, read at once and not cached; in
   * `room`, where they fit into it.
   */
  blocksFrom(first: number, bytesMax: number, room: Uint8Array | null = null): Block[] {
    const from = this.#positions[first]!;
    const end = this.#endOfBlocks(first, bytesMax);
    const length = this.#positions[end]! - from;
    const hasRoom = room !== null && room.length >= length;
    const bytes = hasRoom ? room.subarray(0, length) : new Uint8Array(length);
    this.#read(bytes, from);
    const blocks: Block[] = [];
    for (let index = first; index < end; index++) {
      const block = new Block();
      this.#setWhole(block, bytes, this.#positions[index]! - from, index);
      blocks.push(block);
    }
    return blocks;
  }

  /** All of the file, about so much at a time, for a copy: whole blocks, which are as they were written. */
  async *pieces(bytesMax: number): AsyncGenerator<Uint8Array> {
    for (let first = 0; first < this.blockCount;) {
      const from = this.#positions[first]!;
      const end = this.#endOfBlocks(first, bytesMax);
      const bytes = await this.#readSoon(from, this.#positions[end]! - from);
      for (; first < end; first++) {
        const [start, next] = [this.#positions[first]! - from, this.#positions[first + 1]! - from];
        if (!isBlockWhole(bytes, start, next)) throw this.#damagedBlock();
      }
      yield bytes;
    }
    for (let from = this.#positions[this.blockCount]!; from < this.sizeBytes; from += bytesMax) {
      yield await this.#readSoon(from, Math.min(bytesMax, this.sizeBytes - from));
    }
  }

  /** Behind the last of those that are so many bytes together; one at least. */
  #endOfBlocks(first: number, bytesMax: number): number {
    const from = this.#positions[first]!;
    let end = first + 1;
    while (end < this.blockCount && this.#positions[end + 1]! - from <= bytesMax) end++;
    return end;
  }

  forget(index: number): void {
    this.#slots[index] = NOT_CACHED;
  }

  /** Somebody reads it: the file stays open until as many have let go of it. */
  retain(): void {
    this.#users++;
  }

  release(): void {
    if (--this.#users > 0) return;
    this.file.close();
    for (const slot of this.#slots) if (slot !== NOT_CACHED) this.cache.free(slot);
  }

  /** Has `#block` be that one, until another is loaded. */
  #load(index: number): void {
    const position = this.#positions[index]!;
    const length = this.#positions[index + 1]! - position;
    const { bytes } = this.cache;
    const known = this.#slots[index]!;
    if (known !== NOT_CACHED) {
      this.cache.use(known);
      return this.#block.set(bytes, known * BLOCK_BYTES, known * BLOCK_BYTES + length);
    }
    if (length > BLOCK_BYTES) {
      // An entry that is larger than a slot.
      const own = new Uint8Array(length);
      this.#read(own, position);
      return this.#setWhole(this.#block, own, 0, index);
    }
    const slot = this.cache.take(this, index);
    const start = slot * BLOCK_BYTES;
    try {
      this.#read(bytes.subarray(start, start + length), position);
      this.#setWhole(this.#block, bytes, start, index);
      this.#slots[index] = slot;
    } finally {
      if (this.#slots[index] === NOT_CACHED) this.cache.free(slot);
    }
  }

  #setWhole(block: Block, bytes: Uint8Array, start: number, index: number): void {
    const end = start + this.#positions[index + 1]! - this.#positions[index]!;
    if (!isBlockWhole(bytes, start, end)) throw this.#damagedBlock();
    block.set(bytes, start, end);
  }

  #readMeta() {
    if (this.sizeBytes < FOOTER_BYTES) throw this.#corrupt("the file is cut short");
    const bytes = new Uint8Array(FOOTER_BYTES);
    this.#read(bytes, this.sizeBytes - FOOTER_BYTES);
    const view = new DataView(bytes.buffer);
    const crcAt = FOOTER_BYTES - CRC_BYTES;
    const isWhole = view.getUint32(0, true) === RUN_MAGIC &&
      view.getUint32(crcAt, true) === crc32c(bytes, 0, crcAt);
    if (!isWhole) throw this.#corrupt("the file does not end as one of ours");
    const footer = readFooter(bytes);
    const meta = new Uint8Array(metaBytesOf(footer));
    this.#read(meta, footer.metaStart);
    if (crc32c(meta) !== footer.metaCrc) {
      throw this.#corrupt("its index has another checksum than was written");
    }
    return { footer, meta };
  }

  #read(into: Uint8Array, position: number): void {
    if (this.file.readSync(into, position) === into.length) return;
    throw this.#corrupt("the file is cut short");
  }

  async #readSoon(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    if (await this.file.read(bytes, position) === length) return bytes;
    throw this.#corrupt("the file is cut short");
  }

  #damagedBlock(): CorruptStoreError {
    return this.#corrupt("a block has another checksum than was written");
  }

  #corrupt(why: string): CorruptStoreError {
    this.onCorrupt();
    return new CorruptStoreError(this.file.path, why);
  }
}
