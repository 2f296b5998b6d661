/**
 * A broker's server: its listeners, with the limits that its configuration sets. One of several brokers of
 * a host (`kstream.shards`) has its share of the memory.
 */
import { ClientQuotas } from "../cluster/client-quotas.ts";
import { BufferPool } from "../core/buffer-pool.ts";
import type { Broker } from "./broker.ts";
import type { ListenerSpec } from "./listeners.ts";
import { MemoryBudget } from "./memory-budget.ts";
import { SlowRequests } from "./metrics/slow-requests.ts";
import { clientWindows } from "./quotas/client-quota-manager.ts";
import { ConnectionRates } from "./quotas/connection-rates.ts";
import { shareOfQuotas } from "./quotas/share-of-quotas.ts";
import { RequestRouter } from "./request-router.ts";
import { Server, type ServerServices } from "./server.ts";

/** Request bytes that all connections may hold, where `queued.max.request.bytes` is not set. */
const REQUEST_BYTES_DEFAULT = 64 * 1024 * 1024;
/** Memory of large requests that is kept for later ones. */
const REQUEST_BYTES_KEPT = 16 * 1024 * 1024;
/** Kafka's "no limit" for numbers and rates of connections. */
const UNLIMITED = 0x7fff_ffff;

/** The limit for a peer in `address:count,…`, if it is listed there. */
function connectionOverride(overrides: string, host: string): number | undefined {
  for (const entry of overrides.split(",")) {
    const colon = entry.lastIndexOf(":");
    if (colon > 0 && entry.slice(0, colon).trim() === host) return Number(entry.slice(colon + 1));
  }
  return undefined;
}

/** Binds every listener, or none: then it throws an `OperatorError`. */
export function startServer(broker: Broker, listeners: readonly ListenerSpec[]): Promise<Server> {
  const { io, config } = broker;
  const shards = config.get("kstream.shards");
  return start(broker, listeners, {
    rates: new ConnectionRates({
      clock: io.clock,
      quotas: () => shareOfQuotas(broker.metadata.image.quotas, shards),
      windows: clientWindows(config),
      brokerRateMax: () => config.get("max.connection.creation.rate"),
    }),
    limits: () => ({
      connectionsMax: config.get("max.connections"),
      connectionsPerIpMax: (host) =>
        connectionOverride(config.get("max.connections.per.ip.overrides"), host) ??
          config.get("max.connections.per.ip"),
    }),
    idleMs: config.get("connections.max.idle.ms"),
  });
}

/** As `startServer`, where only other nodes come: what bounds clients does not bind them. */
export function startServerForPeers(broker: Broker, listener: ListenerSpec): Promise<Server> {
  return start(broker, [listener], {
    rates: new ConnectionRates({
      clock: broker.io.clock,
      quotas: () => ClientQuotas.EMPTY,
      windows: clientWindows(broker.config),
      brokerRateMax: () => UNLIMITED,
    }),
    limits: () => ({ connectionsMax: UNLIMITED, connectionsPerIpMax: () => UNLIMITED }),
    idleMs: -1,
  });
}

/** What differs between listeners of clients and of nodes. */
interface Bounds extends Pick<ServerServices, "rates" | "limits"> {
  /** After so long a connection on which nothing happens is closed; −1: never. */
  readonly idleMs: number;
}

function start(
  broker: Broker,
  listeners: readonly ListenerSpec[],
  { rates, limits, idleMs }: Bounds,
): Promise<Server> {
  const { io, logger, config } = broker;
  const router = new RequestRouter(broker);
  const slowMs = config.get("kstream.slow.request.ms");
  const shards = config.get("kstream.shards");
  const configured = config.get("queued.max.request.bytes");
  const queuedBytes = configured > 0 ? configured : REQUEST_BYTES_DEFAULT;
  return Server.start({
    network: io.network,
    metrics: broker.metrics.network,
    rates,
    limits,
    connection: {
      clock: io.clock,
      logger,
      buffers: new BufferPool(Math.ceil(REQUEST_BYTES_KEPT / shards)),
      memory: new MemoryBudget(io.clock, Math.ceil(queuedBytes / shards)),
      slow: slowMs > 0 ? new SlowRequests(io.clock, logger, slowMs) : null,
      limits: { requestBytesMax: config.get("socket.request.max.bytes"), idleMs },
      parse: (frame, connection) => router.parse(frame, connection),
    },
  }, listeners);
}
