/**
 * The secret that the nodes of a cluster share. With it they prove to one another who they are, by
 * SCRAM-SHA-256 as one user on whatever listener they come in (`PeerAuthentication`); that user alone
 * may then do what only brokers do (`peersOnly`). Gossip's keys are derived from it. A second and
 * third secret are for changing it: the first is used to prove, each lets in. A node, known by a secret
 * or by its certificate, may also say by the same requests that it acts for somebody (`acting-for.ts`).
 */
import { hkdfSync } from "node:crypto";
import type { Authenticate } from "../../core/connection.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { type Clock, type Random, sleep } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { saslAuthenticator } from "../../core/sasl/authenticate.ts";
import { ScramServer, type ScramUser, scramUser } from "../../core/sasl/scram-server.ts";
import type { Authorizer, Principal } from "../authorizer.ts";
import type { ConnectionState } from "../request-context.ts";
import { ACTING_MECHANISM, parseIdentity } from "./acting-for.ts";

/** The user that all nodes of a cluster are to one another. */
const CLUSTER_USER = "kstream-cluster";
/** The principal of a connection that knows the secret. There is one such object. */
export const CLUSTER_PRINCIPAL: Principal = { type: "User", name: CLUSTER_USER };

const MECHANISM = "SCRAM-SHA-256";
const SECRETS_MAX = 8;
/** The secret is stretched little, so that it must not be guessed. */
const SECRET_CHARS_MIN = 16;
const SECRET_CHARS_MAX = 1024;
const SALT_BYTES = 16;
const NONCE_BYTES = 18;
const GOSSIP_KEY_BYTES = 32;

/** Throws an `OperatorError` (usage), which never shows a secret, where these cannot be used. */
export function checkSecrets(secrets: readonly string[]): void {
  const refuse = (why: string, whatToDo: string) =>
    new OperatorError("the cluster's secret cannot be used", why, whatToDo, 2);
  const make = "make one with: openssl rand -base64 32";
  if (secrets.length > SECRETS_MAX) {
    throw refuse(
      `there are ${secrets.length}, at most ${SECRETS_MAX} are possible`,
      "remove old ones",
    );
  }
  for (const secret of secrets) {
    if (!/^[\x20-\x7e]*$/.test(secret)) {
      throw refuse("it has characters that are not ASCII's", make);
    }
    if (secret.length < SECRET_CHARS_MIN) {
      throw refuse(`it is shorter than ${SECRET_CHARS_MIN} characters`, make);
    }
    if (secret.length > SECRET_CHARS_MAX) {
      throw refuse(`it is longer than ${SECRET_CHARS_MAX} characters`, make);
    }
  }
  if (new Set(secrets).size < secrets.length) throw refuse("it is there twice", "remove one");
}

/** Proves to other nodes that this one knows the secret. */
export function peerAuthenticator(secret: string, random: Random): Authenticate {
  return saslAuthenticator(
    { mechanism: MECHANISM, username: CLUSTER_USER, password: secret },
    random,
  );
}

/** The keys of gossip, in the order of the secrets. */
export function gossipKeys(secrets: readonly string[], cluster: string): Uint8Array[] {
  return secrets.map((secret) =>
    new Uint8Array(hkdfSync("sha256", secret, cluster, "kstream gossip", GOSSIP_KEY_BYTES))
  );
}

/**
 * The authorizer of a broker with a secret: who knows it may do everything; CLUSTER_ACTION, which is
 * what brokers need of one another, is for nobody else, whatever ACLs say.
 */
export function peersOnly(inner: Authorizer): Authorizer {
  return {
    authorize: (principal, peer, wanted) =>
      principal === CLUSTER_PRINCIPAL ||
      wanted.operation !== "CLUSTER_ACTION" && inner.authorize(principal, peer, wanted),
    authorizeAny: (principal, peer, operation, resourceType) => {
      if (principal === CLUSTER_PRINCIPAL) return true;
      if (operation === "CLUSTER_ACTION") return false;
      return inner.authorizeAny?.(principal, peer, operation, resourceType) ??
        inner.authorize(principal, peer, { operation, resourceType, name: "hardcode" });
    },
  };
}

/** What SaslHandshake and SaslAuthenticate answer. */
export interface AuthenticationAnswer {
  readonly errorCode: ErrorCode;
  readonly errorMessage?: string;
  readonly authBytes?: Uint8Array;
  /** The mechanisms that there are. */
  readonly mechanisms?: string[];
}

/**
 * Lets in who knows the secret, by the two SASL requests, on any connection at any time; and lets nodes
 * act for others. Without secrets, nodes are known by their certificates alone.
 */
export class PeerAuthentication {
  readonly #attempts = new WeakMap<ConnectionState, ScramServer | typeof ACTING_MECHANISM>();
  #user: ScramUser | null = null;

  /** `failureDelayMs`: how long a failed attempt waits for its answer. */
  constructor(
    private readonly io: { readonly clock: Clock; readonly random: Random },
    private readonly secrets: readonly string[],
    private readonly failureDelayMs: () => number,
  ) {}

  /** Begins an attempt. */
  handshake(connection: ConnectionState, version: number, mechanism: string): AuthenticationAnswer {
    // After version 0 come bare messages of the mechanism, which no broker of ours sends.
    if (version === 0) return { errorCode: Errors.ILLEGAL_SASL_STATE };
    if (mechanism === ACTING_MECHANISM && connection.principal === CLUSTER_PRINCIPAL) {
      this.#attempts.set(connection, ACTING_MECHANISM);
      return { errorCode: Errors.NONE, mechanisms: [ACTING_MECHANISM] };
    }
    if (this.secrets.length === 0) return { errorCode: Errors.ILLEGAL_SASL_STATE };
    if (mechanism !== MECHANISM) {
      return { errorCode: Errors.UNSUPPORTED_SASL_MECHANISM, mechanisms: [MECHANISM] };
    }
    const nonce = Buffer.from(this.io.random.bytes(NONCE_BYTES)).toString("hex");
    this.#attempts.set(connection, new ScramServer(this.#users(), nonce));
    return { errorCode: Errors.NONE, mechanisms: [MECHANISM] };
  }

  /** A message of the mechanism. A connection that fails is closed once it has its answer. */
  async authenticate(
    connection: ConnectionState,
    message: Uint8Array,
  ): Promise<AuthenticationAnswer> {
    const attempt = this.#attempts.get(connection);
    if (attempt === undefined) {
      const errorMessage = "SaslAuthenticate request received without a SaslHandshake before it";
      return { errorCode: Errors.ILLEGAL_SASL_STATE, errorMessage };
    }
    if (attempt === ACTING_MECHANISM) return this.#actFor(connection, message);
    const step = attempt.step(message);
    if (step.kind === "answer") {
      if (step.isDone) {
        connection.principal = CLUSTER_PRINCIPAL;
        this.#attempts.delete(connection);
      }
      return { errorCode: Errors.NONE, authBytes: step.message };
    }
    this.#attempts.delete(connection);
    await sleep(this.io.clock, this.failureDelayMs(), connection.signal);
    connection.close("a peer does not know the cluster's secret");
    return {
      errorCode: Errors.SASL_AUTHENTICATION_FAILED,
      errorMessage: "the secret is not this cluster's",
    };
  }

  /** The connection is somebody else's from now on. */
  #actFor(connection: ConnectionState, message: Uint8Array): AuthenticationAnswer {
    this.#attempts.delete(connection);
    const user = parseIdentity(message);
    // It may have become another's since the handshake.
    if (user === null || connection.principal !== CLUSTER_PRINCIPAL) {
      connection.close("a node does not say for whom it acts");
      return {
        errorCode: Errors.SASL_AUTHENTICATION_FAILED,
        errorMessage: "this is not User:NAME@ADDRESS",
      };
    }
    connection.principal = user.principal;
    connection.peerAddress = { host: user.host, port: 0 };
    return { errorCode: Errors.NONE };
  }

  /** Made for the first peer: stretching the secrets takes a while. */
  #users(): ScramUser {
    return this.#user ??= scramUser(
      CLUSTER_USER,
      this.secrets,
      this.io.random.bytes(SALT_BYTES),
    );
  }
}
