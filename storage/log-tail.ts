/**
 * The recent end of logs in memory, so that consumers who keep up are served without the disk. All
 * logs of a data directory share one budget: the oldest batch of all goes first.
 */
import { assert } from "../core/assert.ts";

interface TailBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  bytes: Uint8Array;
  owner: LogTail | null;
}

const NO_BYTES = new Uint8Array(0);
/** What keeping a batch costs apart from its bytes. */
const OVERHEAD_BYTES = 128;
/** A batch is copied out of a buffer that is over this many times as large. */
const COPY_BELOW_SHARE = 8;
const COMPACT_FROM = 1024;

/** The budget of all tails; see the head of this file. */
export class TailBudget {
  private readonly queue: TailBatch[] = [];
  private head = 0;
  private usedBytes = 0;

  constructor(private readonly maxBytes: number) {}

  /** Counts a batch in and drops the oldest ones beyond the budget. */
  admit(batch: TailBatch): void {
    this.queue.push(batch);
    this.usedBytes += batch.bytes.length + OVERHEAD_BYTES;
    while (this.usedBytes > this.maxBytes && this.head < this.queue.length) {
      const oldest = this.queue[this.head++]!;
      if (oldest.owner === null) continue;
      oldest.owner.dropOldest(oldest);
      this.forget(oldest);
    }
    if (this.head > COMPACT_FROM && this.head * 2 > this.queue.length) {
      this.queue.splice(0, this.head);
      this.head = 0;
    }
  }

  /** A log has dropped a batch by itself. */
  forget(batch: TailBatch): void {
    batch.owner = null;
    this.usedBytes -= batch.bytes.length + OVERHEAD_BYTES;
    // Dropped batches stay in the lists for a while; their memory must not.
    batch.bytes = NO_BYTES;
  }
}

/** The tail of one log: consecutive batches that end at the log's end. */
export class LogTail {
  private batches: TailBatch[] = [];
  private head = 0;

  constructor(private readonly budget: TailBudget) {}

  /** Keeps a batch that has just been appended; its bytes must not change any more. */
  append(bytes: Uint8Array, baseOffset: number, lastOffset: number): void {
    const last = this.batches.at(-1);
    assert(last === undefined || last.lastOffset < baseOffset, "a tail grows at its end");
    const wasteful = bytes.buffer.byteLength > bytes.length * COPY_BELOW_SHARE;
    const batch = { baseOffset, lastOffset, bytes: wasteful ? bytes.slice() : bytes, owner: this };
    this.batches.push(batch);
    this.budget.admit(batch);
  }

  /** The budget takes the oldest batch of this log away. */
  dropOldest(batch: TailBatch): void {
    assert(this.batches[this.head] === batch, "the budget drops batches in the order of arrival");
    this.head++;
    if (this.head === this.batches.length) {
      this.batches = [];
      this.head = 0;
    } else if (this.head > COMPACT_FROM && this.head * 2 > this.batches.length) {
      this.batches.splice(0, this.head);
      this.head = 0;
    }
  }

  /** Drops everything: the log has been cut or closed. */
  clear(): void {
    for (let index = this.head; index < this.batches.length; index++) {
      this.budget.forget(this.batches[index]!);
    }
    this.batches = [];
    this.head = 0;
  }

  /**
   * Whole batches from the one that holds `offset`, of at most `maxBytes` and below `endOffset`;
   * null if that batch is not here. A single batch is a view, several are copied together.
   */
  read(
    offset: number,
    maxBytes: number,
    endOffset: number,
    minOneBatch: boolean,
  ): { records: Uint8Array; nextOffset: number } | null {
    const first = this.find(offset);
    if (first < 0) return null;
    let end = first;
    let size = 0;
    while (end < this.batches.length) {
      const batch = this.batches[end]!;
      if (batch.lastOffset >= endOffset) break;
      const fits = size + batch.bytes.length <= maxBytes || (minOneBatch && end === first);
      if (!fits) break;
      size += batch.bytes.length;
      end++;
    }
    if (end === first) return { records: new Uint8Array(0), nextOffset: offset };
    const nextOffset = this.batches[end - 1]!.lastOffset + 1;
    if (end === first + 1) return { records: this.batches[first]!.bytes, nextOffset };
    const records: Uint8Array = Buffer.allocUnsafe(size);
    let at = 0;
    for (let index = first; index < end; index++) {
      const { bytes } = this.batches[index]!;
      records.set(bytes, at);
      at += bytes.length;
    }
    return { records, nextOffset };
  }

  /** Index of the batch that holds `offset`, or −1. */
  private find(offset: number): number {
    let low = this.head;
    let high = this.batches.length;
    if (low === high || offset < this.batches[low]!.baseOffset) return -1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.batches[middle]!.lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    return low < this.batches.length ? low : -1;
  }
}
