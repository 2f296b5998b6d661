/**
 * The open files of a data directory: at most `maxOpen` handles, the least recently used closed
 * first. A handle from `get` may be used until the caller gives control back to the event loop;
 * asynchronous work pins it.
 */
import type { Disk, DiskFile, OpenMode } from "../core/io.ts";
import { assert } from "../core/assert.ts";

interface Entry {
  readonly file: DiskFile;
  pins: number;
  /** To be closed when the last pin goes. */
  doomed: boolean;
}

/** A handle that stays open until `release`, which may be called once. */
export interface PinnedFile {
  readonly file: DiskFile;
  release(): void;
}

/** See the head of this file. */
export class OpenFiles {
  /** In the order of use, the oldest first. */
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly disk: Disk, private readonly maxOpen: number) {
    assert(maxOpen > 0, "at least one file can be open");
  }

  /** The file, opened if it is not yet. Throws a `DiskError`. */
  get(path: string): DiskFile {
    return this.entry(path, "readwrite").file;
  }

  /** Makes the file. Throws a `DiskError`, EEXIST if there is one. */
  create(path: string): DiskFile {
    assert(!this.entries.has(path), `a new file is not open: ${path}`);
    return this.entry(path, "create").file;
  }

  /** The file, kept open over asynchronous work. */
  pin(path: string): PinnedFile {
    const entry = this.entry(path, "readwrite");
    entry.pins++;
    let held = true;
    return {
      file: entry.file,
      release: () => {
        assert(held, `a pin is released once: ${path}`);
        held = false;
        entry.pins--;
        if (entry.pins === 0 && entry.doomed) entry.file.close();
      },
    };
  }

  /** Closes the handle, if there is one: before the file is renamed or removed, and at the end. */
  close(path: string): void {
    const entry = this.entries.get(path);
    if (entry === undefined) return;
    this.entries.delete(path);
    if (entry.pins > 0) entry.doomed = true;
    else entry.file.close();
  }

  /** Closes every handle. */
  closeAll(): void {
    for (const path of [...this.entries.keys()]) this.close(path);
  }

  private entry(path: string, mode: OpenMode): Entry {
    let entry = this.entries.get(path);
    if (entry === undefined) {
      entry = { file: this.disk.open(path, mode), pins: 0, doomed: false };
    } else {
      this.entries.delete(path);
    }
    this.entries.set(path, entry);
    if (this.entries.size > this.maxOpen) this.closeOldest();
    return entry;
  }

  private closeOldest(): void {
    let surplus = this.entries.size - this.maxOpen;
    let last = this.entries.size - 1;
    for (const [path, entry] of this.entries) {
      if (surplus === 0 || last-- === 0) return;
      if (entry.pins > 0) continue;
      this.close(path);
      surplus--;
    }
  }
}
