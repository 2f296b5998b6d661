/** What goes wrong with a connection to a broker, in words for whoever has to mend it. */
import { type HostPort, TlsError } from "./io.ts";

/**
 * Why a connection could not be used. `refused`, `timeout` and `closed` may pass; the others not.
 * `tls` and `authentication`: broker and client do not trust each other.
 */
export type ConnectionFailure =
  | "refused"
  | "timeout"
  | "closed"
  | "aborted"
  | "tls"
  | "authentication"
  | "not-kafka"
  | "unsupported"
  | "malformed";

/** What may be known of a failure besides its words. */
export interface ConnectionErrorOptions extends ErrorOptions {
  /** See `ConnectionError.unansweredApi`. */
  readonly unansweredApi?: string;
}

/** A request got no answer, because of the connection and not by a broker's decision. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  /** The API, by its name, of the request whose deadline has ended the connection; else null. */
  readonly unansweredApi: string | null;

  constructor(
    readonly failure: ConnectionFailure,
    readonly address: HostPort,
    message: string,
    options?: ConnectionErrorOptions,
  ) {
    super(message, options);
    this.unansweredApi = options?.unansweredApi ?? null;
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

/** What the end of a connection at its first request looks like, in its message. */
export const WANTS_SASL = "does it want SASL?";

/** Whether a connection was ended as a listener with SASL does it to those who do without. */
export function seemsToWantSasl(error: unknown): boolean {
  return error instanceof ConnectionError && error.message.includes(WANTS_SASL);
}

/** How the system's words begin where a name has no address. */
const RESOLVING = "getaddrinfo ";
const UNKNOWN_NAME = "nobody knows this name";

/** Whether the host has a name that is not known here: mistyped, or of another network. */
export function isUnknownName(error: ConnectionError): boolean {
  return error.message.includes(UNKNOWN_NAME);
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
  if (error instanceof TlsError) return tlsFailure(address, error);
  const said = error instanceof Error ? error.message : String(error);
  const why = said.startsWith(RESOLVING) ? `${UNKNOWN_NAME} (${said})` : said;
  const message = `cannot connect to ${addressText(address)}: ${why}`;
  return new ConnectionError("refused", address, message, { cause: error });
}

/** What went wrong with TLS, as far as somebody can do something about it. */
export type TlsTrouble =
  | "untrusted"
  | "wrong-name"
  | "expired"
  | "no-tls"
  | "client-certificate"
  | "own-files"
  | "other";

/** Sorts the codes and words of OpenSSL, BoringSSL (Bun) and rustls (Deno). */
export function tlsTrouble(code: string, message: string): TlsTrouble {
  const text = `${code} ${message}`.toUpperCase().replaceAll(" ", "_");
  if (/SELF[_-]SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|UNKNOWNISSUER/.test(text)) {
    return "untrusted";
  }
  if (/ALTNAME|HOSTNAME_MISMATCH|NOTVALIDFORNAME/.test(text)) return "wrong-name";
  if (/EXPIRED|NOT_YET_VALID/.test(text)) return "expired";
  if (/WRONG_VERSION|INVALIDCONTENTTYPE|ECONNRESET|HTTP_REQUEST/.test(text)) return "no-tls";
  if (/CERTIFICATE_?REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN/.test(text)) {
    return "client-certificate";
  }
  if (/KEY_VALUES_MISMATCH|PEM_ROUTINES|X\.?509_.*ROUTINES|ERR_OSSL/.test(text)) return "own-files";
  return "other";
}

const TLS_TROUBLES: Readonly<Record<TlsTrouble, string>> = {
  untrusted: "its certificate is signed by nobody who is trusted here",
  "wrong-name": "its certificate is for another name",
  expired: "its certificate is not valid at this time",
  "no-tls": "it does not seem to speak TLS",
  "client-certificate": "it wants a certificate of this client that it trusts",
  "own-files": "the certificates and the key that were given are of no use",
  other: "the handshake failed",
};

/** The failure of a connection whose TLS did not come about or was ended by an alert. */
export function tlsFailure(address: HostPort, error: TlsError): ConnectionError {
  const why = TLS_TROUBLES[tlsTrouble(error.code, error.message)];
  const message = `no TLS with ${addressText(address)}: ${why} (${error.message})`;
  // A broker that goes down in the middle of a handshake looks like one that knows no TLS.
  const failure = error.code === "ECONNRESET" ? "closed" : "tls";
  return new ConnectionError(failure, address, message, { cause: error });
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
