/** Bounds lines of the log that say all the same: so many in ten seconds, then how many were left out. */
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";

const WINDOW_MS = 10_000;
const LINES_MAX = 20;

/** See the head of the file. */
export class LineLimit {
  #windowStartMs = -Infinity;
  #lines = 0;

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
    /** What is said of those that were left out. */
    private readonly message: string,
  ) {}

  /** Whether there is room for one more, which is counted. */
  allows(): boolean {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      const leftOut = this.#lines - LINES_MAX;
      if (leftOut > 0) this.logger.warn(this.message, { leftOut });
      this.#windowStartMs = nowMs;
      this.#lines = 0;
    }
    return ++this.#lines <= LINES_MAX;
  }
}
