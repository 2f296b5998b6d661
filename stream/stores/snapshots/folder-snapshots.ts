/**
 * Snapshots in a folder, which may be a disk of the network. All goes through the runtime's pool of
 * threads, for such a disk may not answer, and the members' tasks go on meanwhile.
 */
import { mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PIECE_BYTES } from "./pinned-store.ts";
import type { SnapshotStore, StoredObject } from "./snapshot-store.ts";

/** See the head of the file. */
export class FolderSnapshots implements SnapshotStore {
  constructor(readonly place: string) {}

  async put(name: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const path = join(this.place, name);
    const half = `${path}.${crypto.randomUUID()}.new`;
    await mkdir(dirname(path), { recursive: true });
    try {
      const file = await open(half, "wx");
      try {
        for await (const piece of pieces) await writeAll(file, piece);
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(half, path);
    } catch (error) {
      await rm(half, { force: true }).catch(() => {});
      throw error;
    }
  }

  async *get(name: string): AsyncGenerator<Uint8Array> {
    const file = await open(join(this.place, name), "r");
    try {
      for (;;) {
        const piece = new Uint8Array(PIECE_BYTES);
        const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, null);
        if (bytesRead === 0) return;
        yield piece.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  async list(folder: string): Promise<StoredObject[]> {
    const names = await readdir(join(this.place, folder), { recursive: true }).catch(nothing);
    const found: StoredObject[] = [];
    for (const name of names) {
      const stats = await stat(join(this.place, folder, name)).catch(gone);
      if (!stats?.isFile()) continue;
      found.push({ name: folder + name, sizeBytes: stats.size, modifiedMs: stats.mtimeMs });
    }
    return found;
  }

  /** Folders that have nothing any more go as well. */
  async remove(name: string): Promise<void> {
    const path = join(this.place, name);
    await rm(path, { force: true });
    for (let dir = dirname(path); dir.startsWith(this.place); dir = dirname(dir)) {
      const isGone = await rmdir(dir).then(() => true, () => false);
      if (!isGone) return;
    }
  }
}

type FileHandle = Awaited<ReturnType<typeof open>>;

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function nothing(error: unknown): string[] {
  if (isMissing(error)) return [];
  throw error;
}

/** Somebody has removed it since it was listed. */
function gone(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}
