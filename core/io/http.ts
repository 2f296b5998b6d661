/** The seam to an HTTP server. */
import type { HostPort } from "../io.ts";

/** What an open WebSocket is to who owns it. */
export interface WebSocketPeer {
  /** Bytes that were sent and that the system has not taken yet. */
  readonly pendingBytes: number;
  /** Sends a text frame, behind all earlier ones. */
  send(text: string): void;
  /** Closes with a code and a reason of RFC 6455, behind what was sent. */
  close(code: number, reason: string): void;
}

/** What the owner of a WebSocket hears. No callback comes after `onClose`. */
export interface WebSocketHandlers {
  onText(text: string): void;
  /** What was sent has gone out. */
  onDrain(): void;
  onClose(): void;
}

/** What the server can do for one request besides taking its response. */
export interface HttpExchange {
  /** How long the connection may be without traffic from now on; 0: for ever, at most 255. */
  setIdleSeconds(seconds: number): void;
  /**
   * Makes a WebSocket of the connection: the response is not used then. False if the request asked
   * for none. `open` is called once, when frames can be sent.
   */
  upgrade(open: (socket: WebSocketPeer) => WebSocketHandlers): boolean;
}

/** Answers a request of `peer`; never rejects. */
export type HttpHandler = (
  request: Request,
  peer: HostPort,
  exchange: HttpExchange,
) => Promise<Response>;

/** Where an HTTP server listens; the port is never 0. */
export interface HttpAddress extends HostPort {
  readonly isTls: boolean;
}

/** A bound HTTP server. */
export interface HttpListener {
  readonly address: HttpAddress;
  /** Takes no more, and cuts the connections that are open. */
  close(): Promise<void>;
}

/** How much a request may take. */
export interface HttpLimits {
  /** A larger body is refused before it is read. */
  readonly bodyBytesMax: number;
  /** A connection without traffic for so long is closed; at most 255. */
  readonly idleSeconds: number;
  /** Of one frame of a WebSocket. */
  readonly frameBytesMax: number;
}

/** What a server proves itself with, in PEM. */
export interface HttpTls {
  readonly cert: string;
  readonly key: string;
}

/** Binds at once, or throws an error with the system's `code` (EADDRINUSE, EACCES, …). */
export type ServeHttp = (
  at: HostPort,
  limits: HttpLimits,
  handler: HttpHandler,
  tls: HttpTls | null,
) => HttpListener;
