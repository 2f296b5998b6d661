/**
 * Where copies are, of the syncs heard: a few per partition, ever sparser the older they are, so that
 * groups far behind have a place too.
 */
import type { OffsetSync } from "./records.ts";

/** See the head of the file. */
export class SyncStore {
  /** By partition, the latest first. */
  readonly #byPartition = new Map<string, OffsetSync[]>();

  hear(sync: OffsetSync): void {
    const key = `${sync.topic}-${sync.partition}`;
    const known = this.#byPartition.get(key) ?? [];
    // The source has begun anew, or copying has: what was before is not to be trusted.
    const isBack = known[0] !== undefined &&
      (sync.upstream < known[0].upstream || sync.downstream < known[0].downstream);
    this.#byPartition.set(key, thinned([sync, ...isBack ? [] : known]));
  }

  /**
   * An offset of the copy that has nothing before it which is behind `offset` of the source, so that a
   * group that goes on there reads again a little and skips nothing. Null: not known, or all syncs are
   * behind it. As far as syncs go the next record follows at once; of what is further nobody knows how
   * much of it was copied.
   */
  translate(topic: string, partition: number, offset: number): number | null {
    const known = this.#byPartition.get(`${topic}-${partition}`) ?? [];
    const sync = known.find(({ upstream }) => upstream <= offset);
    if (sync === undefined) return null;
    return sync.upstream === offset ? sync.downstream : sync.downstream + 1;
  }
}

/**
 * The latest first, without those that have neighbours closer to each other than to the latest: what is
 * left grows with the logarithm of offsets.
 */
export function thinned(syncs: readonly OffsetSync[]): OffsetSync[] {
  const latest = syncs[0]!.upstream;
  const kept: OffsetSync[] = [];
  for (const [index, sync] of syncs.entries()) {
    const younger = kept.at(-1);
    const older = syncs[index + 1];
    const isNeeded = younger === undefined || older === undefined ||
      younger.upstream - older.upstream > latest - younger.upstream;
    if (isNeeded && younger?.upstream !== sync.upstream) kept.push(sync);
  }
  return kept;
}
