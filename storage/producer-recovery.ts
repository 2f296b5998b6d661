/**
 * Finds out the producer state of a log while its batches are read: from the newest snapshot that
 * can be relied on, then batch by batch. A snapshot that is come upon later on replaces what is
 * known, because it also knows of batches that have been deleted; not so behind damage, where it
 * would speak of batches that are lost, whose retries must not be taken for duplicates.
 */
import { baseOffset } from "../core/records/batch-header.ts";
import { abortedBy, type AbortedTransaction } from "./aborted-index.ts";
import type { LogContext } from "./log-context.ts";
import { segmentFileName, SNAPSHOT_SUFFIX } from "./names.ts";
import { decodeProducerSnapshot, encodeProducerSnapshot } from "./producer-snapshot.ts";
import { ProducerStates } from "./producer-state.ts";
import { readSmallFile } from "./small-files.ts";

/** See the head of this file. */
export class ProducerRecovery {
  readonly producers = new ProducerStates();
  /** Offsets of the snapshots that are relied on, ascending. */
  readonly kept: number[] = [];
  /** Offsets of those that the reading has not come to yet, ascending. */
  private ahead: number[];
  /** Batches from here on are not in `producers` yet. */
  replayFrom: number;
  private readonly nowMs: number;

  constructor(
    private readonly context: LogContext,
    private readonly dir: string,
    snapshots: readonly number[],
    firstOffset: number,
  ) {
    this.ahead = [...snapshots];
    this.replayFrom = firstOffset;
    this.nowMs = context.io.clock.wallMs();
  }

  /** Takes the newest good snapshot up to `limit`. */
  load(limit: number): void {
    const candidates = this.ahead.filter((offset) => offset <= limit);
    this.ahead = this.ahead.filter((offset) => offset > limit);
    while (candidates.length > 0 && !this.restore(candidates.at(-1)!)) {
      this.remove(candidates.pop()!);
    }
    this.kept.push(...candidates);
  }

  /** The reading has come to the batch at `offset`, or to the end of the log. */
  reach(offset: number, isBehindDamage: boolean): void {
    while (this.ahead.length > 0 && this.ahead[0]! <= offset) {
      const snapshot = this.ahead.shift()!;
      const counts = snapshot === offset && !isBehindDamage;
      if (counts && this.restore(snapshot)) this.kept.push(snapshot);
      else this.remove(snapshot);
    }
  }

  /** Takes in the batch at `at`. Returns the transaction that it aborts, or null. */
  update(bytes: Uint8Array, at: number): AbortedTransaction | null {
    if (baseOffset(bytes, at) < this.replayFrom) return null;
    const aborted = abortedBy(this.producers, bytes, at);
    this.producers.update(bytes, at, this.nowMs);
    return aborted;
  }

  /** Makes sure that there is a snapshot at `offset`, in the page cache. Throws a `DiskError`. */
  write(offset: number): void {
    if (this.kept.includes(offset)) return;
    const { disk } = this.context.io;
    disk.remove(this.path(offset));
    const file = disk.open(this.path(offset), "create");
    try {
      file.writeSync(encodeProducerSnapshot([...this.producers.entries()]), 0);
    } finally {
      file.close();
    }
    this.kept.push(offset);
  }

  /** The log ends at `offset`: what speaks of more goes. */
  cut(offset: number): void {
    for (const above of this.ahead.splice(0)) this.remove(above);
    for (const above of this.kept.filter((at) => at > offset)) this.remove(above);
    this.kept.splice(0, this.kept.length, ...this.kept.filter((at) => at <= offset));
  }

  /** Path of a snapshot. */
  path(offset: number): string {
    return `${this.dir}/${segmentFileName(offset, SNAPSHOT_SUFFIX)}`;
  }

  private restore(offset: number): boolean {
    const bytes = readSmallFile(this.context.io.disk, this.path(offset));
    const entries = bytes === null ? null : decodeProducerSnapshot(bytes);
    if (entries === null) {
      this.context.logger.warn("a producer snapshot is damaged", { dir: this.dir, offset });
      return false;
    }
    this.producers.restore(entries, this.nowMs);
    this.replayFrom = Math.max(this.replayFrom, offset);
    return true;
  }

  private remove(offset: number): void {
    this.context.io.disk.remove(this.path(offset));
  }
}
