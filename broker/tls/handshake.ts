/**
 * The time between a connection and the end of its TLS handshake: bounded, and what goes wrong in it is
 * told in a line that says what to do, but not more often than every ten seconds.
 */
import {
  type Clock,
  type HostPort,
  type SocketHandlers,
  type Timer,
  TlsError,
} from "../../core/io.ts";
import { tlsTrouble } from "../../core/connection-error.ts";
import type { Logger } from "../../core/logger.ts";
import type { Connection } from "../connection.ts";
import { formatAddress } from "../listeners.ts";
import type { ListenerTls } from "./listener-tls.ts";

/** A client that has not ended its handshake by then is hung up on. */
const HANDSHAKE_MS_MAX = 10_000;
/** Kinds of trouble that are counted apart: the library has fewer words. */
const KINDS_MAX = 100;
/** Lines about failed handshakes of one kind are at least this far apart. */
const LOG_INTERVAL_MS = 10_000;

/** What went wrong with a client, and what somebody can do about it. */
interface Trouble {
  readonly what: string;
  readonly whatToDo: string;
}

const TOO_LATE: Trouble = {
  what: `it did not end its handshake within ${HANDSHAKE_MS_MAX / 1000} s`,
  whatToDo: "check that the client speaks TLS, and the network between",
};
const NAMELESS: Trouble = {
  what: "no rule gives its certificate's subject a name",
  whatToDo: "add DEFAULT to ssl.principal.mapping.rules, or a rule that fits",
};

/** Lines about handshakes that failed, of all connections. */
export class HandshakeTroubles {
  /** By what went wrong: how often since the last line, and when that was. */
  readonly #kinds = new Map<string, { count: number; loggedMs: number }>();

  constructor(private readonly services: { readonly clock: Clock; readonly logger: Logger }) {}

  report(peer: HostPort, listener: string, trouble: Trouble): void {
    const { clock, logger } = this.services;
    const nowMs = clock.monotonicMs();
    const kind = this.#kinds.get(trouble.what) ?? { count: 0, loggedMs: -Infinity };
    if (this.#kinds.size < KINDS_MAX) this.#kinds.set(trouble.what, kind);
    kind.count++;
    const fields = { peer: formatAddress(peer), listener, ...trouble };
    if (nowMs - kind.loggedMs < LOG_INTERVAL_MS) {
      return logger.debug("no TLS with a client", fields);
    }
    logger.warn("no TLS with a client", { ...fields, failed: kind.count });
    kind.count = 0;
    kind.loggedMs = nowMs;
  }
}

/** The handlers of a socket that belongs to a connection, with what comes before its first byte. */
export class TlsHandshake implements SocketHandlers {
  #timer: Timer | null;

  constructor(
    private readonly connection: Connection,
    private readonly identify: ListenerTls["identify"],
    private readonly troubles: HandshakeTroubles,
    clock: Clock,
  ) {
    this.#timer = clock.setTimer(HANDSHAKE_MS_MAX, () => this.#fail(TOO_LATE));
  }

  onSecure(certificate: Uint8Array | null): void {
    this.#end();
    const principal = this.identify(certificate);
    if (principal === null) this.#fail(NAMELESS);
    else this.connection.principal = principal;
  }

  onData(bytes: Uint8Array): void {
    this.connection.onData(bytes);
  }

  onDrain(): void {
    this.connection.onDrain();
  }

  onClose(error: Error | null): void {
    if (this.#timer !== null) {
      this.#end();
      const trouble = error instanceof TlsError ? troubleOf(error) : null;
      if (trouble !== null) this.#report(trouble);
    }
    this.connection.onClose(error);
  }

  #end(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #fail(trouble: Trouble): void {
    this.#end();
    this.#report(trouble);
    this.connection.destroy();
  }

  #report(trouble: Trouble): void {
    this.troubles.report(this.connection.peerAddress, this.connection.listener.name, trouble);
  }
}

/** What the library's words mean; null: the client has only looked whether somebody listens. */
export function troubleOf(error: TlsError): Trouble | null {
  const words = error.message.toUpperCase();
  // OpenSSL breaks off TLS 1.3 with an alert that BoringSSL cannot read.
  if (/ALERT.*(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN)|BAD_PACKET_LENGTH/.test(words)) {
    return {
      what: "it broke off, as who does not trust this broker's certificate",
      whatToDo: "give the client the CA that has signed it (ssl.truststore.location, --tls-ca)",
    };
  }
  if (words.includes("DID_NOT_RETURN_A_CERTIFICATE")) {
    return {
      what: "it has shown no certificate",
      whatToDo: "give the client one (ssl.keystore.location, --tls-cert)",
    };
  }
  if (/UNSUPPORTED_PROTOCOL|NO_SHARED_CIPHER|PROTOCOL_VERSION/.test(words)) {
    return {
      what: "it speaks no version of TLS that is allowed here",
      whatToDo: "let the client speak TLSv1.2 or TLSv1.3; see ssl.enabled.protocols",
    };
  }
  if (error.code === "ECONNRESET") return null;
  switch (tlsTrouble(error.code, error.message)) {
    case "untrusted":
      return {
        what: "its certificate is signed by nobody who is trusted here",
        whatToDo: "add who has signed it to ssl.truststore.location (--tls-ca)",
      };
    case "expired":
      return {
        what: "its certificate is not valid at this time",
        whatToDo: "give the client another, and compare the clocks",
      };
    case "no-tls":
      return {
        what: "it speaks no TLS",
        whatToDo: "set the client's security.protocol to SSL (--tls)",
      };
    case "wrong-name":
    case "client-certificate":
    case "own-files":
    case "other":
      return {
        what: `the handshake failed (${error.message})`,
        whatToDo: "check the TLS settings of the client",
      };
  }
}
