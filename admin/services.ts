/** What the routes of the admin API stand on. */
import type { Principal } from "../broker/authorizer.ts";
import type { Broker } from "../broker/broker.ts";
import type { ConnectedClient } from "../broker/connected-clients.ts";
import type { RunningBroker } from "../broker/start-broker.ts";
import type { Member } from "../cluster/gossip/member.ts";
import type { HostPort } from "../core/io.ts";
import type { LoadPages } from "../core/io/web-pages.ts";
import type { ConnectLink } from "./connect-link.ts";
import type { ShardHealth } from "./health.ts";
import type { OwnClient } from "./own-connection.ts";
import { OwnClients } from "./own-connection.ts";
import type { StreamsLink } from "./stream-apps/streams-link.ts";

/** What the admin server needs of the broker that it belongs to. */
export type AdminSource = Pick<
  RunningBroker,
  "broker" | "listeners" | "clients" | "gossip" | "adopt"
>;

/** See the head of the file. */
export interface AdminServices {
  readonly broker: Broker;
  /** Of this program. */
  readonly version: string;
  /** Who is connected. */
  clients(): ConnectedClient[];
  /** How the other shards are, where this broker is one of several. */
  siblings(): Promise<readonly ShardHealth[]>;
  /** The members of the cluster that the broker has heard of, itself first; null: it is alone. */
  members(): Member[] | null;
  /** The cluster by Kafka's protocol, in the name of a user at an address; to be closed by nobody. */
  client(principal: Principal, peer: HostPort): OwnClient;
  readonly loadPages: LoadPages;
  /** Workers of connectors; null: there are none. */
  readonly connect: ConnectLink | null;
  /** Applications of streams; null: they are known by their groups alone. */
  readonly streams: StreamsLink | null;
  /** Ends what they hold open. */
  close(): void;
}

/** The services of a broker that runs. */
export function adminServices(
  running: AdminSource,
  loadPages: LoadPages,
  version = "",
  siblings: AdminServices["siblings"] = () => Promise.resolve([]),
  connect: ConnectLink | null = null,
  streams: StreamsLink | null = null,
): AdminServices {
  const own = new OwnClients(running);
  return {
    broker: running.broker,
    version,
    clients: () => running.clients(),
    siblings,
    connect,
    streams,
    members: () => running.gossip?.members() ?? null,
    loadPages,
    client: (principal, { host }) => own.of(principal, host),
    close: () => own.close(),
  };
}
