/**
 * Small files that are read and written as a whole. A write makes a new file beside the old one,
 * syncs it and renames it into place, so that a crash leaves the old or the new content.
 */
import type { Disk, DiskFile } from "../core/io.ts";
import { DiskError } from "../core/io.ts";
import { TEMPORARY_SUFFIX } from "./names.ts";

/** The whole file; null if there is none or if it has over `maxBytes`. */
export function readSmallFile(disk: Disk, path: string, maxBytes = 1 << 26): Uint8Array | null {
  let file;
  try {
    file = disk.open(path, "read");
  } catch (error) {
    if (error instanceof DiskError && error.code === "ENOENT") return null;
    throw error;
  }
  try {
    const size = file.sizeBytes();
    if (size > maxBytes) return null;
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, file.readSync(bytes, 0));
  } finally {
    file.close();
  }
}

/** The whole file as text; null if there is none. */
export function readSmallText(disk: Disk, path: string): string | null {
  const bytes = readSmallFile(disk, path);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

/** A new content that lies beside the old one. To be closed, whatever has happened. */
export class StagedFile {
  private readonly temporary: string;
  private readonly file: DiskFile;

  /** Writes it into the page cache. Throws a `DiskError`. */
  constructor(private readonly disk: Disk, private readonly path: string, bytes: Uint8Array) {
    this.temporary = path + TEMPORARY_SUFFIX;
    disk.remove(this.temporary);
    this.file = disk.open(this.temporary, "create");
    try {
      this.file.writeSync(bytes, 0);
    } catch (error) {
      this.file.close();
      throw error;
    }
  }

  /**
   * Syncs it and puts it into the place of the old one, which a crash may undo before the next
   * `syncDir` of the folder. Throws a `DiskError`.
   */
  async replace(): Promise<void> {
    await this.file.sync();
    this.disk.rename(this.temporary, this.path);
  }

  close(): void {
    this.file.close();
  }
}

/** As the constructor of `StagedFile`, for text. */
export function stageSmallText(disk: Disk, path: string, text: string): StagedFile {
  return new StagedFile(disk, path, new TextEncoder().encode(text));
}

/** Writes the file so that it is durable, and is never seen in part, also after a crash. */
export async function writeSmallFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const staged = new StagedFile(disk, path, bytes);
  try {
    await staged.replace();
  } finally {
    staged.close();
  }
  await disk.syncDir(path.slice(0, path.lastIndexOf("/")));
}

/** As `writeSmallFile`, for text. */
export function writeSmallText(disk: Disk, path: string, text: string): Promise<void> {
  return writeSmallFile(disk, path, new TextEncoder().encode(text));
}

/** Makes a directory and its missing parents, so that a power cut does not take them again. */
export async function makeDurableDir(disk: Disk, path: string): Promise<void> {
  const parents: string[] = [];
  for (let at = path; at !== "" && at !== "." && disk.stat(at) === null;) {
    const slash = at.lastIndexOf("/");
    at = slash < 0 ? "." : slash === 0 ? "/" : at.slice(0, slash);
    parents.push(at);
  }
  disk.makeDir(path);
  for (const parent of parents) await disk.syncDir(parent);
}
