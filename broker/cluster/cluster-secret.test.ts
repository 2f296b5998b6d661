/** Peers that prove who they are, over the client's side and the broker's two handlers. */
import { expect, test } from "bun:test";
import type { AuthenticationChannel } from "../../core/connection.ts";
import { ConnectionError } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { saslHandshake } from "../../core/protocol/17-sasl-handshake.ts";
import { saslAuthenticate } from "../../core/protocol/36-sasl-authenticate.ts";
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinChunks,
} from "../../core/protocol/codec.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { ANONYMOUS, type Authorizer, type Principal } from "../authorizer.ts";
import {
  checkSecrets,
  CLUSTER_PRINCIPAL,
  gossipKeys,
  PeerAuthentication,
  peerAuthenticator,
  peersOnly,
} from "./cluster-secret.ts";

const OLD = "an old secret".repeat(2).replaceAll(" ", "-");
const NEW = "a new secret".repeat(2).replaceAll(" ", "-");
const DELAY_MS = 100;

/** A connection to a broker with these secrets. */
class Scene {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(1);
  readonly closed: string[] = [];
  readonly connection = {
    id: 1,
    listener: { name: "PLAINTEXT", bound: { host: "h", port: 1 }, advertised: null },
    localAddress: { host: "h", port: 1 },
    peerAddress: { host: "p", port: 2 },
    signal: new AbortController().signal,
    principal: ANONYMOUS as Principal,
    clientSoftware: null,
    get activity(): never {
      throw new Error("nobody asks");
    },
    throttle: () => {},
    close: (why: string) => void this.closed.push(why),
  };
  readonly broker: PeerAuthentication;

  constructor(secrets: readonly string[]) {
    this.broker = new PeerAuthentication(this, secrets, () => DELAY_MS);
  }

  /** Whether a peer that has this secret is let in, or why not. */
  async enter(secret: string): Promise<string> {
    let outcome: string | null = null;
    peerAuthenticator(secret, this.random)(this.#channel()).then(
      (again) => outcome = again === null ? "in" : "bounded",
      (error: unknown) => outcome = error instanceof ConnectionError ? error.message : "bug",
    );
    // The client's side of SCRAM is a module that is loaded when it is needed.
    while (outcome === null) {
      await new Promise(setImmediate);
      this.clock.advance(1);
    }
    return outcome;
  }

  #channel(): AuthenticationChannel {
    return {
      address: { host: "h", port: 1 },
      versionOf: (api: Api) => api.maxVersion,
      request: <A extends Api>(api: A, body: EncodableRequest<A>) => this.#answer(api, body),
    };
  }

  async #answer<A extends Api>(api: A, body: EncodableRequest<A>): Promise<ResponseOf<A>> {
    const version = api.maxVersion;
    const bytes = joinChunks(encodeRequest(api, version, body));
    return decodeResponse(api, version, await this.answerBytes(api, version, bytes), 0);
  }

  async answerBytes(api: Api, version: number, bytes: Uint8Array): Promise<Uint8Array> {
    if (api.key === saslHandshake.key) {
      const { mechanism } = decodeRequest(saslHandshake, version, bytes, 0);
      const answer = this.broker.handshake(this.connection, version, mechanism);
      return joinChunks(encodeResponse(saslHandshake, version, answer));
    }
    const { authBytes } = decodeRequest(saslAuthenticate, version, bytes, 0);
    const answer = await this.broker.authenticate(this.connection, authBytes);
    return joinChunks(encodeResponse(saslAuthenticate, version, answer));
  }
}

test("who knows one of the secrets is the cluster's own user from then on", async () => {
  for (const secrets of [[NEW], [OLD, NEW], [NEW, OLD]]) {
    const scene = new Scene(secrets);
    expect(await scene.enter(NEW)).toBe("in");
    expect(scene.connection.principal).toBe(CLUSTER_PRINCIPAL);
    // Again, as to prolong a session.
    expect(await scene.enter(NEW)).toBe("in");
    expect(scene.closed).toEqual([]);
  }
});

test("who does not know it waits for the refusal, and is then hung up on", async () => {
  const scene = new Scene([NEW]);
  const beginMs = scene.clock.monotonicMs();
  expect(await scene.enter(OLD)).toContain(
    'user "kstream-cluster" is refused: the secret is not this',
  );
  expect(scene.clock.monotonicMs() - beginMs).toBeGreaterThanOrEqual(DELAY_MS);
  expect(scene.connection.principal).toBe(ANONYMOUS);
  expect(scene.closed).toEqual(["a peer does not know the cluster's secret"]);
});

test("messages out of their order, other mechanisms and garbage let nobody in", async () => {
  const { broker, connection, clock } = new Scene([NEW]);
  const bytes = new TextEncoder().encode("n,,n=kstream-cluster,r=x");
  expect((await broker.authenticate(connection, bytes)).errorCode).toBe(Errors.ILLEGAL_SASL_STATE);
  expect(broker.handshake(connection, 0, "SCRAM-SHA-256").errorCode).toBe(
    Errors.ILLEGAL_SASL_STATE,
  );
  expect(broker.handshake(connection, 1, "PLAIN")).toEqual({
    errorCode: Errors.UNSUPPORTED_SASL_MECHANISM,
    mechanisms: ["SCRAM-SHA-256"],
  });
  broker.handshake(connection, 1, "SCRAM-SHA-256");
  const refused = clock.run(broker.authenticate(connection, new Uint8Array(100_000)));
  expect(refused.errorCode).toBe(Errors.SASL_AUTHENTICATION_FAILED);
  expect((await broker.authenticate(connection, bytes)).errorCode).toBe(Errors.ILLEGAL_SASL_STATE);
  expect(connection.principal).toBe(ANONYMOUS);
});

test("with a secret, what brokers do is for its knowers alone; the rest is as ACLs say", () => {
  const asked: string[] = [];
  const all: Authorizer = {
    authorize: (_principal, _peer, { operation }) => asked.push(operation) > 0,
  };
  const authorizer = peersOnly(all);
  const peer = { host: "127.0.0.1", port: 1 };
  const may = (principal: Principal, operation: "CLUSTER_ACTION" | "ALTER") =>
    [
      authorizer.authorize(principal, peer, { operation, resourceType: "CLUSTER", name: "c" }),
      authorizer.authorizeAny?.(principal, peer, operation, "CLUSTER"),
    ] as const;
  expect(may(ANONYMOUS, "CLUSTER_ACTION")).toEqual([false, false]);
  // Whoever only has the name is not it.
  expect(may({ ...CLUSTER_PRINCIPAL }, "CLUSTER_ACTION")).toEqual([false, false]);
  expect(may(CLUSTER_PRINCIPAL, "CLUSTER_ACTION")).toEqual([true, true]);
  expect(asked).toEqual([]);
  expect(may(ANONYMOUS, "ALTER")).toEqual([true, true]);
  expect(asked).toEqual(["ALTER", "ALTER"]);
});

test("secrets that cannot be used are refused without being shown", () => {
  checkSecrets([]);
  checkSecrets([NEW, OLD, "four words and blanks"]);
  for (const bad of ["", "short", `${NEW}\n`, `${NEW}é`, "x".repeat(2000)]) {
    expect(() => checkSecrets([bad])).toThrow(/^the cluster's secret cannot be used: it (is|has) /);
  }
  expect(() => checkSecrets([NEW, NEW])).toThrow("twice");
  expect(() => checkSecrets(Array.from({ length: 9 }, (_, i) => NEW + i))).toThrow("at most 8");
});

test("each secret has a key of gossip of its own, in each cluster another", () => {
  const keys = [...gossipKeys([NEW, OLD], "a"), ...gossipKeys([NEW], "b")];
  expect(keys.map((key) => key.length)).toEqual([32, 32, 32]);
  expect(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size).toBe(3);
  expect(gossipKeys([OLD], "a")[0]).toEqual(keys[1]!);
});
