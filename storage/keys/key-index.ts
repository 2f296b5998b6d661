/**
 * The key index of one segment, `<base offset>.keyindex`: runs (`key-run.ts`), each for the part of
 * the segment behind the one before. It is made when somebody looks for a key, covers the segment
 * from its start up to some batch, and is not needed for anything else: nobody waits for it to be
 * durable, and what a crash leaves of it is told by checksums and by the batch that each run ends
 * with. What is missing is made again.
 *
 * Entries name batches by their offsets, so one that is wrong costs a look at a batch, and never
 * gives a wrong record.
 */
import { assert } from "../../core/assert.ts";
import { crc32c } from "../../core/crc32c.ts";
import { DiskError, type DiskFile } from "../../core/io.ts";
import { BATCH_HEADER_BYTES } from "../../core/records/batch-header.ts";
import { KeyHash } from "../cleaner/key-hash.ts";
import type { OpenFiles, PinnedFile } from "../open-files.ts";
import {
  type KeyRunHead,
  parseKeyRunHead,
  RUN_CRC_FROM,
  RUN_ENTRY_BYTES,
  RUN_HEAD_BYTES,
} from "./key-run.ts";

/** A run, and where its entries begin in the file. */
export interface KeyRun extends KeyRunHead {
  readonly entriesAt: number;
}

/** What is read at a time to check a run. */
const CHECK_BYTES = 256 * 1024;
/** Entries that are read at a time: as a rule the first read has what is looked for. */
const BLOCK_ENTRIES = 2048;

/** See the head of this file. */
export class KeyIndex {
  /** Null as long as the file has not been looked at. */
  private checked: KeyRun[] | null;
  /** Bytes of good runs. */
  private goodBytes = 0;
  private hasFile: boolean;
  /** Counts `clear`. */
  private version = 0;
  /** Whether the rest of the segment cannot be indexed: it is damaged, or the disk refuses. */
  isRefused = false;

  /** `storedBytes` is the size of the file, null if there is none. */
  constructor(
    private readonly files: OpenFiles,
    private readonly pathOf: () => string,
    private readonly baseOffset: number,
    private storedBytes: number | null,
  ) {
    this.hasFile = storedBytes !== null;
    this.checked = this.hasFile ? null : [];
  }

  /** The path, or none where there is no file. */
  get paths(): string[] {
    return this.hasFile ? [this.pathOf()] : [];
  }

  /** All that is indexed, once it has been checked. */
  get runs(): readonly KeyRun[] {
    return this.checked ?? [];
  }

  /** Where in the `.log` that ends which is indexed. */
  get toPosition(): number {
    return this.runs.at(-1)?.toPosition ?? 0;
  }

  /** The first offset that is not indexed. */
  get nextOffset(): number {
    return this.runs.at(-1)?.nextOffset ?? this.baseOffset;
  }

  /** Forgets everything: the segment is another one from now on. Throws a `DiskError`. */
  clear(): void {
    this.version++;
    this.isRefused = false;
    this.checked = [];
    this.goodBytes = 0;
    this.storedBytes = 0;
    if (this.hasFile) this.files.get(this.pathOf()).truncateSync(0);
  }

  /** Reads what is in the file, unless that was done. Throws a `DiskError`. */
  async load(log: DiskFile, logBytes: number): Promise<void> {
    if (this.checked !== null) return;
    const { version } = this;
    const runs: KeyRun[] = [];
    let at = 0;
    let pinned: PinnedFile;
    try {
      pinned = this.files.pin(this.pathOf());
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ENOENT") throw error;
      this.hasFile = false;
      this.clear();
      return;
    }
    try {
      const index = pinned.file;
      for (let run = await this.check(index, at, log, logBytes, 0); run !== null;) {
        runs.push(run);
        at = run.entriesAt + run.count * RUN_ENTRY_BYTES;
        run = await this.check(index, at, log, logBytes, run.toPosition);
      }
    } finally {
      pinned.release();
    }
    if (version !== this.version || this.checked !== null) return;
    this.checked = runs;
    this.goodBytes = at;
  }

  /** Adds a run for what comes behind the last one. Throws a `DiskError`; nothing has changed then. */
  append(bytes: Uint8Array): void {
    const head = parseKeyRunHead(bytes);
    assert(head !== null && this.checked !== null, "a run is added to an index that was read");
    assert(head.fromPosition === this.toPosition, "runs follow one another");
    if (!this.hasFile) this.files.create(this.pathOf());
    this.hasFile = true;
    const file = this.files.get(this.pathOf());
    if ((this.storedBytes ?? 0) > this.goodBytes) file.truncateSync(this.goodBytes);
    this.storedBytes = this.goodBytes + bytes.length;
    file.writeSync(bytes, this.goodBytes);
    this.checked.push({ ...head, entriesAt: this.goodBytes + RUN_HEAD_BYTES });
    this.goodBytes += bytes.length;
  }

  /**
   * The base offsets of batches in the run that may have the key, ascending: all that have it, and
   * now and then another. Throws a `DiskError`.
   */
  async find(run: KeyRun, key: Uint8Array): Promise<number[]> {
    const keyHash = new KeyHash(run.secret);
    keyHash.compute(key, 0, key.length);
    const hash = keyHash.a >>> 0;
    const pinned = this.files.pin(this.pathOf());
    try {
      const entries = new Entries(pinned.file, run);
      const found: number[] = [];
      for (let at = await entries.lowerBound(hash); at < run.count; at++) {
        if (!entries.has(at)) await entries.read(at);
        if (entries.hashAt(at) !== hash) break;
        found.push(run.baseOffset + entries.offsetAt(at));
      }
      return found;
    } finally {
      pinned.release();
    }
  }

  /** The run at `at`, null if there is no good one for the part of the segment from `position` on. */
  private async check(
    index: DiskFile,
    at: number,
    log: DiskFile,
    logBytes: number,
    position: number,
  ): Promise<KeyRun | null> {
    const headBytes = new Uint8Array(RUN_HEAD_BYTES);
    if (await index.read(headBytes, at) < RUN_HEAD_BYTES) return null;
    const head = parseKeyRunHead(headBytes);
    if (head === null || head.baseOffset !== this.baseOffset) return null;
    if (head.fromPosition !== position || head.toPosition > logBytes) return null;
    const end = at + RUN_HEAD_BYTES + head.count * RUN_ENTRY_BYTES;
    if (end > index.sizeBytes()) return null;
    let crc = crc32c(headBytes, RUN_CRC_FROM);
    const buffer = new Uint8Array(Math.min(CHECK_BYTES, end - at));
    for (let from = at + RUN_HEAD_BYTES; from < end;) {
      const part = buffer.subarray(0, Math.min(buffer.length, end - from));
      const count = await index.read(part, from);
      if (count === 0) return null;
      crc = crc32c(part, 0, count, crc);
      from += count;
    }
    if (crc !== head.crc) return null;
    const last = new Uint8Array(BATCH_HEADER_BYTES);
    await log.read(last, head.lastPosition);
    if (crc32c(last) !== head.lastHeaderCrc) return null;
    return { ...head, entriesAt: at + RUN_HEAD_BYTES };
  }
}

/** A window over the entries of a run. */
class Entries {
  private readonly words: Uint32Array;
  private from = 0;
  private to = 0;

  constructor(private readonly file: DiskFile, private readonly run: KeyRun) {
    this.words = new Uint32Array(2 * Math.min(BLOCK_ENTRIES, Math.max(1, run.count)));
  }

  has(at: number): boolean {
    return at >= this.from && at < this.to;
  }

  offsetAt(at: number): number {
    return this.words[2 * (at - this.from)]!;
  }

  hashAt(at: number): number {
    return this.words[2 * (at - this.from) + 1]!;
  }

  /** Moves the window to begin with `at`. */
  async read(at: number): Promise<void> {
    const count = Math.min(this.words.length / 2, this.run.count - at);
    const bytes = new Uint8Array(this.words.buffer, 0, count * RUN_ENTRY_BYTES);
    const read = await this.file.read(bytes, this.run.entriesAt + at * RUN_ENTRY_BYTES);
    if (read < bytes.length) throw new DiskError("EIO", this.file.path, "a key index is cut short");
    this.from = at;
    this.to = at + count;
  }

  /** The first entry whose hash is not below `hash`. Hashes are spread evenly: a guess comes first. */
  async lowerBound(hash: number): Promise<number> {
    let low = 0;
    let high = this.run.count;
    let guess = Math.floor(high * (hash / 2 ** 32));
    while (low < high) {
      await this.read(Math.min(Math.max(low, guess - (this.words.length >>> 2)), high - 1));
      const last = Math.min(this.to, high) - 1;
      if (this.hashAt(this.from) >= hash && this.from > low) high = this.from;
      else if (this.hashAt(last) < hash) low = last + 1;
      else {
        for (low = this.from; this.hashAt(low) < hash;) low++;
        return low;
      }
      guess = (low + high) >>> 1;
    }
    return low;
  }
}
