/**
 * A line for each request that takes longer than `kstream.slow.request.ms`, with where the time went.
 * Requests that wait by their nature (long polls, rebalances) count with what the handler did at once.
 */
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { LineLimit } from "./line-limit.ts";

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
  /** What the client calls it on its connection. */
  readonly correlationId: number;
  readonly listener: string;
  readonly peer: string;
  readonly totalMs: number;
  readonly queueMs: number;
  /** −1: not known. */
  readonly localMs: number;
  readonly requestBytes: number;
}

/** See the head of the file. */
export class SlowRequests {
  readonly #limit: LineLimit;

  constructor(
    clock: Clock,
    private readonly logger: Logger,
    /** From here on a request is slow. */
    readonly limitMs: number,
  ) {
    this.#limit = new LineLimit(clock, logger, "more slow requests");
  }

  /** One that has taken at least `limitMs`. */
  note(request: FinishedRequest): void {
    const { api, totalMs, queueMs, localMs } = request;
    if (WAITING_APIS.has(api) && queueMs < this.limitMs && localMs < this.limitMs) return;
    if (!this.#limit.allows()) return;
    this.logger.warn("a slow request", {
      api,
      clientId: request.clientId,
      connection: request.connection,
      correlationId: request.correlationId,
      listener: request.listener,
      peer: request.peer,
      totalMs: Math.round(totalMs),
      queueMs: Math.round(queueMs),
      localMs: localMs < 0 ? null : Math.round(localMs),
      requestBytes: request.requestBytes,
    });
  }
}
