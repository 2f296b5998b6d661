/** Who is connected to a broker, and what they do: one entry per connection. */
import { errorName } from "../core/errors.ts";
import { principalName } from "./authorizer.ts";
import type { Broker } from "./broker.ts";
import type { ActivityTotals } from "./client-activity.ts";
import type { Connection } from "./connection.ts";
import { formatAddress } from "./listeners.ts";

/** A connection as people and scripts see it. Times are milliseconds, since 1970 where they are moments. */
export interface ConnectedClient {
  /** Names the connection while this process lives. */
  readonly connection: number;
  /** As in its last request; null before the first, or if it has none. */
  readonly clientId: string | null;
  /** From ApiVersions (KIP-511), or null. */
  readonly software: string | null;
  readonly softwareVersion: string | null;
  /** `User:alice` */
  readonly principal: string;
  /** `host:port` of the client. */
  readonly address: string;
  readonly listener: string;
  readonly connectedMs: number;
  /** Since something came or went. */
  readonly idleMs: number;
  /** Topics that it has produced to or fetched from, by name; those deleted since are left out. */
  readonly topics: readonly string[];
  /** Whether there were more topics than are remembered. */
  readonly hasMoreTopics: boolean;
  readonly totals: ActivityTotals;
  /** Per second, over the last ten seconds or so. */
  readonly rates: ActivityTotals;
  /** Requests that are not answered yet. */
  readonly inFlight: number;
  /** For how long it is made to wait by a quota, now and in all. */
  readonly throttleMs: number;
  readonly throttledMs: number;
  /** The API of its last request. */
  readonly lastApi: string | null;
  /** How many answers had an error, and the last of them. */
  readonly errors: number;
  readonly lastError:
    | { readonly api: string; readonly error: string; readonly atMs: number }
    | null;
}

/** See `ConnectedClient`. */
export function connectedClients(
  connections: Iterable<Connection>,
  broker: Pick<Broker, "io" | "metadata">,
): ConnectedClient[] {
  return Array.from(connections, (connection) => {
    const { activity, clientSoftware, principal } = connection;
    const { requests, bytesIn, bytesOut, lastError } = activity;
    return {
      connection: connection.id,
      clientId: activity.clientId,
      software: clientSoftware?.name ?? null,
      softwareVersion: clientSoftware?.version ?? null,
      principal: principalName(principal),
      address: formatAddress(connection.peerAddress),
      listener: connection.listener.name,
      connectedMs: activity.connectedMs,
      idleMs: Math.round(connection.idleMs),
      topics: topicsOf(connection, broker),
      hasMoreTopics: activity.hasMoreTopics,
      totals: { requests, bytesIn, bytesOut },
      rates: activity.rates(broker.io.clock.monotonicMs()),
      inFlight: connection.requestsUnderWay,
      throttleMs: Math.ceil(connection.throttledForMs),
      throttledMs: Math.round(activity.throttledMs),
      lastApi: activity.lastApi,
      errors: activity.errors,
      lastError: lastError === null ? null : {
        api: lastError.api,
        error: errorName(lastError.code),
        atMs: lastError.atMs,
      },
    };
  });
}

function topicsOf({ activity }: Connection, { metadata }: Pick<Broker, "metadata">): string[] {
  const byId = [...activity.topicIds].flatMap((id) => metadata.topicById(id)?.name ?? []);
  return [...new Set([...activity.topicNames, ...byId])].sort();
}
