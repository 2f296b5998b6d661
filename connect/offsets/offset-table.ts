/** Offsets in memory, by connector and partition: what every store answers from. */
import type { SourceMap } from "../data/record.ts";
import { partitionText } from "./offset-store.ts";
import type { StoredOffset } from "./offset-store.ts";

interface Entry {
  readonly partition: SourceMap;
  readonly offset: SourceMap;
}

/** See the head of the file. */
export class OffsetTable {
  readonly #connectors = new Map<string, Map<string, Entry>>();

  get(connector: string, partition: SourceMap): SourceMap | null {
    return this.#connectors.get(connector)?.get(partitionText(partition))?.offset ?? null;
  }

  set(connector: string, { partition, offset }: StoredOffset): void {
    let entries = this.#connectors.get(connector);
    if (offset === null) {
      entries?.delete(partitionText(partition));
      return;
    }
    if (entries === undefined) this.#connectors.set(connector, entries = new Map());
    entries.set(partitionText(partition), { partition, offset });
  }

  list(connector: string): StoredOffset[] {
    return [...this.#connectors.get(connector)?.values() ?? []];
  }

  connectors(): string[] {
    return [...this.#connectors.keys()];
  }
}
