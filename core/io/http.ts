/** The seam to an HTTP server. */
import type { HostPort } from "../io.ts";

/** Answers a request of `peer`; never rejects. */
export type HttpHandler = (request: Request, peer: HostPort) => Promise<Response>;

/** A bound HTTP server; `address.port` is never 0. */
export interface HttpListener {
  readonly address: HostPort;
  /** Takes no more, and cuts the connections that are open. */
  close(): Promise<void>;
}

/** How much a request may take. */
export interface HttpLimits {
  readonly bodyBytesMax: number;
  /** A connection without traffic for so long is closed; at most 255. */
  readonly idleSeconds: number;
}

/** Binds at once, or throws an error with the system's `code` (EADDRINUSE, EACCES, …). */
export type ServeHttp = (at: HostPort, limits: HttpLimits, handler: HttpHandler) => HttpListener;
