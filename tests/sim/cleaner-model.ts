/** What a compacted log ought to hold, record by record, kept apart from the code under test. */

/** A transaction of one producer on the log. */
export interface ModelTransaction {
  readonly producer: CleanedProducer;
  readonly firstOffset: number;
  /** Null while it is open. */
  end: { readonly offset: number; readonly isAborted: boolean } | null;
}

/** A record that was appended. */
export interface ModelRecord {
  readonly offset: number;
  readonly key: string;
  /** Null for a tombstone. */
  readonly value: string | null;
  readonly timestampMs: number;
  readonly transaction: ModelTransaction | null;
  /** When a cleaning first had it in its range; null if none had. */
  firstCleanedMs: number | null;
}

/** A producer with sequences, perhaps with transactions. */
export interface CleanedProducer {
  readonly id: number;
  nextSequence: number;
  open: ModelTransaction | null;
  /** Its latest batches, oldest first, as they can come again. */
  readonly sent: {
    readonly baseOffset: number;
    readonly sequence: number;
    readonly keys: string[];
  }[];
}

/** A record that was read. */
export interface SeenRecord {
  readonly offset: number;
  readonly key: string;
  readonly value: string | null;
  readonly timestampMs: number;
}

/** See the head of this file. */
export class CleanedModel {
  records: ModelRecord[] = [];
  transactions: ModelTransaction[] = [];
  startOffset = 0;
  endOffset = 0;
  /** No cleaning has ever been allowed to touch anything from here on. */
  cleanableTo = 0;

  /** A cleaning begins that may go up to `offset`. */
  beginCleaning(offset: number, nowMs: number): void {
    this.cleanableTo = Math.max(this.cleanableTo, offset);
    for (const record of this.records) {
      if (record.offset < offset) record.firstCleanedMs ??= nowMs;
    }
  }

  /** The log has lost everything from `offset` on. */
  cut(offset: number): void {
    this.records = this.records.filter((record) => record.offset < offset);
    this.transactions = this.transactions.filter((one) => one.firstOffset < offset);
    for (const one of this.transactions) {
      if (one.end !== null && one.end.offset >= offset) one.end = null;
    }
    this.endOffset = offset;
    this.cleanableTo = Math.min(this.cleanableTo, offset);
  }

  /** Whether a reader of what is committed may see the record. */
  isCommitted(record: ModelRecord): boolean {
    return record.transaction === null || record.transaction.end?.isAborted === false;
  }

  /**
   * What is wrong with `seen`, which is everything that a reader of what is committed has got from
   * the start up to `stableOffset`; null if nothing is.
   */
  judge(
    seen: readonly SeenRecord[],
    stableOffset: number,
    nowMs: number,
    deleteRetentionMs: number,
  ): string | null {
    const visible = this.records.filter((record) =>
      record.offset >= this.startOffset && record.offset < stableOffset && this.isCommitted(record)
    );
    const byOffset = new Map(visible.map((record) => [record.offset, record]));
    for (const record of seen) {
      const wanted = byOffset.get(record.offset);
      if (wanted === undefined) return `${record.offset} should not be seen: ${record.key}`;
      const isSame = wanted.key === record.key && wanted.value === record.value &&
        wanted.timestampMs === record.timestampMs;
      if (!isSame) return `${record.offset} is ${JSON.stringify(record)}`;
      byOffset.delete(record.offset);
    }
    const lastCleanable = new Map<string, ModelRecord>();
    for (const record of visible) {
      if (record.offset < this.cleanableTo) lastCleanable.set(record.key, record);
    }
    for (const missing of byOffset.values()) {
      const { offset, key, value, firstCleanedMs } = missing;
      if (offset >= this.cleanableTo) return `${offset} is gone, beyond ${this.cleanableTo}`;
      if (lastCleanable.get(key) !== missing) continue;
      if (value !== null) return `${offset} is gone, the last one of ${key}`;
      const isOver = firstCleanedMs !== null && nowMs >= firstCleanedMs + deleteRetentionMs;
      if (!isOver) return `the tombstone at ${offset} went too early`;
      // What it deleted must not come back.
      const ghost = seen.find((record) => record.key === key && record.offset < offset);
      if (ghost !== undefined) return `${ghost.offset} is back, behind the tombstone at ${offset}`;
    }
    return null;
  }
}
