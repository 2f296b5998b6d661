/** Notices that a peer which owes answers keeps silent, long before a request is given up. */
import type { Clock, Timer } from "./io.ts";

/** What a peer owes first: nothing else is to be expected before it. */
export interface Owed {
  /** On the monotonic clock. */
  readonly sinceMs: number;
  /** For so long it may take its time, as for a long poll. */
  readonly mayWaitMs: number;
}

/** See the head of the file. One timer at a time, however many answers are owed. */
export class SilenceWatch {
  #timer: Timer | null = null;
  #heardMs = -Infinity;

  constructor(
    readonly clock: Clock,
    /** So long nothing may be heard, beyond what the peer may take for what it owes. */
    readonly afterMs: number,
    readonly owed: () => Owed | null,
    /** Called after that time, and again and again as long as the silence lasts. */
    readonly tell: () => void,
  ) {}

  /** Something is owed. */
  expect(): void {
    this.#timer ??= this.clock.setTimer(this.afterMs, this.#check);
  }

  /** The peer has said something. */
  heard(): void {
    this.#heardMs = this.clock.monotonicMs();
  }

  get isSilent(): boolean {
    return this.#leftMs(this.owed()) <= 0;
  }

  /** Nothing is watched any more. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Until it counts as silence. */
  #leftMs(owed: Owed | null): number {
    if (owed === null) return Infinity;
    const sinceMs = Math.max(owed.sinceMs, this.#heardMs);
    return sinceMs + owed.mayWaitMs + this.afterMs - this.clock.monotonicMs();
  }

  readonly #check = () => {
    this.#timer = null;
    const owed = this.owed();
    if (owed === null) return;
    const leftMs = this.#leftMs(owed);
    const againMs = leftMs > 0 ? leftMs : Math.max(this.afterMs, owed.mayWaitMs);
    this.#timer = this.clock.setTimer(againMs, this.#check);
    if (leftMs <= 0) this.tell();
  };
}
