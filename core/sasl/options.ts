/** Credentials for SASL, as a user of the client gives them. They appear in no log and no error. */

/** A user and a password. */
export interface PasswordOptions {
  /** PLAIN shows the password to the broker: only inside of TLS. SCRAM never does. */
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
  readonly username: string;
  readonly password: string;
}

/** A token of an identity provider (RFC 7628, KIP-255). */
export interface TokenOptions {
  readonly mechanism: "OAUTHBEARER";
  /** The token, or how to get one: asked for each connection and each time a session is prolonged. */
  readonly token: string | (() => string | Promise<string>);
  /** SASL extensions that go with it (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** How a client says who it is. */
export type SaslOptions = PasswordOptions | TokenOptions;

/** One authentication at work: a pure state machine over the messages of its mechanism. */
export interface SaslExchange {
  /** The client's first message. */
  first(): Uint8Array;
  /**
   * The client's answer to a message of the server; null when the client has nothing more to say.
   * Throws `SaslError`.
   */
  next(message: Uint8Array): Uint8Array | null;
  /** Whether the server has shown all that it has to show. Asked when it takes the client in. */
  readonly complete: boolean;
}

/** The server does not keep to the mechanism, or could not prove that it knows the password. */
export class SaslError extends Error {
  override readonly name = "SaslError";
}
