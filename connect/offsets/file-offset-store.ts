/**
 * Offsets in a local file, for a worker that is alone: JSON of
 * `{ "connector": [{ "partition": {…}, "offset": {…} }] }`, written anew as a whole and renamed, so
 * that a crash leaves the old one or the new one.
 */
import type { Disk } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { isSourceMap } from "../data/record.ts";
import type { SourceMap } from "../data/record.ts";
import type { OffsetStore, StoredOffset } from "./offset-store.ts";
import { OffsetTable } from "./offset-table.ts";

/** See the head of the file. */
export class FileOffsetStore implements OffsetStore {
  readonly transactional = null;
  readonly #table = new OffsetTable();
  /** Writes one after the other. */
  #writing: Promise<void> = Promise.resolve();

  /** Reads what is there. Throws `OperatorError` if that is no file of offsets. */
  constructor(readonly disk: Disk, readonly path: string) {
    const found = disk.stat(path);
    if (found === null) return;
    const file = disk.open(path, "read");
    const bytes = new Uint8Array(found.sizeBytes);
    file.readSync(bytes, 0);
    file.close();
    for (const [connector, offsets] of parseOffsets(path, new TextDecoder().decode(bytes))) {
      for (const offset of offsets) this.#table.set(connector, offset);
    }
  }

  get(connector: string, partitions: readonly SourceMap[]): Promise<(SourceMap | null)[]> {
    return Promise.resolve(partitions.map((partition) => this.#table.get(connector, partition)));
  }

  list(connector: string): Promise<StoredOffset[]> {
    return Promise.resolve(this.#table.list(connector));
  }

  set(connector: string, offsets: readonly StoredOffset[]): Promise<void> {
    for (const offset of offsets) this.#table.set(connector, offset);
    const mine = this.#writing.then(() => this.#write());
    this.#writing = mine.catch(() => {});
    return mine;
  }

  async close(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    const all = this.#table.connectors().map((name) => [name, this.#table.list(name)]);
    const next = `${this.path}.new`;
    this.disk.remove(next);
    const file = this.disk.open(next, "create");
    try {
      const text = `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`;
      file.writeSync(new TextEncoder().encode(text), 0);
      await file.sync();
    } finally {
      file.close();
    }
    this.disk.rename(next, this.path);
    await this.disk.syncDir(this.path.slice(0, Math.max(0, this.path.lastIndexOf("/"))) || ".");
  }
}

function parseOffsets(path: string, text: string): [string, StoredOffset[]][] {
  const refuse = (why: string) =>
    new OperatorError(`cannot read the offsets in ${path}`, why, "mend or remove the file");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error));
  }
  if (typeof parsed !== "object" || parsed === null) throw refuse("it holds no object");
  return Object.entries(parsed).map(([connector, list]) => {
    if (!Array.isArray(list) || !list.every(isStoredOffset)) {
      throw refuse(`what it has for "${connector}" is no list of offsets`);
    }
    return [connector, list];
  });
}

function isStoredOffset(value: unknown): value is StoredOffset {
  return typeof value === "object" && value !== null && "partition" in value && "offset" in value &&
    isSourceMap(value.partition) && isSourceMap(value.offset);
}
