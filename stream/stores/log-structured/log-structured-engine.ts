/**
 * A store on disk: a log-structured merge tree (O'Neil et al., 1996). What is put is in a write buffer; a
 * commit appends it to a log; a full buffer becomes a run, an ordered file that is never changed; runs of
 * about one size are merged to a larger one, a step with each commit. A key is looked for in the
 * buffer, then in runs, the newest first, most of which a filter rules out.
 *
 * A new run is read at once, and counts after a restart when the manifest names it, which it does only
 * when the run is on stable storage; until then the logs that it was made of are there.
 */
import type { Disk, DiskFile } from "../../../core/io.ts";
import { asError } from "../../../core/as-error.ts";
import type { DurableEngine } from "../durable-engine.ts";
import type { BytesEntry, BytesRange } from "../engine.ts";
import type { PinnedStore } from "../snapshots/pinned-store.ts";
import type { BlockCache } from "./block-cache.ts";
import { compareKeys, hashOf } from "./bytes-order.ts";
import { EntryView } from "./entry-format.ts";
import { installManifest, type Manifest, prepareManifest } from "./manifest.ts";
import { mergedRange } from "./merged-range.ts";
import { Run } from "./run.ts";
import { RunMerge } from "./run-merge.ts";
import { RunWriter } from "./run-writer.ts";
import { pinned } from "./pin-store.ts";
import { markCorrupt, type StoreFiles, storeFilesOf } from "./store-files.ts";
import { appendFrame } from "./write-ahead-log.ts";
import { WriteBuffer } from "./write-buffer.ts";

export interface LogStructuredOptions {
  /** A buffer of so much becomes a run. */
  readonly writeBufferBytes?: number;
  /** Of blocks that were read; several stores may share one. */
  readonly cache: BlockCache;
  readonly onClose?: () => void;
}

const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
/** When runs are merged, and how much of it is done with a commit. */
interface MergePace {
  /** So many runs of one size, or smaller ones, become one. */
  readonly runs: number;
  /** For each byte that is committed so many are merged, where there is something to merge. */
  readonly bytesForCommitted: number;
}

const MERGE_PACE: MergePace = { runs: 6, bytesForCommitted: 6 };
/** Of commits that fill a buffer each, as those of a restore: what is written once is merged seldom. */
const BULK_MERGE_PACE: MergePace = { runs: 24, bytesForCommitted: 2 };

/** See the head of the file. */
export class LogStructuredEngine implements DurableEngine {
  #buffer: WriteBuffer;
  #runs: Run[];
  #sequence: number;
  #offset: bigint | null;
  /** Keys before it are gone. */
  #floor: Uint8Array;
  #committedFloor: Uint8Array;
  #log: DiskFile;
  #logEnd: number;
  #merge: { readonly merge: RunMerge; readonly number: number; readonly file: DiskFile } | null =
    null;
  /** What the manifest is to say: it does when runs are on stable storage. */
  #manifest: Manifest;
  #isManifestOld = false;
  /** Files that nothing needs once the manifest says so. */
  #obsolete: string[] = [];
  /** Logs whose commits are in the buffer. */
  #olderLogs: readonly string[];
  #wipeCount = 0;
  #nextNumber: number;
  #settling: Promise<void> | null = null;
  #failure: Error | null = null;
  #isClosed = false;

  private constructor(
    private readonly disk: Disk,
    private readonly dir: string,
    files: StoreFiles,
    private readonly options: Required<LogStructuredOptions>,
  ) {
    this.#buffer = files.buffer;
    this.#runs = files.runs;
    this.#sequence = files.sequence;
    this.#offset = files.changelogOffset;
    this.#floor = this.#committedFloor = files.floor;
    this.#log = files.log;
    this.#logEnd = files.logEnd;
    this.#manifest = files.manifest;
    this.#olderLogs = files.olderLogs;
    this.#nextNumber = files.nextNumber;
  }

  /**
   * Opens the store in a directory, which is made if it is not there. It is for one process alone: who
   * calls has locked it. Throws `CorruptStoreError`, `DiskError`.
   */
  static open(disk: Disk, dir: string, options: LogStructuredOptions): LogStructuredEngine {
    const { writeBufferBytes = WRITE_BUFFER_BYTES, cache, onClose = () => {} } = options;
    const files = storeFilesOf(disk, dir, cache);
    return new LogStructuredEngine(disk, dir, files, { writeBufferBytes, cache, onClose });
  }

  get changelogOffset(): bigint | null {
    return this.#offset;
  }

  get uncommittedBytes(): number {
    return this.#buffer.uncommittedBytes;
  }

  get sizeBytes(): number {
    return this.#runs.reduce((sum, run) => sum + run.sizeBytes, this.#buffer.sizeBytes);
  }

  /** Keys that were overwritten count again where their older values are in other runs. */
  get approximateCount(): number {
    const { count, goneCount } = this.#buffer;
    let all = count - goneCount;
    if (this.#runs.length > 0) all -= goneCount;
    for (const run of this.#runs) all += run.entryCount;
    return Math.max(0, all);
  }

  get(key: Uint8Array): Uint8Array | null {
    if (this.#floor.length > 0 && compareKeys(key, this.#floor) < 0) return null;
    const hash = hashOf(key, 0, key.length);
    const value = this.#buffer.get(key, hash);
    if (value !== undefined) return value;
    for (let index = 0; index < this.#runs.length; index++) {
      const found = this.#runs[index]!.get(key, hash);
      if (found !== undefined) return found;
    }
    return null;
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    this.#buffer.put(key, hashOf(key, 0, key.length), value);
  }

  range(range: BytesRange): IterableIterator<BytesEntry> {
    const { from } = range;
    const isBelow = this.#floor.length > 0 && (from === null || compareKeys(from, this.#floor) < 0);
    return mergedRange(this.#buffer, this.#runs, isBelow ? { ...range, from: this.#floor } : range);
  }

  commit(changelogOffset: bigint | null): void {
    if (this.#failure !== null) throw this.#failure;
    const entries = this.#buffer.uncommitted();
    const isSame = changelogOffset === this.#offset && this.#floor === this.#committedFloor;
    // A store that rests is committed with its task all the same, many times a second.
    if (entries.length === 0 && isSame) return;
    try {
      this.#logEnd = appendFrame(this.#log, this.#logEnd, {
        ...{ sequence: this.#sequence + 1, changelogOffset, floor: this.#floor, entries },
      });
      this.#sequence++;
      this.#offset = changelogOffset;
      this.#committedFloor = this.#floor;
      this.#buffer.commit();
      if (Math.max(this.#buffer.sizeBytes, this.#logEnd) >= this.options.writeBufferBytes) {
        this.#writeRun();
      }
      const isBulk = entries.length >= this.options.writeBufferBytes;
      this.#mergeSome(entries.length, isBulk ? BULK_MERGE_PACE : MERGE_PACE);
    } catch (error) {
      throw this.#failure = asError(error);
    }
  }

  wipe(): void {
    try {
      this.#wipe();
    } catch (error) {
      throw this.#failure = asError(error);
    }
  }

  #wipe(): void {
    this.#dropMerge();
    for (const run of this.#runs) this.#discard(run);
    this.#runs = [];
    this.#buffer = new WriteBuffer();
    this.#offset = null;
    this.#floor = this.#committedFloor = new Uint8Array(0);
    // The number that is left out keeps older logs from going on in the new one.
    this.#sequence++;
    this.#wipeCount++;
    this.#beginLog();
    this.#describe();
    // Counts for whoever opens it next in any case, and after a power cut when it has settled.
    prepareManifest(this.disk, this.dir, this.#manifest).close();
    installManifest(this.disk, this.dir);
    this.#startSettling();
  }

  dropBelow(key: Uint8Array): void {
    if (compareKeys(key, this.#floor) > 0) this.#floor = key.slice();
  }

  pin(): PinnedStore | null {
    if (this.#isClosed || this.#failure !== null || this.#offset === null) return null;
    return pinned(this.disk, {
      ...{ changelogOffset: this.#offset, manifest: this.#manifest, runs: this.#runs },
      logs: [...this.#olderLogs, this.#log.path],
    });
  }

  async settled(): Promise<void> {
    while (this.#settling !== null) await this.#settling;
    if (this.#failure !== null) throw this.#failure;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#dropMerge();
    for (const run of this.#runs) run.release();
    this.#log.close();
    this.options.onClose();
  }

  /** The buffer becomes a run, if it has anything, and a new log begins. All in the buffer is committed. */
  #writeRun(): void {
    if (this.#buffer.count > 0) {
      this.#runs = [this.#runOf(this.#buffer), ...this.#runs];
      this.#buffer = this.#buffer.emptied(3 * this.options.writeBufferBytes);
    }
    this.#beginLog();
    this.#dropRuns();
    this.#describe();
    this.#startSettling();
  }

  #runOf(buffer: WriteBuffer): Run {
    const number = this.#nextNumber++;
    const file = this.disk.open(`${this.dir}/${number}.run`, "create");
    try {
      writeInOrder(buffer, file);
      return this.#openRun(number, file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  #beginLog(): void {
    const log = this.disk.open(`${this.dir}/${this.#nextNumber++}.log`, "create");
    this.#obsolete.push(...this.#olderLogs, this.#log.path);
    this.#olderLogs = [];
    this.#log.close();
    this.#log = log;
    this.#logEnd = 0;
  }

  /** Runs that have nothing but keys below the floor. */
  #dropRuns(): void {
    const floor = this.#committedFloor;
    if (floor.length === 0) return;
    const merging = this.#merge?.merge.runs ?? [];
    const isGone = (run: Run) => !merging.includes(run) && compareKeys(run.lastKey, floor) < 0;
    for (const run of this.#runs.filter(isGone)) this.#discard(run);
    this.#runs = this.#runs.filter((run) => !isGone(run));
  }

  #mergeSome(committedBytes: number, { runs, bytesForCommitted }: MergePace): void {
    this.#merge ??= this.#newMerge(runs);
    if (this.#merge === null) return;
    if (!this.#merge.merge.step(committedBytes * bytesForCommitted)) return;
    const { merge, number, file } = this.#merge;
    const merged = this.#openRun(number, file);
    this.#merge = null;
    const first = this.#runs.indexOf(merge.runs[0]!);
    this.#runs = this.#runs.toSpliced(first, merge.runs.length, merged);
    for (const run of merge.runs) this.#discard(run);
    this.#dropRuns();
    this.#describeRuns();
    this.#startSettling();
  }

  /** Of the newest runs those up to a size, if there are enough of that size. */
  #newMerge(countMin: number) {
    const tiers = this.#runs.map((run) => this.#tierOf(run));
    const highest = Math.max(-1, ...tiers);
    for (let tier = 0; tier <= highest; tier++) {
      const end = tiers.findIndex((each) => each > tier);
      const runs = this.#runs.slice(0, end < 0 ? undefined : end);
      if (tiers.slice(0, runs.length).filter((each) => each === tier).length < countMin) {
        continue;
      }
      const number = this.#nextNumber++;
      const file = this.disk.open(`${this.dir}/${number}.run`, "create");
      const writer = new RunWriter(file, runs.reduce((sum, run) => sum + run.entryCount, 0));
      const isOldest = runs.length === this.#runs.length;
      return { merge: new RunMerge(runs, writer, isOldest, this.#committedFloor), number, file };
    }
    return null;
  }

  #tierOf(run: Run): number {
    const ratio = run.sizeBytes / this.options.writeBufferBytes;
    return Math.max(0, Math.floor(Math.log(ratio) / Math.log(MERGE_PACE.runs) + 0.5));
  }

  #openRun(number: number, file: DiskFile): Run {
    return new Run(number, file, this.options.cache, () => markCorrupt(this.disk, this.dir));
  }

  #dropMerge(): void {
    if (this.#merge === null) return;
    const { file } = this.#merge;
    this.#merge = null;
    file.close();
    this.disk.remove(file.path);
  }

  #discard(run: Run): void {
    this.#obsolete.push(run.file.path);
    run.release();
  }

  /** The buffer is empty: all commits are in the runs. */
  #describe(): void {
    this.#manifest = {
      sequence: this.#sequence,
      changelogOffset: this.#offset?.toString() ?? null,
      floor: Buffer.from(this.#committedFloor).toString("hex"),
      runs: this.#runs.map(({ number }) => number),
    };
  }

  #describeRuns(): void {
    this.#manifest = { ...this.#manifest, runs: this.#runs.map(({ number }) => number) };
  }

  #startSettling(): void {
    this.#isManifestOld = true;
    this.#settling ??= this.#settle().catch((error: unknown) => {
      this.#failure ??= asError(error);
    }).finally(() => {
      this.#settling = null;
      // More may have come to be settled since it was done, before this is heard.
      if (this.#isManifestOld && !this.#isClosed && this.#failure === null) this.#startSettling();
    });
  }

  /** Brings runs to stable storage, then has the manifest name them, then removes what is not needed. */
  async #settle(): Promise<void> {
    while (this.#isManifestOld && !this.#isClosed) {
      this.#isManifestOld = false;
      const runs = this.#runs;
      for (const run of runs) run.retain();
      try {
        await this.#settleOnce(this.#manifest, runs, this.#obsolete.length, this.#wipeCount);
      } finally {
        for (const run of runs) run.release();
      }
    }
  }

  /** Nothing counts that was begun before the store was wiped or closed. */
  async #settleOnce(
    manifest: Manifest,
    runs: readonly Run[],
    obsoleteCount: number,
    wipeCount: number,
  ): Promise<void> {
    const isOver = () => this.#isClosed || this.#wipeCount !== wipeCount;
    for (const run of runs) {
      if (!run.isSynced) await run.file.sync();
      run.isSynced = true;
      if (isOver()) return;
    }
    await this.disk.syncDir(this.dir);
    if (isOver()) return;
    const file = prepareManifest(this.disk, this.dir, manifest);
    try {
      await file.sync();
    } finally {
      file.close();
    }
    if (isOver()) return;
    installManifest(this.disk, this.dir);
    await this.disk.syncDir(this.dir);
    if (isOver()) return;
    for (const path of this.#obsolete.splice(0, obsoleteCount)) this.disk.remove(path);
  }
}

/** As a run. */
function writeInOrder(buffer: WriteBuffer, file: DiskFile): void {
  const { bytes, starts } = buffer.inOrder();
  const writer = new RunWriter(file, starts.length);
  const view = new EntryView();
  for (let index = 0; index < starts.length; index++) {
    const start = starts[index]!;
    view.read(bytes, start);
    writer.add(bytes, start, view);
  }
  writer.finish();
}
