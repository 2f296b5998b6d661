/** Where a sink has come to in each of its partitions. */
import type { SinkPosition } from "../connector.ts";

/** A partition while it is here; another object each time it comes. */
export interface OwnedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Behind the last record that was written or left out; null: none was. */
  taken: bigint | null;
  /** What was committed last; null: nothing yet. */
  committed: bigint | null;
}

/** See the head of the file. */
export class SinkPositions {
  readonly #owned = new Map<string, OwnedPartition>();

  add(topic: string, partition: number): void {
    const key = `${topic}-${partition}`;
    this.#owned.set(key, { topic, partition, taken: null, committed: null });
  }

  /** Null if it is not here. */
  get(topic: string, partition: number): OwnedPartition | null {
    return this.#owned.get(`${topic}-${partition}`) ?? null;
  }

  remove(topic: string, partition: number): void {
    this.#owned.delete(`${topic}-${partition}`);
  }

  all(): OwnedPartition[] {
    return [...this.#owned.values()];
  }

  /** Where writing has come to, of partitions of which anything was written. */
  taken(): SinkPosition[] {
    return this.all().flatMap(({ topic, partition, taken }) =>
      taken === null ? [] : [{ topic, partition, offset: taken }]
    );
  }

  /** Of what a sink says is safe: what is here, was really written, and is not committed yet. */
  toCommit(safe: readonly SinkPosition[]): SinkPosition[] {
    return safe.filter(({ topic, partition, offset }) => {
      const owned = this.get(topic, partition);
      return owned !== null && owned.taken !== null && offset <= owned.taken &&
        (owned.committed === null || offset > owned.committed);
    });
  }

  committed(positions: readonly SinkPosition[]): void {
    for (const { topic, partition, offset } of positions) {
      const owned = this.get(topic, partition);
      if (owned !== null) owned.committed = offset;
    }
  }
}
