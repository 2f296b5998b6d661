import type {
  MetadataAppendResult,
  MetadataChange,
  MetadataLog,
  MetadataReadResult,
  MetadataSnapshot,
} from "./metadata-log.ts";
import type { MetadataRecord } from "./metadata-records.ts";

/** The simplest metadata log there is; it forgets. Two controllers may share one. */
export class MemoryMetadataLog implements MetadataLog {
  endPosition = 0;
  #start = 0;
  #changes: { start: number; change: MetadataChange }[] = [];
  #snapshot: MetadataSnapshot | null = null;
  readonly #listeners = new Set<() => void>();
  /** While set, appends fail with this message. */
  failure: string | null = null;

  append(
    expectedPosition: number,
    records: readonly MetadataRecord[],
  ): Promise<MetadataAppendResult> {
    if (this.failure !== null) {
      return Promise.resolve({ ok: false, reason: "unavailable", message: this.failure });
    }
    const { endPosition } = this;
    if (expectedPosition !== endPosition) {
      return Promise.resolve({ ok: false, reason: "conflict", endPosition });
    }
    this.endPosition += records.length;
    const position = this.endPosition;
    this.#changes.push({ start: endPosition, change: { position, records: [...records] } });
    return Promise.resolve().then(() => {
      for (const listener of this.#listeners) listener();
      return { ok: true, position };
    });
  }

  read(position: number): Promise<MetadataReadResult> {
    if (position < this.#start) return Promise.resolve({ kind: "gone" });
    const changes = this.#changes.filter(({ start }) => start >= position)
      .map(({ change }) => change);
    return Promise.resolve({ kind: "changes", changes });
  }

  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  readSnapshot(): Promise<MetadataSnapshot | null> {
    return Promise.resolve(this.#snapshot);
  }

  writeSnapshot(snapshot: MetadataSnapshot): Promise<void> {
    this.#snapshot = snapshot;
    this.#start = snapshot.position;
    this.#changes = this.#changes.filter(({ start }) => start >= snapshot.position);
    return Promise.resolve();
  }
}
