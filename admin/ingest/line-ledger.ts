/**
 * Which lines of a body are acknowledged. Records go to partitions and come back as batches in any
 * order, so it keeps of each partition what line its n-th record was: as runs of lines in a row, which
 * are few where the partitioner stays with a partition, and only as long as records are under way.
 */
import type { BatchReport } from "../../client/producer.ts";

/** What has become of the records of a partition. */
export interface PartitionOutcome {
  readonly partition: number;
  /** How many were acknowledged. */
  readonly records: number;
  /** Of the first and last one; null where the broker does not say (acks=0). */
  readonly firstOffset: number | null;
  readonly lastOffset: number | null;
}

/** Lines in a row that went to the same partition one after the other. */
interface Run {
  /** Which record of the partition the first one is, counted from the producer's first. */
  readonly index: number;
  readonly line: number;
}

/** One partition's records under way. */
class PartitionLines {
  acknowledged = 0;
  firstOffset = Infinity;
  lastOffset = -1;
  /** The index of the next record. */
  #next: number;
  #nextLine = -1;
  #runs: Run[] = [];
  #settled = 0;
  #given = 0;

  constructor(index: number) {
    this.#next = index;
  }

  give(line: number): void {
    if (line !== this.#nextLine) this.#runs.push({ index: this.#next, line });
    this.#next++;
    this.#given++;
    this.#nextLine = line + 1;
  }

  settle(count: number): void {
    this.#settled += count;
    if (this.#settled < this.#given) return;
    this.#runs = [];
    this.#nextLine = -1;
  }

  /** The line of the record with this index; 0 for one of somebody else. */
  lineOf(index: number): number {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#runs[middle]!.index <= index) low = middle + 1;
      else high = middle;
    }
    const run = this.#runs[low - 1];
    return run === undefined ? 0 : run.line + index - run.index;
  }
}

/** See the head of the file. Lines count from 1. */
export class LineLedger {
  given = 0;
  acknowledged = 0;
  failed = 0;
  /** Why the first batch failed. */
  error: Error | null = null;
  /** The last line that is acknowledged; 0: none. */
  lastAcknowledged = 0;
  /** The first line that was given up; Infinity: none. */
  firstFailed = Infinity;
  readonly #partitions: (PartitionLines | undefined)[] = [];

  /** `startOf`: how many records of a partition the producer had before this body. */
  constructor(readonly startOf: (partition: number) => number) {}

  /** The record of this line goes to the partition. */
  give(partition: number, line: number): void {
    this.given++;
    (this.#partitions[partition] ??= new PartitionLines(this.startOf(partition))).give(line);
  }

  /** Takes the producer's word for a batch. */
  report({ partition, recordCount, recordsBefore, baseOffset, error }: BatchReport): void {
    const lines = this.#partitions[partition];
    if (lines === undefined) return;
    if (error === null) {
      this.acknowledged += recordCount;
      lines.acknowledged += recordCount;
      const last = lines.lineOf(recordsBefore + recordCount - 1);
      this.lastAcknowledged = Math.max(this.lastAcknowledged, last);
      if (baseOffset >= 0n) {
        lines.firstOffset = Math.min(lines.firstOffset, Number(baseOffset));
        lines.lastOffset = Math.max(lines.lastOffset, Number(baseOffset) + recordCount - 1);
      }
    } else {
      this.failed += recordCount;
      this.error ??= error;
      this.firstFailed = Math.min(this.firstFailed, lines.lineOf(recordsBefore));
    }
    lines.settle(recordCount);
  }

  /** The partitions that records went to. */
  outcomes(): PartitionOutcome[] {
    return this.#partitions.flatMap((lines, partition) => {
      if (lines === undefined) return [];
      const isKnown = lines.lastOffset >= 0;
      return [{
        partition,
        records: lines.acknowledged,
        firstOffset: isKnown ? lines.firstOffset : null,
        lastOffset: isKnown ? lines.lastOffset : null,
      }];
    });
  }
}
