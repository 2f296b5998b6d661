/**
 * The two sparse indexes of a segment, in Kafka's format, big-endian:
 *
 *     .index      4 bytes offset − base offset of the segment, 4 bytes position in the .log
 *     .timeindex  8 bytes timestamp, 4 bytes offset − base offset
 *
 * Keys never decrease. An entry of `.index` names the last offset of a batch and where the batch
 * starts; one of `.timeindex` says that every record up to the offset is no later than the
 * timestamp (Kafka's `OffsetIndex` and `TimeIndex`).
 *
 * New entries wait in memory and are written some hundred at a time: what a crash takes of them,
 * recovery makes again from the log. An index that lacks entries is slower, never wrong.
 */
import type { DiskFile } from "../core/io.ts";
import { DiskError } from "../core/io.ts";
import {
  readInt32,
  readInt64,
  readUint32,
  writeInt32,
  writeInt64,
} from "../core/records/batch-header.ts";
import type { OpenFiles } from "./open-files.ts";

/** Which of the two indexes. */
export type IndexKind = "offset" | "time";

/** For `offset`: key is an offset relative to the segment, value a position in bytes. For `time`:
 *  key is a timestamp in milliseconds, value a relative offset. */
export interface IndexEntry {
  readonly key: number;
  readonly value: number;
}

const ENTRY_BYTES: Readonly<Record<IndexKind, number>> = { offset: 8, time: 12 };
const PENDING_START_BYTES = 96;
const PENDING_MAX_BYTES = 3072;

/** One index file; it is made when first entries are written. */
export class SparseIndex {
  private readonly entryBytes: number;
  /** Whether the file was found with a size that a whole number of entries has. */
  readonly isWhole: boolean;
  /** Entries in the file. */
  private stored: number;
  /** Entries that are not in the file yet. */
  private pending = new Uint8Array(0);
  private pendingCount = 0;
  private lastEntry: IndexEntry | null | undefined;

  /** `storedBytes` is the size of the file, 0 if there is none. */
  constructor(
    private readonly files: OpenFiles,
    private readonly pathOf: () => string,
    private readonly kind: IndexKind,
    storedBytes: number,
  ) {
    this.entryBytes = ENTRY_BYTES[kind];
    this.stored = Math.floor(storedBytes / this.entryBytes);
    this.isWhole = storedBytes % this.entryBytes === 0;
  }

  /** Where the file is. */
  get path(): string {
    return this.pathOf();
  }

  /** How many entries there are. */
  get count(): number {
    return this.stored + this.pendingCount;
  }

  /** Size of the file when all is written. */
  get sizeBytes(): number {
    return this.count * this.entryBytes;
  }

  /** The entry with the largest key, or null. */
  last(): IndexEntry | null {
    if (this.lastEntry === undefined) {
      this.lastEntry = this.count === 0 ? null : this.entryAt(this.count - 1);
    }
    return this.lastEntry;
  }

  /** Adds an entry; one whose key does not exceed the last one's is left out. */
  append(key: number, value: number): void {
    const last = this.last();
    if (last !== null && key <= last.key) return;
    this.makeRoom();
    const at = this.pendingCount * this.entryBytes;
    if (this.kind === "offset") {
      writeInt32(this.pending, at, key);
      writeInt32(this.pending, at + 4, value);
    } else {
      writeInt64(this.pending, at, key);
      writeInt32(this.pending, at + 8, value);
    }
    this.pendingCount++;
    this.lastEntry = { key, value };
  }

  /** The last entry whose key is at most `key`; null if there is none. */
  floor(key: number): IndexEntry | null {
    return this.lastWhere((entry) => entry.key <= key);
  }

  /** The last entry whose value is at most `value`; null if there is none. Values never decrease. */
  floorByValue(value: number): IndexEntry | null {
    return this.lastWhere((entry) => entry.value <= value);
  }

  /** Writes what waits in memory into the page cache. Throws a `DiskError`. */
  flush(): void {
    if (this.pendingCount === 0) return;
    const bytes = this.pending.subarray(0, this.pendingCount * this.entryBytes);
    const file = this.stored === 0 ? this.openOrCreate() : this.files.get(this.path);
    file.writeSync(bytes, this.stored * this.entryBytes);
    this.stored += this.pendingCount;
    this.pendingCount = 0;
    this.pending = new Uint8Array(0);
  }

  /** Makes the file if there is none, so that a segment has all its files. Throws a `DiskError`. */
  ensureFile(): void {
    if (this.stored === 0) this.openOrCreate();
  }

  /** Forgets all entries, also those of a damaged file of any size. Throws a `DiskError`. */
  clear(): void {
    this.pendingCount = 0;
    this.stored = 0;
    this.lastEntry = undefined;
    try {
      this.files.get(this.path).truncateSync(0);
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ENOENT") throw error;
    }
  }

  /** The last of the entries from the first on for which `holds` is true. */
  private lastWhere(holds: (entry: IndexEntry) => boolean): IndexEntry | null {
    let low = 0;
    let high = this.count;
    let found: IndexEntry | null = null;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.entryAt(middle);
      if (holds(entry)) {
        found = entry;
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return found;
  }

  private openOrCreate(): DiskFile {
    try {
      return this.files.get(this.path);
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ENOENT") throw error;
      return this.files.create(this.path);
    }
  }

  private makeRoom(): void {
    const needed = (this.pendingCount + 1) * this.entryBytes;
    if (needed <= this.pending.length) return;
    if (needed > PENDING_MAX_BYTES) {
      this.flushOrDrop();
      return this.makeRoom();
    }
    const grown = new Uint8Array(Math.max(PENDING_START_BYTES, this.pending.length * 2));
    grown.set(this.pending);
    this.pending = grown;
  }

  /** On a full disk the waiting entries are dropped: the index only gets sparser. */
  private flushOrDrop(): void {
    try {
      this.flush();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.pendingCount = 0;
      this.pending = new Uint8Array(0);
    }
  }

  private entryAt(index: number): IndexEntry {
    if (index >= this.stored) {
      return this.decode(this.pending, (index - this.stored) * this.entryBytes);
    }
    const bytes = new Uint8Array(this.entryBytes);
    const count = this.files.get(this.path).readSync(bytes, index * this.entryBytes);
    if (count < this.entryBytes) {
      throw new DiskError("EIO", this.path, `the index ends at entry ${index} of ${this.stored}`);
    }
    return this.decode(bytes, 0);
  }

  private decode(bytes: Uint8Array, at: number): IndexEntry {
    return this.kind === "offset"
      ? { key: readUint32(bytes, at), value: readUint32(bytes, at + 4) }
      : { key: readInt64(bytes, at), value: readInt32(bytes, at + 8) };
  }
}
