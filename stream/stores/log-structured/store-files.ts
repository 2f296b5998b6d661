/** What of a store is on disk when it is opened: the runs of the manifest, and the logs behind them. */
import type { Disk, DiskFile } from "../../../core/io.ts";
import type { BlockCache } from "./block-cache.ts";
import { EMPTY_MANIFEST, type Manifest, readManifest } from "./manifest.ts";
import { Run } from "./run.ts";
import { CorruptStoreError } from "./run-format.ts";
import { readFrames, readOffsets } from "./write-ahead-log.ts";
import { WriteBuffer } from "./write-buffer.ts";

/** See the head of the file. */
export interface StoreFiles {
  readonly manifest: Manifest;
  readonly runs: Run[];
  /** With all commits that are not in the runs. */
  readonly buffer: WriteBuffer;
  readonly sequence: number;
  readonly changelogOffset: bigint | null;
  readonly floor: Uint8Array;
  /** The one that is gone on with, and where it ends. */
  readonly log: DiskFile;
  readonly logEnd: number;
  /** Those before it, which are needed until a run has what is in the buffer. */
  readonly olderLogs: readonly string[];
  /** For the next file that is made. */
  readonly nextNumber: number;
}

const MARK = "CORRUPT";

/** Has the next opening refuse the store: bytes of it are not those that were written. */
export function markCorrupt(disk: Disk, dir: string): void {
  if (disk.stat(`${dir}/${MARK}`) === null) disk.open(`${dir}/${MARK}`, "create").close();
}

/** Removes all files of the store, if it is there; the mark stays until the others are gone. */
export function removeStore(disk: Disk, dir: string): void {
  if (disk.stat(dir) === null) return;
  for (const { name } of disk.list(dir)) if (name !== MARK) disk.remove(`${dir}/${name}`);
  disk.remove(`${dir}/${MARK}`);
}

/** Opens what is there, and removes what a process that was killed has left half made. */
export function storeFilesOf(disk: Disk, dir: string, cache: BlockCache): StoreFiles {
  disk.makeDir(dir);
  if (disk.stat(`${dir}/${MARK}`) !== null) {
    throw new CorruptStoreError(dir, "damage was found while it was read");
  }
  const manifest = readManifest(disk, dir) ?? EMPTY_MANIFEST;
  const numbers = { run: numbersOf(disk, dir, "run"), log: numbersOf(disk, dir, "log") };
  for (const number of numbers.run) {
    if (!manifest.runs.includes(number)) disk.remove(`${dir}/${number}.run`);
  }
  const runs = openRuns(disk, dir, manifest, cache);
  const nextNumber = Math.max(0, ...numbers.run, ...numbers.log) + 1;
  try {
    return { manifest, runs, ...replayed(disk, dir, manifest, numbers.log, nextNumber) };
  } catch (error) {
    for (const run of runs) run.release();
    throw error;
  }
}

/**
 * The changelog's offset of a store's last commit, read without opening the store; null: it has none,
 * or is damaged. For guesses: only who opens the store knows.
 */
export function offsetOnDisk(disk: Disk, dir: string): bigint | null {
  if (disk.stat(dir) === null || disk.stat(`${dir}/${MARK}`) !== null) return null;
  try {
    let { sequence, changelogOffset: text } = readManifest(disk, dir) ?? EMPTY_MANIFEST;
    let offset = text === null ? null : BigInt(text);
    for (const number of numbersOf(disk, dir, "log")) {
      const file = disk.open(`${dir}/${number}.log`, "read");
      readOffsets(file, (next, changelogOffset) => {
        if (next === sequence + 1) [sequence, offset] = [next, changelogOffset];
      });
      file.close();
    }
    return offset;
  } catch (error) {
    if (error instanceof CorruptStoreError) return null;
    throw error;
  }
}

function numbersOf(disk: Disk, dir: string, kind: string): number[] {
  return disk.list(dir).flatMap(({ name }) => {
    const [number, extension] = name.split(".");
    return extension === kind ? [Number(number)] : [];
  }).sort((one, other) => one - other);
}

function openRuns(disk: Disk, dir: string, manifest: Manifest, cache: BlockCache): Run[] {
  const runs: Run[] = [];
  try {
    for (const number of manifest.runs) {
      const path = `${dir}/${number}.run`;
      if (disk.stat(path) === null) throw new CorruptStoreError(path, "the file is missing");
      const file = disk.open(path, "read");
      try {
        const run = new Run(number, file, cache, () => markCorrupt(disk, dir));
        run.isSynced = true;
        runs.push(run);
      } catch (error) {
        file.close();
        throw error;
      }
    }
  } catch (error) {
    for (const run of runs) run.release();
    throw error;
  }
  return runs;
}

/** Reads logs in their order, as far as commits have consecutive numbers. */
function replayed(
  disk: Disk,
  dir: string,
  manifest: Manifest,
  numbers: readonly number[],
  nextNumber: number,
): Omit<StoreFiles, "manifest" | "runs"> {
  const buffer = new WriteBuffer();
  let { sequence } = manifest;
  let changelogOffset = manifest.changelogOffset === null ? null : BigInt(manifest.changelogOffset);
  let floor: Uint8Array = Buffer.from(manifest.floor, "hex");
  const paths: string[] = [];
  let end = { file: null as DiskFile | null, position: 0 };
  for (const number of numbers) {
    const path = `${dir}/${number}.log`;
    const file = disk.open(path, "readwrite");
    let hasGap = false;
    const position = readFrames(file, (frame) => {
      if (frame.sequence <= manifest.sequence) return true;
      hasGap = frame.sequence !== sequence + 1;
      if (hasGap) return false;
      sequence = frame.sequence;
      ({ changelogOffset } = frame);
      // On its own: a frame may have many megabytes.
      floor = frame.floor.slice();
      buffer.putAll(frame.entries);
      return true;
    });
    if (hasGap && position === 0) {
      // It goes on from a commit that a power cut has taken.
      file.close();
      disk.remove(path);
      continue;
    }
    end.file?.close();
    paths.push(path);
    end = { file, position };
    file.truncateSync(position);
  }
  buffer.commit();
  let log = end.file;
  let next = nextNumber;
  if (log === null) {
    log = disk.open(`${dir}/${next}.log`, "create");
    paths.push(log.path);
    next++;
  }
  return {
    ...{ buffer, sequence, changelogOffset, floor, log, logEnd: end.position, nextNumber: next },
    olderLogs: paths.slice(0, -1),
  };
}
