/**
 * The client library within the broker's process: what the admin server asks of the cluster it asks as
 * a client of Kafka's protocol, in the name of its own user and with that one's address, so that ACLs,
 * quotas and the list of clients hold for it. To this broker it is connected by a pipe, to others as
 * nodes are, which then act for the user (`broker/cluster/acting-for.ts`).
 */
import { hasAcls } from "../broker/acl-authorizer.ts";
import { ANONYMOUS, type Principal, principalName } from "../broker/authorizer.ts";
import { type ActingFor, formatIdentity, oneForm } from "../broker/cluster/acting-for.ts";
import { advertisedAddress, formatAddress, type ListenerInfo } from "../broker/listeners.ts";
import type { RunningBroker } from "../broker/start-broker.ts";
import { Admin } from "../client/admin.ts";
import type { ClientIo, ClientOptions } from "../client/options.ts";
import { assert } from "../core/assert.ts";
import { type Authenticate, ConnectionError } from "../core/connection.ts";
import type { HostPort, Network } from "../core/io.ts";
import { pipe } from "../core/io/pipe.ts";

/** Who is connected as the admin server, in the list of clients and in quotas. */
export const ADMIN_CLIENT_ID = "kstream-admin";
/** Users, each at an address, that have a client at once; who has not asked for longest loses it. */
const CLIENTS_MAX = 200;
const LOOPBACK = "127.0.0.1";
/** Of who is gone before it was asked where from: no ACL is for this address alone. */
const NOWHERE = "0.0.0.0";

/** The client of one user at one address. */
export interface OwnClient {
  /** Whose it is, `User:alice@10.0.0.5`: what is kept for one must not serve another. */
  readonly user: string;
  /** For calls that are over when they have answered. Shared: not to be closed. */
  readonly admin: Admin;
  /** What producers and consumers are made with, who close theirs. */
  readonly io: ClientIo;
  readonly options: ClientOptions;
}

/** What is needed of a broker. */
export type OwnBroker = Pick<RunningBroker, "broker" | "listeners" | "adopt">;

/** The clients of the admin server's users. */
export class OwnClients {
  readonly #running: OwnBroker;
  readonly #clients = new Map<string, OwnClient>();

  constructor(running: OwnBroker) {
    this.#running = running;
  }

  /** The client of a user at this address, made when it is first asked for. */
  of(principal: Principal = ANONYMOUS, host: string = LOOPBACK): OwnClient {
    const user = { principal, host: oneForm(host) ?? NOWHERE };
    const key = formatIdentity(user);
    const client = this.#clients.get(key) ?? this.#make(user, key);
    // The last one in the map was used last.
    this.#clients.delete(key);
    this.#clients.set(key, client);
    for (const [oldest, { admin }] of this.#clients) {
      if (this.#clients.size <= CLIENTS_MAX) break;
      admin.close();
      this.#clients.delete(oldest);
    }
    return client;
  }

  /** Ends all their connections. */
  close(): void {
    for (const { admin } of this.#clients.values()) admin.close();
    this.#clients.clear();
  }

  #make(user: ActingFor, key: string): OwnClient {
    const { clock, random } = this.#running.broker.io;
    const listener = ownListener(this.#running.listeners);
    const io = {
      ...{ clock, random },
      network: ownNetwork(this.#running, listener, user),
      authenticate: ownAuthenticate(this.#running, listener, user),
    };
    const options = { brokers: [addressOf(listener)], clientId: ADMIN_CLIENT_ID };
    return { user: key, admin: new Admin(io, options), io, options };
  }
}

/** The one whose addresses are told; connections go by that of the nodes. */
function ownListener(listeners: readonly ListenerInfo[]): ListenerInfo {
  const isPlain = ({ protocol = "PLAINTEXT" }: ListenerInfo) => protocol === "PLAINTEXT";
  const listener = listeners.find(isPlain) ?? listeners[0];
  assert(listener !== undefined, "a broker that runs has a listener");
  return listener;
}

function addressOf(listener: ListenerInfo): HostPort {
  return advertisedAddress({ listener, localAddress: listener.bound });
}

function isSame(a: HostPort, b: HostPort): boolean {
  return a.host === b.host && a.port === b.port;
}

/** A network in which this broker is reached without a socket, by `user`, and others as nodes reach them. */
function ownNetwork(
  { broker, adopt }: OwnBroker,
  listener: ListenerInfo,
  { principal, host }: ActingFor,
): Network {
  const { network } = broker.io;
  const own = addressOf(listener);
  return {
    listen: (at, accept, tls) => network.listen(at, accept, tls),
    connect: (to, handlers, { timeoutMs, signal }) => {
      if (!isSame(to, own)) {
        const route = broker.cluster?.userRoutes.to(to, listener.name) ?? null;
        if (route === null) {
          const why = `the metadata have no broker at ${formatAddress(to)}`;
          return Promise.reject(new Error(why));
        }
        const options = { timeoutMs, ...(signal && { signal }) };
        const { address, tls } = route;
        return network.connect(address, handlers, { ...options, ...(tls !== null && { tls }) });
      }
      if (signal?.aborted === true) return Promise.reject(signal.reason);
      const [here, there] = pipe({ host, port: 0 }, own);
      here.handlers = handlers;
      there.handlers = adopt(there, listener, principal);
      return Promise.resolve(here);
    },
  };
}

/** Makes a connection to another broker the user's. */
function ownAuthenticate(
  { broker }: OwnBroker,
  listener: ListenerInfo,
  user: ActingFor,
): Authenticate {
  const own = addressOf(listener);
  return async (channel) => {
    if (isSame(channel.address, own)) return null;
    const authenticate = broker.cluster?.userRoutes.authenticatorFor(user) ?? null;
    if (authenticate !== null) return await authenticate(channel);
    // Where ACLs hold, nodes that are not known are super users, which a user must not become.
    if (!hasAcls(broker.config) || user.principal === ANONYMOUS) return null;
    const text =
      `${principalName(user.principal)} cannot be taken to another broker: the nodes of ` +
      "this cluster do not know one another (serve --secret-file)";
    throw new ConnectionError("authentication", channel.address, text);
  };
}
