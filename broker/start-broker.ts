/**
 * The composition root: builds every part of a broker, in the order in which they depend on one
 * another, and takes them down in the opposite one.
 */
import { bunCodecs } from "../core/compression/bun.ts";
import { Errors } from "../core/errors.ts";
import type { Io, Socket, SocketHandlers } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import { OperatorError } from "../core/operator-error.ts";
import { ApiTable } from "./api-table.ts";
import { authorizerOf, peerAuthenticationOf } from "./access.ts";
import type { Authorizer, Principal } from "./authorizer.ts";
import type { Broker } from "./broker.ts";
import type { NodeGossip } from "./cluster/node-gossip.ts";
import type { Peers } from "./cluster/peers.ts";
import { BrokerConfig } from "./config/broker-config.ts";
import { type ConnectedClient, connectedClients } from "./connected-clients.ts";
import { PushQueue } from "./client-metrics/push-queue.ts";
import { ClientTelemetry } from "./client-telemetry.ts";
import { areNodesKnownIn, type ClusterOptions } from "./cluster/cluster-options.ts";
import { DevClock } from "./dev/dev-clock.ts";
import { devServices } from "./dev/dev-services.ts";
import { BrokerMetrics } from "./metrics/broker-metrics.ts";
import { featuresInForce } from "./features.ts";
import type { AnyHandler } from "./handler.ts";
import { handlers as allHandlers } from "./handlers/index.ts";
import { DEFAULT_LISTENER, type ListenerInfo, type ListenerSpec } from "./listeners.ts";
import type { NewTopic } from "./plan-topics.ts";
import { ClientQuotaManager } from "./quotas/client-quota-manager.ts";
import { shareOfQuotas } from "./quotas/share-of-quotas.ts";
import { openServices, type Services, type ServicesOptions } from "./services.ts";
import type { Server } from "./server.ts";
import { startServer } from "./serving.ts";
import type { ListenerTls } from "./tls/listener-tls.ts";
import { Tracing } from "./tracing/tracing.ts";

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
  /** Called once when the cluster has sent this broker away: it cannot go on. */
  readonly onFailure?: (error: Error) => void;
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
  /** Serves a connection from within this process: see `Server.adopt`. */
  adopt(socket: Socket, listener: ListenerInfo, principal: Principal): SocketHandlers;
  /** Has a listener show other certificates from now on. Throws an `OperatorError` if it cannot. */
  renewTls(listener: string, tls: ListenerTls): Promise<void>;
  /**
   * Answers what is under way, flushes, and leaves the mark of a clean end. A member of a cluster hands
   * over before what it leads, unless it is told that nobody is there to take it.
   */
  stop(options?: { readonly handsOver?: boolean }): Promise<void>;
}

/** How long requests under way have to finish when the broker stops. */
const STOP_GRACE_MS = 5_000;

const LOOPBACK: ListenerSpec = {
  name: "PLAINTEXT",
  bind: { host: "127.0.0.1", port: 0 },
  advertised: null,
};

/** Starts a broker; resolves when it can serve. Throws an `OperatorError` if it cannot start. */
export async function startBroker(options: BrokerOptions): Promise<RunningBroker> {
  const devClock = options.dev === true ? new DevClock(options.io.clock) : null;
  const io = devClock === null ? options.io : { ...options.io, clock: devClock.clock };
  const config = options.config ?? BrokerConfig.of();
  const tracing = Tracing.of(io, bunCodecs, config);
  const stopping = new AbortController();
  const listeners = options.listeners ?? [LOOPBACK];
  const services = await openServices({
    io,
    logger: options.logger,
    config,
    dataDirs: [options.dataDir, ...options.furtherDataDirs ?? []],
    codecs: bunCodecs,
    peers: options.peers,
    member: memberOptions(options, listeners, stopping.signal),
    ...(devClock !== null && {
      timerClocks: { housekeeping: devClock.housekeeping, session: devClock.sessions },
      retentionByAppendTime: true,
    }),
    onStorageFailure: (error) => options.onStorageFailure?.(error),
  });
  stopping.signal.addEventListener("abort", () => services.partitions.wake(), { once: true });
  const broker = await assemble(options, {
    io,
    config,
    services,
    devClock,
    tracing,
    stopping: stopping.signal,
  });
  const server = await startServing(broker, options, listeners).catch(async (error: unknown) => {
    await services.close();
    throw error;
  });
  const gossip = await joinCluster(broker, services, server, options)
    .catch(async (error: unknown) => {
      stopping.abort(error);
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
    adopt: (socket, listener, principal) => server.adopt(socket, listener, principal),
    renewTls: (listener, tls) => server.renewTls(listener, tls),
    stop: async ({ handsOver = true } = {}) => {
      // Others take over while this broker still serves.
      if (handsOver) await services.cluster?.leave();
      stopping.abort(new Error("the broker stops"));
      await gossip?.stop();
      await server.stop(STOP_GRACE_MS);
      await services.close();
    },
  };
}

function memberOptions(
  { cluster, onBug, onFailure }: BrokerOptions,
  listeners: readonly ListenerSpec[],
  stopping: AbortSignal,
): ServicesOptions["member"] {
  if (cluster === undefined) return undefined;
  return {
    cluster,
    firstListener: listeners[0]?.name ?? DEFAULT_LISTENER,
    stopping,
    onBug: (error) => onBug?.(error),
    onFailure: (error) => onFailure?.(error),
  };
}

/** What handlers see. */
async function assemble(
  options: BrokerOptions,
  { io, config, services, devClock, tracing, stopping }: {
    readonly io: Io;
    readonly config: BrokerConfig;
    readonly services: Services;
    readonly devClock: DevClock | null;
    readonly tracing: Tracing | null;
    readonly stopping: AbortSignal;
  },
): Promise<Broker> {
  const { metadata, dataDirs, cluster } = services;
  const secrets = options.cluster?.secrets ?? [];
  const areNodesKnown = options.cluster !== undefined && areNodesKnownIn(options.cluster);
  const shards = config.get("kstream.shards");
  const metrics = new BrokerMetrics();
  metadata.onChange((delta) => metrics.noteChange(delta, dataDirs.nodeId));
  return {
    io,
    logger: options.logger,
    config,
    authorizer: authorizerOf(options.authorizer, config, metadata, areNodesKnown),
    peerAuthentication: peerAuthenticationOf(io, config, secrets, areNodesKnown),
    clusterId: dataDirs.clusterId,
    nodeId: dataDirs.nodeId,
    get controllerId() {
      return cluster?.controllerId ?? dataDirs.nodeId;
    },
    ...services,
    apis: new ApiTable(options.handlers ?? await handlersOf(services)),
    quotas: ClientQuotaManager.of(
      io.clock,
      config,
      () => shareOfQuotas(metadata.image.quotas, shards),
    ),
    metrics,
    telemetry: new ClientTelemetry(io.clock, io.random, metadata, {
      nodeId: dataDirs.nodeId,
      codecs: bunCodecs,
      queue: config.get("kstream.otlp.endpoint") === "" ? null : new PushQueue(),
    }),
    tracing,
    get features() {
      return featuresInForce(metadata.image);
    },
    stopping,
    dev: devClock === null ? null : devServices(io, devClock, services),
    onBug: (error) => options.onBug?.(error),
  };
}

/** Brokers have some APIs for one another. */
async function handlersOf({ cluster }: Services): Promise<readonly AnyHandler[]> {
  if (cluster === null) return allHandlers;
  const { clusterHandlers } = await import("./handlers/cluster-handlers.ts");
  return [...allHandlers, ...clusterHandlers];
}

async function startServing(
  broker: Broker,
  { topics = [] }: BrokerOptions,
  listeners: readonly ListenerSpec[],
): Promise<Server> {
  // A member asks the controller for them, which has to be there.
  if (broker.cluster === null) await createTopics(broker, topics);
  return await startServer(broker, listeners);
}

/** Takes part in the cluster, if there is one. Resolves when this broker may lead. */
async function joinCluster(
  broker: Broker,
  { cluster }: Services,
  server: Server,
  options: BrokerOptions,
): Promise<NodeGossip | null> {
  if (cluster === null) return null;
  const gossip = await startGossip(broker, server, options);
  try {
    await cluster.join(server.listeners);
    broker.producerIds.prefetch();
    await createTopics(broker, options.topics ?? []);
    return gossip;
  } catch (error) {
    await gossip?.stop();
    throw error;
  }
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
