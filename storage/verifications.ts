/**
 * Producers whose transaction is being asked about (KIP-890). The first transactional batch to a
 * partition is let in only if the coordinator says that the partition is in the transaction, and
 * only if no marker has come since the question: else it would open a transaction that nobody ends.
 */

/** Says which question an answer belongs to. */
export interface VerificationGuard {
  readonly producerId: number;
}

interface Entry {
  readonly guard: VerificationGuard;
  epoch: number;
  /** The lowest sequence that has been asked for: no later batch may come in before it. */
  lowestSequence: number;
  readonly sinceMs: number;
}

/** See the head of this file. */
export class Verifications {
  private readonly byId = new Map<number, Entry>();

  /** The guard of the question that is open for the producer, or of a new one. */
  start(producerId: number, epoch: number, sequence: number, nowMs: number): VerificationGuard {
    const entry = this.byId.get(producerId);
    if (entry === undefined) {
      const guard = { producerId };
      this.byId.set(producerId, { guard, epoch, lowestSequence: sequence, sinceMs: nowMs });
      return guard;
    }
    if (epoch > entry.epoch) {
      entry.epoch = epoch;
      entry.lowestSequence = sequence;
    } else if (epoch === entry.epoch) {
      entry.lowestSequence = Math.min(entry.lowestSequence, sequence);
    }
    return entry.guard;
  }

  /** Whether the question that `guard` came from is still open. */
  holds(producerId: number, guard: VerificationGuard | null): boolean {
    return guard !== null && this.byId.get(producerId)?.guard === guard;
  }

  /** The lowest sequence asked for, or null. */
  lowestSequence(producerId: number): number | null {
    return this.byId.get(producerId)?.lowestSequence ?? null;
  }

  /** The question is answered, or pointless after a marker. */
  forget(producerId: number): void {
    this.byId.delete(producerId);
  }

  expire(nowMs: number, expirationMs: number): void {
    for (const [id, { sinceMs }] of this.byId) {
      if (nowMs - sinceMs >= expirationMs) this.byId.delete(id);
    }
  }

  clear(): void {
    this.byId.clear();
  }
}
