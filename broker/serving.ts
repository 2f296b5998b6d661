/** A broker's server: its listeners, with the limits that its configuration sets. */
import { BufferPool } from "../core/buffer-pool.ts";
import type { Broker } from "./broker.ts";
import type { ListenerSpec } from "./listeners.ts";
import { MemoryBudget } from "./memory-budget.ts";
import { clientWindows } from "./quotas/client-quota-manager.ts";
import { ConnectionRates } from "./quotas/connection-rates.ts";
import { RequestRouter } from "./request-router.ts";
import { Server } from "./server.ts";

/** Request bytes that all connections may hold, where `queued.max.request.bytes` is not set. */
const REQUEST_BYTES_DEFAULT = 64 * 1024 * 1024;
/** Memory of large requests that is kept for later ones. */
const REQUEST_BYTES_KEPT = 16 * 1024 * 1024;
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
  const { io, logger, config } = broker;
  const router = new RequestRouter(broker);
  const queuedBytes = config.get("queued.max.request.bytes");
  return Server.start({
    network: io.network,
    rates: new ConnectionRates({
      clock: io.clock,
      quotas: () => broker.metadata.image.quotas,
      windows: clientWindows(config),
      brokerRateMax: () => config.get("max.connection.creation.rate"),
    }),
    limits: () => ({
      connectionsMax: config.get("max.connections"),
      connectionsPerIpMax: (host) =>
        connectionOverride(config.get("max.connections.per.ip.overrides"), host) ??
          config.get("max.connections.per.ip"),
    }),
    connection: {
      clock: io.clock,
      logger,
      buffers: new BufferPool(REQUEST_BYTES_KEPT),
      memory: new MemoryBudget(io.clock, queuedBytes > 0 ? queuedBytes : REQUEST_BYTES_DEFAULT),
      limits: {
        requestBytesMax: config.get("socket.request.max.bytes"),
        idleMs: config.get("connections.max.idle.ms"),
      },
      parse: (frame, connection) => router.parse(frame, connection),
    },
  }, listeners);
}
