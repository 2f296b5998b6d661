/**
 * SASL over Kafka's requests: SaslHandshake chooses the mechanism, SaslAuthenticate carries its
 * messages (KIP-43, KIP-152). Where the broker bounds the session, it is prolonged on the same
 * connection before it ends (KIP-368).
 */
import { addressText, ConnectionError } from "../connection-error.ts";
import type { Authenticate, AuthenticationChannel } from "../connection.ts";
import { errorName, Errors } from "../errors.ts";
import type { Random } from "../io.ts";
import { saslHandshake } from "../protocol/17-sasl-handshake.ts";
import { saslAuthenticate } from "../protocol/36-sasl-authenticate.ts";
import { oauthBearerExchange } from "./oauthbearer.ts";
import { SaslError, type SaslExchange, type SaslOptions } from "./options.ts";
import { plainExchange } from "./plain.ts";

/** No mechanism has more messages. */
const STEPS_MAX = 8;
const NONCE_BYTES = 24;

/** Proves with these credentials who a client is, on any of its connections. */
export function saslAuthenticator(sasl: SaslOptions, random: Random): Authenticate {
  return async (channel) => {
    try {
      await handshake(channel, sasl);
      const exchange = await begin(sasl, random);
      const lifetimeMs = await converse(channel, sasl, exchange);
      // At 85 to 95 % of the session's time, as Java's client, so that not all come at once.
      return lifetimeMs > 0 ? Math.floor(lifetimeMs * (0.85 + random.below(101) / 1000)) : null;
    } catch (error) {
      if (!(error instanceof SaslError)) throw error;
      const text = `${addressText(channel.address)}, ${sasl.mechanism}: ${error.message}`;
      throw new ConnectionError("authentication", channel.address, text, { cause: error });
    }
  };
}

async function begin(sasl: SaslOptions, random: Random): Promise<SaslExchange> {
  switch (sasl.mechanism) {
    case "PLAIN":
      return plainExchange(sasl.username, sasl.password);
    case "SCRAM-SHA-256":
    case "SCRAM-SHA-512": {
      // Its cryptography is loaded when it is used: most clients use none.
      const { scramExchange } = await import("./scram.ts");
      const hash = sasl.mechanism === "SCRAM-SHA-256" ? "sha256" : "sha512";
      return scramExchange(hash, sasl, nonceText(random.bytes(NONCE_BYTES)));
    }
    case "OAUTHBEARER":
      return oauthBearerExchange(await tokenOf(sasl.token), sasl.extensions);
  }
}

async function tokenOf(token: string | (() => string | Promise<string>)): Promise<string> {
  if (typeof token === "string") return token;
  try {
    return await token();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SaslError(`no token could be had: ${why}`, { cause: error });
  }
}

function nonceText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function handshake(channel: AuthenticationChannel, sasl: SaslOptions): Promise<void> {
  if (channel.versionOf(saslHandshake) !== 1 || channel.versionOf(saslAuthenticate) === null) {
    throw new SaslError("this listener does not ask who a client is: connect without SASL");
  }
  const { mechanism } = sasl;
  const { errorCode, mechanisms } = await channel.request(saslHandshake, { mechanism });
  switch (errorCode) {
    case Errors.NONE:
      return;
    case Errors.UNSUPPORTED_SASL_MECHANISM:
      throw new SaslError(`not offered here, only ${mechanisms.slice(0, 10).join(", ") || "none"}`);
    case Errors.ILLEGAL_SASL_STATE:
      throw new SaslError("this listener does not ask who a client is: connect without SASL");
    default:
      throw new SaslError(errorName(errorCode));
  }
}

/** Resolves with how long the session lasts in ms; 0 is without an end. */
async function converse(
  channel: AuthenticationChannel,
  sasl: SaslOptions,
  exchange: SaslExchange,
): Promise<number> {
  let message: Uint8Array | null = exchange.first();
  let lifetimeMs = 0;
  for (let step = 0; message !== null; step++) {
    if (step === STEPS_MAX) throw new SaslError("the broker never comes to an end");
    const answer = await channel.request(saslAuthenticate, { authBytes: message });
    if (answer.errorCode !== Errors.NONE) {
      throw new SaslError(refusal(sasl, answer.errorCode, answer.errorMessage));
    }
    lifetimeMs = Number(answer.sessionLifetimeMs);
    message = exchange.next(answer.authBytes);
  }
  if (!exchange.complete) throw new SaslError("the broker ended the exchange too early");
  return lifetimeMs;
}

function refusal(sasl: SaslOptions, code: number, detail: string | null): string {
  const who = sasl.mechanism === "OAUTHBEARER" ? "the token" : `user "${sasl.username}"`;
  const why = code === Errors.SASL_AUTHENTICATION_FAILED ? "" : ` (${errorName(code)})`;
  const said = (detail ?? "").replace(/\s+/g, " ").slice(0, 300);
  return `${who} is refused${why}${said === "" ? "" : `: ${said}`}`;
}
