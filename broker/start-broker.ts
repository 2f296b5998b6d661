/**
 * The composition root: builds every part of a broker, in the order in which they depend on one
 * another, and takes them down in the opposite one.
 */
import { bunCodecs } from "../core/compression/bun.ts";
import { Errors } from "../core/errors.ts";
import { BufferPool } from "../core/buffer-pool.ts";
import type { Io } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import { OperatorError } from "../core/operator-error.ts";
import { ApiTable } from "./api-table.ts";
import { AclAuthorizer, hasAcls } from "./acl-authorizer.ts";
import { allowAll, type Authorizer } from "./authorizer.ts";
import type { Broker } from "./broker.ts";
import type { NodeGossip } from "./cluster/node-gossip.ts";
import type { Peers } from "./cluster/peers.ts";
import { BrokerConfig } from "./config/broker-config.ts";
import { type ConnectedClient, connectedClients } from "./connected-clients.ts";
import { ClientTelemetry } from "./client-telemetry.ts";
import type { ClusterOptions } from "./cluster/cluster-options.ts";
import { PeerAuthentication, peersOnly } from "./cluster/cluster-secret.ts";
import { DevClock } from "./dev/dev-clock.ts";
import { devServices } from "./dev/dev-services.ts";
import { featuresInForce } from "./features.ts";
import type { AnyHandler } from "./handler.ts";
import { handlers as allHandlers } from "./handlers/index.ts";
import type { ListenerInfo, ListenerSpec } from "./listeners.ts";
import { MemoryBudget } from "./memory-budget.ts";
import type { MetadataCache } from "./metadata-cache.ts";
import type { NewTopic } from "./plan-topics.ts";
import { ClientQuotaManager, clientWindows } from "./quotas/client-quota-manager.ts";
import { ConnectionRates } from "./quotas/connection-rates.ts";
import { RequestRouter } from "./request-router.ts";
import { openServices } from "./services.ts";
import { Server } from "./server.ts";

/** What a broker is started with. */
export interface BrokerOptions {
  readonly io: Io;
  readonly logger: Logger;
  readonly config?: BrokerConfig;
  /** Default: loopback, any free port. */
  readonly listeners?: readonly ListenerSpec[];
  /** Path of the data directory, or of the first of them. */
  readonly dataDir: string;
  readonly furtherDataDirs?: readonly string[];
  /** Created before the broker listens, where they are missing. */
  readonly topics?: readonly NewTopic[];
  /** What is served; for tests that bring handlers of their own. */
  readonly handlers?: readonly AnyHandler[];
  /** Who may do what. Default: what `authorizer.class.name` says, without it everybody everything. */
  readonly authorizer?: Authorizer;
  /** The others of its cluster, for tests that put the metadata into it by hand. */
  readonly peers?: Peers;
  /** Lets faults be ordered and the clock be moved: for development only. */
  readonly dev?: boolean;
  /** What it takes to be a member of a cluster. Default: a cluster of this broker alone. */
  readonly cluster?: ClusterOptions;
  /** Called when the broker cannot go on: an invariant is broken. Default: it is only logged. */
  readonly onBug?: (error: Error) => void;
  /** Called once when the data directories have failed: nothing can be acknowledged any more. */
  readonly onStorageFailure?: (error: Error) => void;
}

/** A broker that serves. */
export interface RunningBroker {
  readonly broker: Broker;
  /** The bound listeners, in the order of the options. */
  readonly listeners: readonly ListenerInfo[];
  /** The first listener's port. */
  readonly port: number;
  /** What this broker hears of other members of its cluster; null if it does not gossip. */
  readonly gossip: NodeGossip | null;
  /** Who is connected at the moment, the oldest connection first. */
  clients(): ConnectedClient[];
  /** Answers what is under way, flushes, and leaves the mark of a clean end. */
  stop(): Promise<void>;
}

/** Request bytes that all connections may hold, where `queued.max.request.bytes` is not set. */
const REQUEST_BYTES_DEFAULT = 64 * 1024 * 1024;
/** Memory of large requests that is kept for later ones. */
const REQUEST_BYTES_KEPT = 16 * 1024 * 1024;
/** How long requests under way have to finish when the broker stops. */
const STOP_GRACE_MS = 5_000;

const LOOPBACK: ListenerSpec = {
  name: "PLAINTEXT",
  bind: { host: "127.0.0.1", port: 0 },
  advertised: null,
};

/** Starts a broker; resolves when it can serve. Throws an `OperatorError` if it cannot start. */
export async function startBroker(options: BrokerOptions): Promise<RunningBroker> {
  const { logger } = options;
  const devClock = options.dev === true ? new DevClock(options.io.clock) : null;
  const io = devClock === null ? options.io : { ...options.io, clock: devClock.clock };
  const config = options.config ?? BrokerConfig.of();
  const stopping = new AbortController();
  const onBug = (error: Error) => options.onBug?.(error);
  const services = await openServices({
    io,
    logger,
    config,
    dataDirs: [options.dataDir, ...options.furtherDataDirs ?? []],
    codecs: bunCodecs,
    peers: options.peers,
    ...(devClock !== null && {
      timerClocks: { housekeeping: devClock.housekeeping, session: devClock.sessions },
      retentionByAppendTime: true,
    }),
    onStorageFailure: (error) => options.onStorageFailure?.(error),
  });
  stopping.signal.addEventListener("abort", () => services.partitions.wake(), { once: true });
  const broker: Broker = {
    io,
    logger,
    config,
    authorizer: authorizerOf(options, config, services.metadata),
    peerAuthentication: peerAuthenticationOf(io, config, options.cluster?.secrets ?? []),
    clusterId: services.dataDirs.clusterId,
    nodeId: services.dataDirs.nodeId,
    controllerId: services.dataDirs.nodeId,
    ...services,
    apis: new ApiTable(options.handlers ?? allHandlers),
    quotas: ClientQuotaManager.of(io.clock, config, () => services.metadata.image.quotas),
    telemetry: new ClientTelemetry(io.clock, io.random, services.metadata),
    get features() {
      return featuresInForce(services.metadata.image);
    },
    stopping: stopping.signal,
    dev: devClock === null ? null : devServices(io, devClock, services),
    cluster: null,
    onBug,
  };
  const server = await startServing(broker, options).catch(async (error: unknown) => {
    await services.close();
    throw error;
  });
  const gossip = await startGossip(broker, server, options).catch(async (error: unknown) => {
    await server.stop(0);
    await services.close();
    throw error;
  });
  return {
    broker,
    listeners: server.listeners,
    port: server.listeners[0]?.bound.port ?? 0,
    gossip,
    clients: () => connectedClients(server.connections, broker),
    stop: async () => {
      stopping.abort(new Error("the broker stops"));
      await server.stop(STOP_GRACE_MS);
      await gossip?.stop();
      await services.close();
    },
  };
}

async function startServing(broker: Broker, options: BrokerOptions): Promise<Server> {
  await createTopics(broker, options.topics ?? []);
  return await startServer(broker, options.listeners ?? [LOOPBACK]);
}

async function startGossip(
  { io, logger, nodeId, clusterId, config }: Broker,
  { listeners }: Server,
  { cluster }: BrokerOptions,
): Promise<NodeGossip | null> {
  if (cluster?.gossip === undefined || cluster.gossip === null) return null;
  const rack = config.get("broker.rack");
  const node = { nodeId, clusterId, rack, listeners };
  const { NodeGossip } = await import("./cluster/node-gossip.ts");
  return await NodeGossip.start(io, logger, node, cluster, cluster.gossip);
}

async function createTopics(broker: Broker, topics: readonly NewTopic[]): Promise<void> {
  const outcomes = await broker.changes.createTopics(topics);
  outcomes.forEach((outcome, index) => {
    if (outcome.ok || outcome.error === Errors.TOPIC_ALREADY_EXISTS) return;
    throw new OperatorError(
      `cannot create the topic ${topics[index]?.name}`,
      outcome.message,
      "change its specification",
    );
  });
}

function authorizerOf(
  { authorizer, cluster }: BrokerOptions,
  config: BrokerConfig,
  metadata: MetadataCache,
): Authorizer {
  const ofClients = authorizer ?? (hasAcls(config) ? new AclAuthorizer(metadata) : allowAll);
  return (cluster?.secrets.length ?? 0) > 0 ? peersOnly(ofClients) : ofClients;
}

function peerAuthenticationOf(
  io: Io,
  config: BrokerConfig,
  secrets: readonly string[],
): PeerAuthentication | null {
  if (secrets.length === 0) return null;
  const delayMs = () => config.get("connection.failed.authentication.delay.ms");
  return new PeerAuthentication(io, secrets, delayMs);
}

/** The limit for a peer in `address:count,…`, if it is listed there. */
function connectionOverride(overrides: string, host: string): number | undefined {
  for (const entry of overrides.split(",")) {
    const colon = entry.lastIndexOf(":");
    if (colon > 0 && entry.slice(0, colon).trim() === host) return Number(entry.slice(colon + 1));
  }
  return undefined;
}

function startServer(broker: Broker, listeners: readonly ListenerSpec[]): Promise<Server> {
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
