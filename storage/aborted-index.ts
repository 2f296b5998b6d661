/**
 * The aborted transactions whose markers lie in one segment, in Kafka's format (`TransactionIndex`,
 * `AbortedTxn`), in `<base offset>.txnindex`; most segments have none. Big-endian, 34 bytes each:
 *
 *     int16 version = 0 · int64 producerId · int64 firstOffset · int64 lastOffset ·
 *     int64 lastStableOffset
 *
 * `lastOffset` is the marker's and ascends. `lastStableOffset` is how far readers could see after
 * it: what a later entry aborts begins there or behind, so that a search may end. An entry is
 * written before its marker: one whose marker then was not written tells of nothing that a reader
 * could see, and is written again with the marker.
 */
import { DiskError } from "../core/io.ts";
import { readInt16, readInt64, writeInt16, writeInt64 } from "../core/records/batch-header.ts";
import type { OpenFiles } from "./open-files.ts";
import type { ProducerStates } from "./producer-state.ts";

/** One entry. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** The offset of the marker. */
  readonly lastOffset: number;
  readonly lastStableOffset: number;
}

/** The entry for the batch at `position`, before `producers` takes it in; null if it aborts nothing. */
export function abortedBy(
  producers: ProducerStates,
  bytes: Uint8Array,
  position: number,
): AbortedTransaction | null {
  const ended = producers.endedBy(bytes, position);
  if (ended === null || !ended.isAborted) return null;
  const { producerId, firstOffset, lastOffset } = ended;
  const lastStableOffset = producers.stableOffsetAfter(ended);
  return { producerId, firstOffset, lastOffset, lastStableOffset };
}

const ENTRY_BYTES = 34;
const VERSION = 0;

function bytesOf(entries: readonly AbortedTransaction[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * ENTRY_BYTES);
  for (const [index, entry] of entries.entries()) {
    const at = index * ENTRY_BYTES;
    writeInt16(bytes, at, VERSION);
    writeInt64(bytes, at + 2, entry.producerId);
    writeInt64(bytes, at + 10, entry.firstOffset);
    writeInt64(bytes, at + 18, entry.lastOffset);
    writeInt64(bytes, at + 26, entry.lastStableOffset);
  }
  return bytes;
}

/** See the head of this file. Everything that reads or writes throws a `DiskError`. */
export class AbortedIndex {
  private bytes: number;
  private hasFile: boolean;
  /** Whether the file was found with a size that a whole number of entries has. */
  readonly isWhole: boolean;

  /** `storedBytes` is the size of the file, null if there is none. */
  constructor(
    private readonly files: OpenFiles,
    private readonly pathOf: () => string,
    storedBytes: number | null,
  ) {
    this.hasFile = storedBytes !== null;
    this.isWhole = (storedBytes ?? 0) % ENTRY_BYTES === 0;
    this.bytes = (storedBytes ?? 0) - (storedBytes ?? 0) % ENTRY_BYTES;
  }

  /** The path, or none where there is no file. */
  get paths(): string[] {
    return this.hasFile ? [this.pathOf()] : [];
  }

  get count(): number {
    return this.bytes / ENTRY_BYTES;
  }

  append(entry: AbortedTransaction): void {
    this.ensureFile();
    this.files.get(this.pathOf()).writeSync(bytesOf([entry]), this.bytes);
    this.bytes += ENTRY_BYTES;
  }

  /**
   * Has these entries in place of all others. Until they are durable the file has a size that is not
   * whole: who finds it so after a crash, or where the disk has refused, does it again.
   */
  async replace(
    entries: readonly AbortedTransaction[],
    sync: (path: string) => Promise<void>,
  ): Promise<void> {
    this.ensureFile();
    const bytes = bytesOf(entries);
    const path = this.pathOf();
    this.files.get(path).truncateSync(bytes.length + 1);
    this.files.get(path).writeSync(bytes, 0);
    await sync(path);
    this.files.get(path).truncateSync(bytes.length);
    this.bytes = bytes.length;
  }

  /** Makes the file if there is none. */
  ensureFile(): void {
    if (!this.hasFile) this.files.create(this.pathOf());
    this.hasFile = true;
  }

  /** Takes the entries out whose markers are at `offset` or behind it. */
  truncate(offset: number): void {
    if (this.count === 0 && this.isWhole) return;
    // A power loss may have left anything where an entry was to be: it does not ascend.
    const kept = this.entries().filter((entry) => entry.lastOffset < offset);
    this.bytes = kept.length * ENTRY_BYTES;
    if (this.hasFile) this.files.get(this.pathOf()).truncateSync(this.bytes);
  }

  /** Takes back the entry that was appended last, whose marker could not be written. */
  dropLast(): void {
    this.bytes -= ENTRY_BYTES;
    try {
      this.files.get(this.pathOf()).truncateSync(this.bytes);
    } catch (error) {
      // The next one is written over it.
      if (!(error instanceof DiskError)) throw error;
    }
  }

  /**
   * Adds to `found` what was aborted between `offset` and `endOffset`. True if no later segment can
   * have more.
   */
  collect(offset: number, endOffset: number, found: AbortedTransaction[]): boolean {
    if (this.count === 0) return false;
    for (const entry of this.entries()) {
      if (entry.lastOffset >= offset && entry.firstOffset < endOffset) found.push(entry);
      if (entry.lastStableOffset >= endOffset) return true;
    }
    return false;
  }

  /** All entries, in the order of their markers; those behind a damaged one are left out. */
  entries(): AbortedTransaction[] {
    if (this.bytes === 0) return [];
    const bytes = new Uint8Array(this.bytes);
    const read = this.files.get(this.pathOf()).readSync(bytes, 0);
    const entries: AbortedTransaction[] = [];
    for (let at = 0; at + ENTRY_BYTES <= read; at += ENTRY_BYTES) {
      const entry = {
        producerId: readInt64(bytes, at + 2),
        firstOffset: readInt64(bytes, at + 10),
        lastOffset: readInt64(bytes, at + 18),
        lastStableOffset: readInt64(bytes, at + 26),
      };
      const { firstOffset, lastOffset } = entry;
      if (readInt16(bytes, at) !== VERSION || firstOffset >= lastOffset) break;
      if (lastOffset <= (entries.at(-1)?.lastOffset ?? -1)) break;
      entries.push(entry);
    }
    return entries;
  }
}
