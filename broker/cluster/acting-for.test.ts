/** Nodes that act for somebody, and those who are none and try to. */
import { expect, test } from "bun:test";
import { type AuthenticationChannel, ConnectionError } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { saslHandshake } from "../../core/protocol/17-sasl-handshake.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import { decodeRequest, decodeResponse } from "../../core/protocol/codec.ts";
import { encodeRequest, encodeResponse, joinChunks } from "../../core/protocol/codec.ts";
import { saslAuthenticate } from "../../core/protocol/36-sasl-authenticate.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { ANONYMOUS, type Principal } from "../authorizer.ts";
import type { ConnectionState } from "../request-context.ts";
import { actingAuthenticator, formatIdentity, oneForm, parseIdentity } from "./acting-for.ts";
import { CLUSTER_PRINCIPAL, PeerAuthentication, peerAuthenticator } from "./cluster-secret.ts";

const SECRET = "a secret that is long enough";
const alice = { principal: { type: "User", name: "alice" }, host: "10.0.0.5" };
const text = (message: string) => new TextEncoder().encode(message);

function connectionOf(principal: Principal): ConnectionState & { readonly closed: string[] } {
  const closed: string[] = [];
  return {
    id: 1,
    listener: { name: "PLAINTEXT", bound: { host: "h", port: 1 }, advertised: null },
    localAddress: { host: "h", port: 1 },
    peerAddress: { host: "192.168.0.1", port: 2 },
    signal: new AbortController().signal,
    principal,
    clientSoftware: null,
    get activity(): never {
      throw new Error("nobody asks");
    },
    throttle: () => {},
    close: (why) => void closed.push(why),
    closed,
  };
}

const broker = (secrets: readonly string[]) =>
  new PeerAuthentication({ clock: bunClock, random: new SimRandom(1) }, secrets, () => 0);

/** The client's way to this broker, coded as on the wire. */
function channelTo(to: PeerAuthentication, connection: ConnectionState): AuthenticationChannel {
  return {
    address: { host: "h", port: 1 },
    versionOf: (api: Api) => api.maxVersion,
    request: async <A extends Api>(api: A, body: EncodableRequest<A>): Promise<ResponseOf<A>> => {
      const version = api.maxVersion;
      const bytes = joinChunks(encodeRequest(api, version, body));
      const answer = api.key === saslHandshake.key
        ? encodeResponse(
          saslHandshake,
          version,
          to.handshake(
            connection,
            version,
            decodeRequest(saslHandshake, version, bytes, 0).mechanism,
          ),
        )
        : encodeResponse(
          saslAuthenticate,
          version,
          await to.authenticate(
            connection,
            decodeRequest(saslAuthenticate, version, bytes, 0).authBytes,
          ),
        );
      return decodeResponse(api, version, joinChunks(answer), 0);
    },
  };
}

test("who knows the secret, or was known by a certificate, acts for whom it names", async () => {
  const proveNode = peerAuthenticator(SECRET, new SimRandom(2));
  for (
    const [to, connection, proof] of [
      [broker([SECRET]), connectionOf(ANONYMOUS), proveNode],
      [broker([]), connectionOf(CLUSTER_PRINCIPAL), undefined],
    ] as const
  ) {
    const channel = channelTo(to, connection);
    expect(await actingAuthenticator(proof, alice)(channel)).toBeNull();
    expect(connection.principal).toEqual(alice.principal);
    expect(connection.peerAddress).toEqual({ host: alice.host, port: 0 });
    expect(connection.closed).toEqual([]);
    // What is alice's now cannot become somebody else's.
    const root = { principal: { type: "User", name: "root" }, host: "10.0.0.6" };
    const again = actingAuthenticator(undefined, root)(channel);
    expect(await again.catch((error: unknown) => error)).toBeInstanceOf(ConnectionError);
    expect(connection.principal).toEqual(alice.principal);
  }
});

test("whoever is no node acts for nobody, whatever its name", async () => {
  for (const secrets of [[SECRET], []]) {
    for (const principal of [ANONYMOUS, { ...CLUSTER_PRINCIPAL }, alice.principal]) {
      const [to, connection] = [broker(secrets), connectionOf(principal)];
      expect(to.handshake(connection, 1, "EXTERNAL").errorCode).toBe(
        secrets.length > 0 ? Errors.UNSUPPORTED_SASL_MECHANISM : Errors.ILLEGAL_SASL_STATE,
      );
      const { errorCode } = await to.authenticate(connection, text(formatIdentity(alice)));
      expect(errorCode).toBe(Errors.ILLEGAL_SASL_STATE);
      expect(connection.principal).toBe(principal);
    }
  }
});

test("a node that lost that name before it says for whom it acts stays who it is", async () => {
  const [to, connection] = [broker([SECRET]), connectionOf(CLUSTER_PRINCIPAL)];
  expect(to.handshake(connection, 1, "EXTERNAL").errorCode).toBe(Errors.NONE);
  connection.principal = ANONYMOUS;
  const { errorCode } = await to.authenticate(connection, text(formatIdentity(alice)));
  expect(errorCode).toBe(Errors.SASL_AUTHENTICATION_FAILED);
  expect(connection.principal).toBe(ANONYMOUS);
});

test("what names nobody at an address ends the connection", async () => {
  const names = ["", "alice", "User:alice", "User:@10.0.0.1", "User:a@host", ":a@::1", "@::1"];
  for (const name of [...names, `User:${"x".repeat(2000)}@::1`]) {
    const [to, connection] = [broker([SECRET]), connectionOf(CLUSTER_PRINCIPAL)];
    expect(to.handshake(connection, 1, "EXTERNAL").errorCode).toBe(Errors.NONE);
    const { errorCode } = await to.authenticate(connection, text(name));
    expect([name, errorCode]).toEqual([name, Errors.SASL_AUTHENTICATION_FAILED]);
    expect(connection.closed).toHaveLength(1);
  }
});

test("names may have any characters, and an address has one form", () => {
  for (const name of ["a:b", "a@b", 'CN=a, O="x"', "zoë", "a\nb"]) {
    for (const host of ["10.0.0.1", "fe80::1", "::1"]) {
      const user = { principal: { type: "User", name }, host };
      expect(parseIdentity(text(formatIdentity(user)))).toEqual(user);
    }
  }
  expect(["::ffff:10.0.0.1", "fe80:0:0::1%eth0", "localhost", ""].map(oneForm))
    .toEqual(["10.0.0.1", "fe80::1", null, null]);
});
