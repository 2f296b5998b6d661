/**
 * What cleaning has to know of transactions while it walks through a log from its start: which data
 * was aborted, and which markers have outlived all data that they speak of (Kafka's
 * `CleanedTransactionMetadata`).
 */
import {
  isTransactional,
  lastOffset,
  producerId,
  recordsCount,
} from "../../core/records/batch-header.ts";
import { readControlRecord } from "../../core/records/control-records.ts";
import type { AbortedTransaction } from "../aborted-index.ts";

interface Ongoing {
  readonly transaction: AbortedTransaction;
  hasData: boolean;
}

/** See the head of this file. */
export class CleanedTransactions {
  /** Not reached yet, ascending by first offset. */
  private readonly ahead: readonly AbortedTransaction[];
  private next = 0;
  private readonly aborted = new Map<number, Ongoing>();
  private readonly committed = new Set<number>();
  /** Aborted transactions of which something is left: they stay in the index. */
  private kept: AbortedTransaction[] = [];

  /** `aborted` are those of the range that is walked through, in any order. */
  constructor(aborted: readonly AbortedTransaction[]) {
    this.ahead = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether the data batch at `at` was aborted. */
  isAborted(bytes: Uint8Array, at: number): boolean {
    this.reach(lastOffset(bytes, at));
    if (!isTransactional(bytes, at)) return false;
    const id = producerId(bytes, at);
    const ongoing = this.aborted.get(id);
    if (ongoing === undefined) {
      this.committed.add(id);
      return false;
    }
    ongoing.hasData = true;
    return true;
  }

  /**
   * Whether no data is left of the transaction that the control batch at `at` ends. Throws
   * `CorruptRecordError`.
   */
  isOutlived(bytes: Uint8Array, at: number): boolean {
    this.reach(lastOffset(bytes, at));
    // An earlier cleaning has emptied it.
    if (recordsCount(bytes, at) === 0) return true;
    const id = producerId(bytes, at);
    switch (readControlRecord(bytes, at).type) {
      case "commit":
        return !this.committed.delete(id);
      case "abort": {
        const ongoing = this.aborted.get(id);
        this.aborted.delete(id);
        if (ongoing === undefined || !ongoing.hasData) return true;
        this.kept.push(ongoing.transaction);
        return false;
      }
      case "other":
        return false;
    }
  }

  /** The transactions for the index of the cleaned segment, since the last call. */
  takeKept(): AbortedTransaction[] {
    const { kept } = this;
    this.kept = [];
    return kept;
  }

  /** Aborted transactions that have begun up to `offset` are under way. */
  private reach(offset: number): void {
    for (; this.next < this.ahead.length; this.next++) {
      const transaction = this.ahead[this.next]!;
      if (transaction.firstOffset > offset) return;
      if (!this.aborted.has(transaction.producerId)) {
        this.aborted.set(transaction.producerId, { transaction, hasData: false });
      }
    }
  }
}
