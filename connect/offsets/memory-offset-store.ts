/** Offsets that last as long as the process: for pipelines that begin anew each time, and tests. */
import type { SourceMap } from "../data/record.ts";
import type { OffsetStore, StoredOffset } from "./offset-store.ts";
import { OffsetTable } from "./offset-table.ts";

/** See the head of the file. */
export class MemoryOffsetStore implements OffsetStore {
  readonly transactional = null;
  readonly #table = new OffsetTable();

  get(connector: string, partitions: readonly SourceMap[]): Promise<(SourceMap | null)[]> {
    return Promise.resolve(partitions.map((partition) => this.#table.get(connector, partition)));
  }

  list(connector: string): Promise<StoredOffset[]> {
    return Promise.resolve(this.#table.list(connector));
  }

  set(connector: string, offsets: readonly StoredOffset[]): Promise<void> {
    for (const offset of offsets) this.#table.set(connector, offset);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
