/** What one client may read at a time and in a second, so that nobody reads at the cost of others. */
import { type Clock, sleep } from "../../core/io.ts";
import { Problem } from "../problem.ts";

/** The bounds of reading by HTTP. A client is an address, without its port. */
export const BROWSE_LIMITS = {
  /** Streams and WebSockets of a client at a time; more are refused (429). */
  streamsPerClient: 16,
  /** Of all clients together (503). */
  streams: 128,
  /** Searches of a client at a time. */
  searchesPerClient: 2,
  /** What a client is sent in a second; beyond it its streams wait. */
  bytesPerSecond: 256 * 1024 * 1024,
  /** A reader that takes nothing of what waits for it for so long is let go. */
  slowReaderMs: 30_000,
  /** Work for one stream before others get their turn. */
  turnMs: 4,
} as const;

/** What is sent at once without waiting. */
const BURST_MS = 250;

interface ClientUse {
  streams: number;
  searches: number;
  /** When what was sent is paid for, on the monotonic clock. */
  paidUntilMs: number;
}

/** Counts what clients use. */
export class BrowseAdmission {
  readonly #clients = new Map<string, ClientUse>();
  #streams = 0;

  constructor(readonly clock: Clock) {}

  /** Lets a stream in, or throws a `Problem`. To be left once. */
  enter(host: string, kind: "stream" | "search"): BrowsePermit {
    const use = this.#clients.get(host) ?? { streams: 0, searches: 0, paidUntilMs: 0 };
    const { streamsPerClient, streams, searchesPerClient } = BROWSE_LIMITS;
    if (use.streams >= streamsPerClient) throw tooMany(`${streamsPerClient} streams`);
    if (kind === "search" && use.searches >= searchesPerClient) {
      throw tooMany(`${searchesPerClient} searches`);
    }
    if (this.#streams >= streams) {
      throw new Problem(503, "busy", `${streams} streams are open: try again later`);
    }
    this.#clients.set(host, use);
    this.#count(use, kind, 1);
    let isIn = true;
    return {
      sent: (bytes, signal) => this.#pay(use, bytes, signal),
      leave: () => {
        if (!isIn) return;
        isIn = false;
        this.#count(use, kind, -1);
        if (use.streams === 0) this.#clients.delete(host);
      },
    };
  }

  #count(use: ClientUse, kind: "stream" | "search", by: 1 | -1): void {
    use.streams += by;
    if (kind === "search") use.searches += by;
    this.#streams += by;
  }

  async #pay(use: ClientUse, bytes: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    const costMs = bytes / BROWSE_LIMITS.bytesPerSecond * 1000;
    use.paidUntilMs = Math.max(use.paidUntilMs, nowMs) + costMs;
    const waitMs = use.paidUntilMs - nowMs - BURST_MS;
    if (waitMs > 0) await sleep(this.clock, waitMs, signal).catch(() => {});
  }
}

/** A place among those who read. */
export interface BrowsePermit {
  /** Bytes were sent; resolves when more may be. */
  sent(bytes: number, signal: AbortSignal): Promise<void>;
  leave(): void;
}

function tooMany(what: string): Problem {
  return new Problem(429, "too many", `this client has ${what} open already: close one`);
}
