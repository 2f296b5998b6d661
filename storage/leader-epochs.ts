/**
 * Which leader epoch began at which offset (Kafka's `LeaderEpochFileCache`, KIP-101): the answer to
 * OffsetForLeaderEpoch, and what replicas compare. Kept in memory, written to a checkpoint by the
 * log.
 */
import type { EpochEntry } from "./checkpoint-file.ts";

/** The answer for an epoch of which nothing is known. */
export const UNDEFINED_EPOCH = -1;
export const UNDEFINED_EPOCH_OFFSET = -1;

/** Epochs and first offsets, both ascending. */
export class LeaderEpochs {
  private list: EpochEntry[];

  constructor(entries: readonly EpochEntry[]) {
    this.list = [...entries];
  }

  get entries(): readonly EpochEntry[] {
    return this.list;
  }

  /** Takes other entries instead. */
  replace(entries: readonly EpochEntry[]): void {
    this.list = [...entries];
  }

  /** The latest epoch, or null. */
  latest(): number | null {
    return this.list.at(-1)?.epoch ?? null;
  }

  /** The epoch in which `offset` was written; −1 if unknown. */
  epochFor(offset: number): number {
    return this.list.findLast((entry) => entry.startOffset <= offset)?.epoch ?? UNDEFINED_EPOCH;
  }

  /**
   * Notes that this epoch starts at `startOffset`: with a batch, or with an election. Epochs in which
   * nothing was written have no extent, and a follower may hear of earlier ones only then. Returns
   * whether something has changed.
   */
  assign(epoch: number, startOffset: number): boolean {
    const last = this.list.at(-1);
    if (epoch < 0 || (last?.epoch === epoch && last.startOffset <= startOffset)) return false;
    const isBefore = (entry: EpochEntry) => entry.epoch <= epoch && entry.startOffset < startOffset;
    this.list = this.list.filter(isBefore);
    if (this.list.at(-1)?.epoch !== epoch) this.list.push({ epoch, startOffset });
    return true;
  }

  /** The log now ends at `endOffset`. Returns whether an entry went. */
  truncateFromEnd(endOffset: number): boolean {
    const kept = this.list.filter((entry) => entry.startOffset < endOffset);
    const changed = kept.length !== this.list.length;
    this.list = kept;
    return changed;
  }

  /** The log now starts at `startOffset`: the epoch of that offset starts there. */
  truncateFromStart(startOffset: number): boolean {
    const later = this.list.filter((entry) => entry.startOffset > startOffset);
    const covering = this.list.findLast((entry) => entry.startOffset <= startOffset);
    if (
      covering === undefined || (later.length + 1 === this.list.length &&
        covering.startOffset === startOffset)
    ) return false;
    this.list = [{ epoch: covering.epoch, startOffset }, ...later];
    return true;
  }

  /**
   * The largest epoch up to `leaderEpoch` and the offset behind its last record, as Kafka's
   * OffsetForLeaderEpoch answers; −1 and −1 if nothing is known of it.
   */
  endOffsetFor(
    leaderEpoch: number,
    logEndOffset: number,
  ): { leaderEpoch: number; endOffset: number } {
    const undefinedAnswer = { leaderEpoch: UNDEFINED_EPOCH, endOffset: UNDEFINED_EPOCH_OFFSET };
    const latest = this.latest();
    if (leaderEpoch < 0 || latest === null) return undefinedAnswer;
    if (leaderEpoch === latest) return { leaderEpoch, endOffset: logEndOffset };
    const higher = this.list.find((entry) => entry.epoch > leaderEpoch);
    if (higher === undefined) return undefinedAnswer;
    const floor = this.list.findLast((entry) => entry.epoch <= leaderEpoch);
    return { leaderEpoch: floor?.epoch ?? leaderEpoch, endOffset: higher.startOffset };
  }
}
