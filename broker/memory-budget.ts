/**
 * The bytes of requests that all connections together may hold: those that came and are not yet
 * answered. At the limit sockets are no longer read, so that senders feel it through TCP, and
 * reading goes on in the order in which connections came to wait.
 *
 * Nothing is reserved ahead, so the limit is passed by at most what the sockets deliver at once.
 *
 * Held bytes come free when requests are answered. If none is under way, what is held are pieces
 * of frames whose ends are not read, and waiting would last for ever. Then one connection, the
 * first in line, is favoured: it is read whatever the limit, until its frame is complete. If it
 * does not get there in time, it is closed.
 */
import type { Clock, Timer } from "../core/io.ts";

/** How long a favoured connection may take to complete its frame. */
const FAVOURED_MS_MAX = 10_000;
/** Connections that go on reading at once; the next ones follow if there is room then. */
const RESUMED_AT_ONCE = 8;
/** Pause between two such groups: long enough for the first to have been read. */
const RESUME_PAUSE_MS = 1;

/** A connection, as the budget sees it. */
export interface BudgetHolder {
  /** Whether it holds a piece of a frame whose end it has not read. */
  readonly inFrame: boolean;
  /** The holder may read again. */
  onRoom(): void;
  /** The holder was favoured and has not completed its frame. */
  onFavourExpired(): void;
}

/** Shared by all connections of a broker. */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly #clock: Clock;
  #usedBytes = 0;
  #requestsUnderWay = 0;
  /** In the order in which they came to wait. */
  readonly #waiting = new Set<BudgetHolder>();
  #favoured: BudgetHolder | null = null;
  #favouredTimer: Timer | null = null;
  #resumeTimer: Timer | null = null;

  constructor(clock: Clock, limitBytes: number) {
    this.#clock = clock;
    this.limitBytes = limitBytes;
  }

  /** Bytes that are held at the moment. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether `holder` may read on; if not, it stops reading and waits for `onRoom`. */
  mayRead(holder: BudgetHolder): boolean {
    if (this.#usedBytes <= this.limitBytes || holder === this.#favoured) return true;
    this.#waiting.add(holder);
    this.#favourIfStuck();
    return !this.#waiting.has(holder);
  }

  /** Bytes came. */
  hold(bytes: number): void {
    this.#usedBytes += bytes;
  }

  /** Bytes are no longer held. */
  free(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#resume();
  }

  /** A complete request of `holder` was begun. */
  requestStarted(holder: BudgetHolder): void {
    this.#requestsUnderWay++;
    this.#unfavour(holder);
  }

  /** It was answered. Its bytes are freed by `free`, before or after. */
  requestFinished(): void {
    this.#requestsUnderWay--;
    this.#favourIfStuck();
  }

  /** The holder is gone; it has freed its bytes. */
  leave(holder: BudgetHolder): void {
    this.#waiting.delete(holder);
    this.#unfavour(holder);
    this.#favourIfStuck();
  }

  /** Lets the first in line read again; `force` does so also above the limit. */
  #resume(force = false): void {
    if (this.#waiting.size === 0 || this.#resumeTimer !== null) return;
    let resumed = 0;
    for (const holder of this.#waiting) {
      if (!force && this.#usedBytes > this.limitBytes) return;
      if (resumed++ === RESUMED_AT_ONCE) {
        this.#resumeTimer = this.#clock.setTimer(RESUME_PAUSE_MS, () => {
          this.#resumeTimer = null;
          this.#resume();
          this.#favourIfStuck();
        });
        return;
      }
      this.#waiting.delete(holder);
      holder.onRoom();
    }
  }

  #favourIfStuck(): void {
    if (this.#requestsUnderWay > 0 || this.#favoured !== null) return;
    if (this.#usedBytes <= this.limitBytes) return;
    for (const holder of this.#waiting) {
      if (!holder.inFrame) continue;
      this.#waiting.delete(holder);
      this.#favoured = holder;
      this.#favouredTimer = this.#clock.setTimer(FAVOURED_MS_MAX, () => holder.onFavourExpired());
      holder.onRoom();
      return;
    }
    // Those who wait hold nothing themselves: the bytes lie behind clients that do not take their
    // responses, and must not stop the others.
    this.#resume(true);
  }

  #unfavour(holder: BudgetHolder): void {
    if (this.#favoured !== holder) return;
    this.#favoured = null;
    this.#favouredTimer?.cancel();
    this.#favouredTimer = null;
  }
}
