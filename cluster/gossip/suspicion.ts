/**
 * A member under suspicion (Lifeguard, section IV-B, LHA-Suspicion): it begins with much time to
 * object, and each independent accuser shortens it. So a member that is alone with its opinion,
 * since it is itself slow or cut off, waits long before it tells others.
 */

/** How long a suspicion lasts. */
export interface SuspicionBounds {
  readonly minMs: number;
  readonly maxMs: number;
  /** So many accusers besides the first make it last `minMs`. */
  readonly confirmations: number;
}

/** See the head of this file. */
export class Suspicion {
  readonly #accusers = new Set<number>();
  #deadlineMs: number;

  constructor(readonly bounds: SuspicionBounds, from: number, private sinceMs: number) {
    this.#accusers.add(from);
    this.#deadlineMs = this.#compute();
  }

  /** When it becomes certainty. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  /** Somebody else suspects it too; false if that is nothing new, or enough others have said so. */
  confirm(from: number): boolean {
    if (this.#accusers.has(from) || this.#confirmed() >= this.bounds.confirmations) return false;
    this.#accusers.add(from);
    this.#deadlineMs = this.#compute();
    return true;
  }

  /** This process has not run for a while, in which it could hear no objection. */
  extend(byMs: number): void {
    this.sinceMs += byMs;
    this.#deadlineMs += byMs;
  }

  #confirmed(): number {
    return this.#accusers.size - 1;
  }

  #compute(): number {
    const { minMs, maxMs, confirmations } = this.bounds;
    if (confirmations <= 0) return this.sinceMs + minMs;
    const share = Math.log(this.#confirmed() + 1) / Math.log(confirmations + 1);
    return this.sinceMs + Math.max(minMs, maxMs - share * (maxMs - minMs));
  }
}
