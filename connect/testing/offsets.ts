/** What a source under test remembers: what was committed, over restarts. */
import type { SourceOffsets, SourcePosition } from "../connector.ts";
import type { SourceMap } from "../data/record.ts";

/** Offsets in memory, as the runtime's stores keep them: by the partition's content. */
export class TestOffsets implements SourceOffsets {
  readonly #positions = new Map<string, SourcePosition>();

  /** Offsets that are there from the start. */
  constructor(positions: readonly SourcePosition[] = []) {
    for (const position of positions) this.set(position);
  }

  set({ partition, offset }: SourcePosition): void {
    // As through a topic: what is no JSON does not survive.
    this.#positions.set(keyOf(partition), {
      partition: throughJson(partition),
      offset: throughJson(offset),
    });
  }

  get(partition: SourceMap): Promise<SourceMap | null> {
    return Promise.resolve(this.#positions.get(keyOf(partition))?.offset ?? null);
  }

  getAll(partitions: readonly SourceMap[]): Promise<(SourceMap | null)[]> {
    return Promise.all(partitions.map((partition) => this.get(partition)));
  }

  /** All of them, in the order in which their partitions came first. */
  all(): SourcePosition[] {
    return [...this.#positions.values()];
  }
}

function keyOf(partition: SourceMap): string {
  return JSON.stringify(Object.entries(partition).toSorted(([a], [b]) => a < b ? -1 : 1));
}

/** Throws `TypeError` where a value is none that offsets may have. */
function throughJson(map: SourceMap): SourceMap {
  for (const [name, value] of Object.entries(map)) {
    if (value === null || ["string", "boolean"].includes(typeof value)) continue;
    if (typeof value === "number" && Number.isFinite(value)) continue;
    throw new TypeError(`offsets hold strings, numbers, booleans and nulls: "${name}" is none`);
  }
  return JSON.parse(JSON.stringify(map)) as SourceMap;
}
