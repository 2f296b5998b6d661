/**
 * The client library within the broker's process: what the admin server asks of the cluster it asks as
 * a client of Kafka's protocol, in the name of its own user, so that ACLs, quotas and the list of
 * clients hold for it. To this broker it is connected by a pipe, to others by their listeners.
 */
import { ANONYMOUS, type Principal, principalName } from "../broker/authorizer.ts";
import { advertisedAddress, type ListenerInfo } from "../broker/listeners.ts";
import type { RunningBroker } from "../broker/start-broker.ts";
import { Admin } from "../client/admin.ts";
import type { ClientIo, ClientOptions } from "../client/options.ts";
import { assert } from "../core/assert.ts";
import type { HostPort, Network } from "../core/io.ts";
import { pipe } from "../core/io/pipe.ts";

/** Who is connected as the admin server, in the list of clients and in quotas. */
export const ADMIN_CLIENT_ID = "kstream-admin";
/** Users that have a client at once; who has not asked for longest loses it. */
const CLIENTS_MAX = 100;

/** The client of one user. */
export interface OwnClient {
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

  /** The client of a user, made when it is first asked for. */
  of(principal: Principal = ANONYMOUS): OwnClient {
    const key = principalName(principal);
    const client = this.#clients.get(key) ?? this.#make(principal);
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

  #make(principal: Principal): OwnClient {
    const { clock, random } = this.#running.broker.io;
    const listener = ownListener(this.#running.listeners);
    const io = { clock, random, network: ownNetwork(this.#running, listener, principal) };
    const isTls = listener.protocol === "SSL" || listener.protocol === "SASL_SSL";
    const options = {
      brokers: [addressOf(listener)],
      clientId: ADMIN_CLIENT_ID,
      ...(isTls && { tls: true }),
    };
    return { admin: new Admin(io, options), io, options };
  }
}

/** Where others are reached most easily; this broker's own part of it is not used. */
function ownListener(listeners: readonly ListenerInfo[]): ListenerInfo {
  const isPlain = ({ protocol = "PLAINTEXT" }: ListenerInfo) => protocol === "PLAINTEXT";
  const listener = listeners.find(isPlain) ?? listeners[0];
  assert(listener !== undefined, "a broker that runs has a listener");
  return listener;
}

function addressOf(listener: ListenerInfo): HostPort {
  return advertisedAddress({ listener, localAddress: listener.bound });
}

/** A network in which this broker is reached without a socket, by `principal`. */
export function ownNetwork(
  { broker, adopt }: OwnBroker,
  listener: ListenerInfo,
  principal: Principal,
): Network {
  const { network } = broker.io;
  const own = addressOf(listener);
  return {
    listen: (at, accept, tls) => network.listen(at, accept, tls),
    connect: (to, handlers, options) => {
      if (to.host !== own.host || to.port !== own.port) {
        return network.connect(to, handlers, options);
      }
      if (options.signal?.aborted === true) return Promise.reject(options.signal.reason);
      const [here, there] = pipe({ host: "127.0.0.1", port: 0 }, own);
      here.handlers = handlers;
      there.handlers = adopt(there, listener, principal);
      return Promise.resolve(here);
    },
  };
}
