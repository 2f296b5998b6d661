/**
 * Holds what a store was at a commit: its runs stay open, so that merges may remove them, and so do its
 * logs, of which what is appended later is not looked at.
 */
import type { Disk, DiskFile } from "../../../core/io.ts";
import { PIECE_BYTES, type PinnedFile, type PinnedStore } from "../snapshots/pinned-store.ts";
import { type Manifest, MANIFEST_NAME, manifestBytes } from "./manifest.ts";
import type { Run } from "./run.ts";
import { CorruptStoreError } from "./run-format.ts";

/** What a store is made of at a commit. */
export interface StoreParts {
  readonly changelogOffset: bigint;
  /** Of these runs. */
  readonly manifest: Manifest;
  readonly runs: readonly Run[];
  /** Paths, in their order: what is in them now is all committed. */
  readonly logs: readonly string[];
}

/** See the head of the file. Throws `DiskError`. */
export function pinned(disk: Disk, parts: StoreParts): PinnedStore {
  const { changelogOffset, manifest, runs } = parts;
  const logs: DiskFile[] = [];
  const close = () => {
    for (const file of logs) file.close();
  };
  try {
    for (const path of parts.logs) logs.push(disk.open(path, "read"));
  } catch (error) {
    close();
    throw error;
  }
  for (const run of runs) run.retain();
  return {
    changelogOffset,
    files: [
      ...runs.map(runFile),
      ...logs.map(logFile),
      bytesFile(MANIFEST_NAME, manifestBytes(manifest)),
    ],
    release: () => {
      for (const run of runs) run.release();
      close();
    },
  };
}

function runFile(run: Run): PinnedFile {
  const { number, sizeBytes } = run;
  return {
    ...{ name: `${number}.run`, sizeBytes },
    get digest() {
      return run.digest;
    },
    set digest(digest) {
      run.digest = digest;
    },
    pieces: () => run.pieces(PIECE_BYTES),
  };
}

function logFile(file: DiskFile): PinnedFile {
  const sizeBytes = file.sizeBytes();
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  const pieces = async function* () {
    for (let position = 0; position < sizeBytes; position += PIECE_BYTES) {
      const bytes = new Uint8Array(Math.min(PIECE_BYTES, sizeBytes - position));
      if (await file.read(bytes, position) < bytes.length) {
        throw new CorruptStoreError(file.path, "the file is cut short");
      }
      yield bytes;
    }
  };
  return { name, sizeBytes, digest: null, pieces };
}

function bytesFile(name: string, bytes: Uint8Array): PinnedFile {
  const pieces = async function* () {
    yield bytes;
  };
  return { name, sizeBytes: bytes.length, digest: null, pieces };
}
