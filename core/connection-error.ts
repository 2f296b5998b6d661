/** What goes wrong with a connection to a broker, in words for whoever has to mend it. */
import type { HostPort } from "./io.ts";

/** Why a connection could not be used. `refused`, `timeout` and `closed` may pass; the others not. */
export type ConnectionFailure =
  | "refused"
  | "timeout"
  | "closed"
  | "aborted"
  | "not-kafka"
  | "unsupported"
  | "malformed";

/** A request got no answer, because of the connection and not by a broker's decision. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  constructor(
    readonly failure: ConnectionFailure,
    readonly address: HostPort,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** As other errors of the client have one. */
  get code(): ConnectionFailure {
    return this.failure;
  }

  /** Whether another attempt, perhaps at another broker, can succeed. */
  get retriable(): boolean {
    return this.failure === "refused" || this.failure === "timeout" || this.failure === "closed";
  }
}

/** `host:port`, with brackets round an IPv6 address. */
export function addressText(address: HostPort): string {
  return address.host.includes(":")
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

/** Why no connection could be made; `signal` is the one that the attempt was given. */
export function connectFailure(
  address: HostPort,
  error: unknown,
  signal: AbortSignal | undefined,
): ConnectionError {
  if (signal?.aborted) {
    return new ConnectionError("aborted", address, "connecting was aborted", { cause: error });
  }
  const why = error instanceof Error ? error.message : String(error);
  const message = `cannot connect to ${addressText(address)}: ${why}`;
  return new ConnectionError("refused", address, message, { cause: error });
}

/** In words, whose the first bytes of a peer are if they are no Kafka response; else null. */
export function strangerOf(bytes: Uint8Array): string | null {
  const start = String.fromCharCode(...bytes.subarray(0, 5));
  if (start.startsWith("HTTP")) return "it answers in HTTP";
  if (start.startsWith("SSH-")) return "it is an SSH server";
  // A TLS record: alert (0x15) or handshake (0x16), version 3.x; as a length it would be 350 MB.
  if ((bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 0x03) return "it answers in TLS";
  return null;
}
