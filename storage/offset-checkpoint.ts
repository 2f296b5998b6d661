/**
 * One of the two checkpoints of a data directory: an offset for each log, in Kafka's format. A log
 * whose entry would be wrong after a crash (its folder is new, or it is being cut) is taken out at
 * once; everything else is written now and then.
 */
import type { Disk, DiskFile } from "../core/io.ts";
import { formatOffsets, type OffsetEntry, parseOffsets } from "./checkpoint-file.ts";
import { partitionDirName, TEMPORARY_SUFFIX } from "./names.ts";
import { readSmallText } from "./small-files.ts";

/** See the head of this file. */
export class OffsetCheckpoint {
  /** What the file says. */
  private entries: Map<string, OffsetEntry>;
  /** Whether a power cut could bring back an older content of the file. */
  private isDurable = true;
  /** Counts the writes, so that an older content never replaces a newer one. */
  private version = 0;

  constructor(private readonly disk: Disk, readonly path: string) {
    const text = readSmallText(disk, path);
    const entries = (text === null ? null : parseOffsets(text)) ?? [];
    this.entries = new Map(entries.map((entry) => [nameOf(entry), entry]));
  }

  /** Whether the file says nothing of any log. */
  get isEmpty(): boolean {
    return this.entries.size === 0;
  }

  /** Whether the file durably says just this. */
  says(entries: readonly OffsetEntry[]): boolean {
    return this.isDurable && entries.length === this.entries.size &&
      entries.every((entry) => this.entries.get(nameOf(entry))?.offset === entry.offset);
  }

  /** The offset of a log, or null. */
  get(name: string): number | null {
    return this.entries.get(name)?.offset ?? null;
  }

  /**
   * Takes a log out, in the page cache. Returns whether a power cut could bring the log's entry back:
   * the file is then to be synced, and its folder too. Throws a `DiskError`.
   */
  forget(name: string): boolean {
    this.version++;
    if (!this.entries.has(name)) return !this.isDurable;
    const rest = new Map(this.entries);
    rest.delete(name);
    const temporary = `${this.path}.forget${TEMPORARY_SUFFIX}`;
    this.disk.remove(temporary);
    this.write(temporary, rest).close();
    this.disk.rename(temporary, this.path);
    this.entries = rest;
    this.isDurable = false;
    return true;
  }

  /** Writes the entries so that they are durable. Throws a `DiskError`. */
  async save(current: () => readonly OffsetEntry[]): Promise<void> {
    const temporary = this.path + TEMPORARY_SUFFIX;
    for (;;) {
      const version = ++this.version;
      const next = new Map(current().map((entry) => [nameOf(entry), entry]));
      this.disk.remove(temporary);
      const file = this.write(temporary, next);
      try {
        await file.sync();
      } finally {
        file.close();
      }
      if (version !== this.version) continue;
      this.disk.rename(temporary, this.path);
      this.entries = next;
      this.isDurable = false;
      await this.disk.syncDir(this.path.slice(0, this.path.lastIndexOf("/")));
      this.isDurable = version === this.version;
      return;
    }
  }

  /** Writes a new file into the page cache and leaves it open. */
  private write(path: string, entries: ReadonlyMap<string, OffsetEntry>): DiskFile {
    const file = this.disk.open(path, "create");
    try {
      file.writeSync(new TextEncoder().encode(formatOffsets([...entries.values()])), 0);
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }
}

function nameOf(entry: OffsetEntry): string {
  return partitionDirName(entry.topic, entry.partition);
}
