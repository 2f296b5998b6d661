import type { Clock, HostPort, Network, Random, TlsOptions } from "../core/io.ts";
import type { Authenticate } from "../core/connection.ts";
import type { Logger } from "../core/logger.ts";
import { parseBroker } from "./brokers.ts";
import type { SaslOptions } from "../core/sasl/options.ts";

/** What a client needs of the world. */
export interface ClientIo {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  /** Says on each connection who this client is, in place of `sasl`. */
  readonly authenticate?: Authenticate;
}

/** Settings that producer, consumer and admin share. */
export interface ClientOptions {
  /** Where to ask for the cluster first, as `host:port`; the rest is learnt from its answer. */
  readonly brokers: readonly (HostPort | string)[];
  /** Speak TLS; true trusts whom the runtime trusts. */
  readonly tls?: boolean | TlsOptions;
  /** Who this client is, for listeners that ask. */
  readonly sasl?: SaslOptions;
  /** Name of this program in the broker's logs and quotas. Default `kstream`. */
  readonly clientId?: string;
  /** For one TCP connection. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** For the answer to one request, beyond the time that the broker is asked to wait. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /** For a whole operation with its retries. Default 60 s. */
  readonly apiTimeoutMs?: number;
  /** Before the first retry; it doubles up to `retryBackoffMaxMs`, with chance (KIP-580). Default 100. */
  readonly retryBackoffMs?: number;
  /** Default 1,000. */
  readonly retryBackoffMaxMs?: number;
  /** What is known of a topic in use is asked for again after it. Default 5 min. */
  readonly metadataMaxAgeMs?: number;
  readonly logger?: Logger;
}

/** The options with their defaults filled in. */
export type ResolvedClientOptions =
  & Required<Omit<ClientOptions, "logger" | "brokers" | "tls" | "sasl">>
  & {
    readonly brokers: readonly HostPort[];
    readonly logger?: Logger;
    readonly tls: TlsOptions | null;
    readonly sasl: SaslOptions | null;
  };

/** Fills in the defaults. Throws `TypeError` on what is no broker address. */
export function resolveClientOptions(options: ClientOptions): ResolvedClientOptions {
  return {
    clientId: "kstream",
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
    apiTimeoutMs: 60_000,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 1000,
    metadataMaxAgeMs: 300_000,
    ...options,
    brokers: options.brokers.map(resolveBroker),
    tls: options.tls === true ? {} : options.tls || null,
    sasl: options.sasl ?? null,
  };
}

function resolveBroker(broker: HostPort | string): HostPort {
  if (typeof broker !== "string") return broker;
  const parsed = parseBroker(broker);
  if (parsed !== null) return parsed;
  throw new TypeError(`"${broker}" is no broker address: write host:port`);
}

/** Time, chance and cancellation of an operation that may take several attempts. */
export interface OperationOptions {
  /** Instead of `apiTimeoutMs`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}
