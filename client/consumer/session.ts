/** How long the group counts on a member that it no longer hears of. */
import type { Clock, Timer } from "../../core/io.ts";

/**
 * A member's session as the member sees it: it counts from when that was sent which the coordinator
 * answered last, and the coordinator from when it got it, or later. So it ends here first, and what
 * the member has is given up before others can get it.
 */
export class Session {
  #heardMs: number;
  #timer: Timer | null = null;
  #ended = new AbortController();

  /** `onOver` hears that its time is over; not that it is ended before. */
  constructor(
    readonly clock: Clock,
    readonly timeoutMs: number,
    private readonly onOver: () => void = () => {},
  ) {
    this.#heardMs = clock.monotonicMs() - timeoutMs;
    this.#ended.abort();
  }

  /** What was sent then has been answered; begins a session where there is none. */
  heard(sentMs: number): void {
    this.#heardMs = sentMs;
    this.#timer?.cancel();
    if (this.#ended.signal.aborted) this.#ended = new AbortController();
    const ended = this.#ended;
    this.#timer = this.clock.setTimer(Math.max(0, this.leftMs), () => {
      ended.abort();
      this.onOver();
    });
  }

  /** At most this long it still lasts. */
  get leftMs(): number {
    return this.timeoutMs - this.silentMs;
  }

  /** Since the coordinator was last told something that it answered. */
  get silentMs(): number {
    return this.clock.monotonicMs() - this.#heardMs;
  }

  /** Is aborted at the end of the session that there is now. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Ends it before its time. */
  end(): void {
    this.#timer?.cancel();
    this.#ended.abort();
  }
}
