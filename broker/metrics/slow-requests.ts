/**
 * A line for each request that takes longer than `kstream.slow.request.ms`, with where the time went.
 * Requests that wait by their nature (long polls, rebalances) count with what the handler did at once.
 * Bounded: so many lines in ten seconds, then how many were left out.
 */
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";

const WINDOW_MS = 10_000;
const LINES_MAX = 20;
const WAITING_APIS: ReadonlySet<string> = new Set([
  "Fetch",
  "ShareFetch",
  "JoinGroup",
  "SyncGroup",
]);

/** A request that is done. Times are milliseconds. */
export interface FinishedRequest {
  readonly api: string;
  readonly clientId: string | null;
  readonly connection: number;
  readonly peer: string;
  readonly totalMs: number;
  readonly queueMs: number;
  /** −1: not known. */
  readonly localMs: number;
  readonly requestBytes: number;
}

/** See the head of the file. */
export class SlowRequests {
  #windowStartMs = -Infinity;
  #lines = 0;

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
    /** From here on a request is slow. */
    readonly limitMs: number,
  ) {}

  /** One that has taken at least `limitMs`. */
  note(request: FinishedRequest): void {
    const { api, totalMs, queueMs, localMs } = request;
    if (WAITING_APIS.has(api) && queueMs < this.limitMs && localMs < this.limitMs) return;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      const leftOut = this.#lines - LINES_MAX;
      if (leftOut > 0) this.logger.warn("more slow requests", { leftOut });
      this.#windowStartMs = nowMs;
      this.#lines = 0;
    }
    if (++this.#lines > LINES_MAX) return;
    this.logger.warn("a slow request", {
      api,
      clientId: request.clientId,
      connection: request.connection,
      peer: request.peer,
      totalMs: Math.round(totalMs),
      queueMs: Math.round(queueMs),
      localMs: localMs < 0 ? null : Math.round(localMs),
      requestBytes: request.requestBytes,
    });
  }
}
