/**
 * A node that acts for somebody else. Who asks the admin server of a broker has to be the same user, at
 * the same address, to the brokers that it asks in turn: for their ACLs, quotas and lists of clients. So
 * the node proves to them that it is one, as ever, and then says for whom this connection is, by SASL's
 * mechanism EXTERNAL (RFC 4422, appendix A): the authorization identity is `User:alice@10.0.0.5`. From
 * then on the connection is alice's, and may do nothing that only nodes may do. Whoever is no node is
 * refused; a cluster whose nodes do not know one another has nobody who could say it.
 */
import { type Authenticate, ConnectionError } from "../../core/connection.ts";
import { addressText } from "../../core/connection-error.ts";
import { errorName, Errors } from "../../core/errors.ts";
import type { HostPort, TlsOptions } from "../../core/io.ts";
import { ipFromBytes, ipToBytes } from "../../core/ip-address.ts";
import { saslHandshake } from "../../core/protocol/17-sasl-handshake.ts";
import { saslAuthenticate } from "../../core/protocol/36-sasl-authenticate.ts";
import { type Principal, principalName } from "../authorizer.ts";
import type { MetadataCache } from "../metadata-cache.ts";

/** The mechanism; see the head of the file. */
export const ACTING_MECHANISM = "EXTERNAL";
/** Of an identity; names of users are shorter, and addresses much. */
const IDENTITY_BYTES_MAX = 1024;

/** For whom a node acts. */
export interface ActingFor {
  readonly principal: Principal;
  /** An IP address in the one form that it has (`oneForm`). */
  readonly host: string;
}

/** How the users of a broker reach the other brokers of its cluster. */
export interface UserRoutes {
  /**
   * Where nodes meet the broker that tells its clients this address on this listener; null: the metadata
   * have no such broker.
   */
  to(address: HostPort, listener: string): UserRoute | null;
  /** Makes a connection to another broker this user's; null where nodes do not know one another. */
  authenticatorFor(user: ActingFor): Authenticate | null;
}

/** See `UserRoutes.to`. */
export interface UserRoute {
  readonly address: HostPort;
  /** Null: the listener does not speak TLS. */
  readonly tls: TlsOptions | null;
}

/** What the ways of users are made of: how nodes reach one another. */
export interface UserRoutesOptions {
  readonly metadata: Pick<MetadataCache, "image">;
  /** The name of the listener that brokers use among themselves. */
  readonly listener: string;
  readonly areNodesKnown: boolean;
  /** Left out: certificates prove it. */
  readonly proveNode: Authenticate | undefined;
  readonly tls: (() => TlsOptions) | undefined;
}

/** The ways of the users of a node. */
export function userRoutes(options: UserRoutesOptions): UserRoutes {
  const { metadata, listener: meeting, areNodesKnown, proveNode, tls } = options;
  return {
    to: ({ host, port }, listener) => {
      for (const { endpoints } of metadata.image.brokers.values()) {
        const isIt = endpoints.some((each) =>
          each.name === listener && each.host === host && each.port === port
        );
        const address = endpoints.find(({ name }) => name === meeting);
        if (isIt && address !== undefined) return { address, tls: tls?.() ?? null };
      }
      return null;
    },
    authenticatorFor: (user) => areNodesKnown ? actingAuthenticator(proveNode, user) : null,
  };
}

/** Proves with `proveNode`, if certificates have not, that this is a node, and says for whom. */
export function actingAuthenticator(
  proveNode: Authenticate | undefined,
  user: ActingFor,
): Authenticate {
  return async (channel) => {
    await proveNode?.(channel);
    const chosen = await channel.request(saslHandshake, { mechanism: ACTING_MECHANISM });
    const authBytes = new TextEncoder().encode(formatIdentity(user));
    const { errorCode } = chosen.errorCode === Errors.NONE
      ? await channel.request(saslAuthenticate, { authBytes })
      : chosen;
    if (errorCode === Errors.NONE) return null;
    const text = `${addressText(channel.address)} does not let this node act for ` +
      `${principalName(user.principal)}: ${errorName(errorCode)}`;
    throw new ConnectionError("authentication", channel.address, text);
  };
}

/** `User:alice@10.0.0.5` */
export function formatIdentity({ principal, host }: ActingFor): string {
  return `${principalName(principal)}@${host}`;
}

/** Reads what `formatIdentity` writes; null: it is nothing like that. */
export function parseIdentity(message: Uint8Array): ActingFor | null {
  if (message.length > IDENTITY_BYTES_MAX) return null;
  const text = new TextDecoder().decode(message);
  const [, type, name, address] = /^([^:@]+):(.+)@([^@]+)$/s.exec(text) ?? [];
  const host = address === undefined ? null : oneForm(address);
  if (type === undefined || name === undefined || host === null) return null;
  return { principal: { type, name }, host };
}

/** The address without a zone, IPv4 within IPv6 as IPv4; null: it is none. */
export function oneForm(host: string): string | null {
  const bytes = ipToBytes(host.replace(/%.*$/, ""));
  return bytes === null ? null : ipFromBytes(bytes);
}
