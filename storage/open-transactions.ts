/**
 * Which transactions hold back the readers of a log (Kafka's `ProducerStateManager`, its
 * `ongoingTxns` and `unreplicatedTxns`): those that are open, and those whose end is not committed
 * yet, since readers must not pass a marker that a new leader may not have.
 */

/** A transaction that a marker ends. */
export interface EndedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** The offset of the marker. */
  readonly lastOffset: number;
  readonly isAborted: boolean;
}

/** See the head of this file. */
export class OpenTransactions {
  /** Producer ids by the first offset of their transaction, ascending: offsets are. */
  private readonly open = new Map<number, number>();
  private ended: EndedTransaction[] = [];

  /** Transactions begin in the order of their offsets. */
  begin(producerId: number, firstOffset: number): void {
    this.open.set(firstOffset, producerId);
  }

  end(transaction: EndedTransaction): void {
    this.open.delete(transaction.firstOffset);
    this.ended.push(transaction);
  }

  /** As the producers of a snapshot say. */
  restore(producers: readonly { producerId: number; currentTxnFirstOffset: number }[]): void {
    this.clear();
    const open = producers.filter(({ currentTxnFirstOffset }) => currentTxnFirstOffset >= 0);
    open.sort((a, b) => a.currentTxnFirstOffset - b.currentTxnFirstOffset);
    for (const each of open) this.begin(each.producerId, each.currentTxnFirstOffset);
  }

  clear(): void {
    this.open.clear();
    this.ended = [];
  }

  /** The first offset that readers of what is committed may not see; null if nothing is held back. */
  firstUnstableOffset(highWatermark: number): number | null {
    let first: number | null = null;
    for (const offset of this.open.keys()) {
      first = offset;
      break;
    }
    if (this.ended.length === 0) return first;
    this.ended = this.ended.filter(({ lastOffset }) => lastOffset >= highWatermark);
    for (const { firstOffset } of this.ended) first = Math.min(first ?? firstOffset, firstOffset);
    return first;
  }

  /** Up to where readers could see if this one were ended and everything were committed. */
  stableOffsetAfter(transaction: EndedTransaction): number {
    for (const [offset, producerId] of this.open) {
      if (producerId !== transaction.producerId) return offset;
    }
    return transaction.lastOffset + 1;
  }
}
