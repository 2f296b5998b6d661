/**
 * Nodes of a cluster as far as metadata go, on the hosts of the simulator: the log and the election in a
 * simulated etcd, a controller, a follower, a server that answers what is asked of the controller.
 */
import { asError } from "../../core/as-error.ts";
import { BrokerMetrics } from "../metrics/broker-metrics.ts";
import { etcdControllerElection, openEtcdMetadataLog } from "../../cluster/etcd/open-etcd.ts";
import type { EtcdControllerElection } from "../../cluster/etcd/etcd-controller-election.ts";
import type { EtcdMetadataLog } from "../../cluster/etcd/etcd-metadata-log.ts";
import { aloneBroker } from "../../cluster/metadata-image.ts";
import type { MetadataRecord } from "../../cluster/metadata-records.ts";
import { BufferPool } from "../../core/buffer-pool.ts";
import type { HostPort, Io } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { NO_ETCD_FAULTS, SimEtcd, SimEtcdClient } from "../../tests/sim/sim-etcd.ts";
import { SimHosts } from "../../tests/sim/sim-hosts.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { ApiTable } from "../api-table.ts";
import { allowAll, type Authorizer } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import { Controller } from "../controller.ts";
import { clusterHandlers } from "../handlers/cluster-handlers.ts";
import { fetchHandler } from "../handlers/01-fetch.ts";
import type { AnyHandler } from "../handler.ts";
import { handlers } from "../handlers/index.ts";
import { MemoryBudget } from "../memory-budget.ts";
import { MetadataCache } from "../metadata-cache.ts";
import { accept } from "../outcome.ts";
import type { Plan } from "../plan-topics.ts";
import { ClientQuotaManager } from "../quotas/client-quota-manager.ts";
import { ConnectionRates } from "../quotas/connection-rates.ts";
import { RequestRouter } from "../request-router.ts";
import { Server } from "../server.ts";
import { BrokerPeers } from "./broker-peers.ts";
import type { ClusterServices } from "./cluster-services.ts";
import type { ControllerRole } from "./controller-role.ts";
import { MetadataFollower } from "./metadata-follower.ts";
import { MetadataSource } from "./metadata-source.ts";
import { RecentChanges } from "./recent-changes.ts";

export const CLUSTER = "test";
export const CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAEQ";
export const LISTENER = "INTERNAL";
export const LEASE_TTL_MS = 6000;
const PORT = 9092;
const WINDOWS = { count: 11, sizeMs: 1000 };

/** The hosts, and the etcd that all reach. */
export class MetadataWorld {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random: SimRandom;
  readonly etcd = new SimEtcd(this.clock);
  readonly hosts: SimHosts;
  readonly nodes: MetadataNode[] = [];
  /** What a node serves, which may be of another version; null: it does not know this API. */
  tailor: (nodeId: number, handler: AnyHandler) => AnyHandler | null = (_, handler) => handler;
  /** What becomes of the changes that a controller sends. */
  damage: (records: Uint8Array) => Uint8Array = (records) => records;
  /** For so long followers let the controller wait for news; undefined: as they do by themselves. */
  maxWaitMs: number | undefined = undefined;
  /** What went wrong where nobody waits for it. */
  readonly bugs: Error[] = [];

  constructor(seed = 1, readonly recordsKept?: number, readonly authorizer: Authorizer = allowAll) {
    this.random = new SimRandom(seed);
    this.hosts = new SimHosts(this.clock, this.random);
  }

  /** A fresh process on the host of this node. */
  start(nodeId: number): MetadataNode {
    const node = this.clock.run(MetadataNode.start(this, nodeId));
    this.nodes.push(node);
    return node;
  }

  kill(node: MetadataNode): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    node.etcdClient.isDead = true;
    this.hosts.host(addressOf(node.nodeId).host).kill();
  }

  /** Lets time pass until this holds. */
  until(what: string, isTrue: () => boolean, limitMs = 60_000): void {
    const endMs = this.clock.monotonicMs() + limitMs;
    while (!isTrue()) {
      if (this.clock.monotonicMs() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
      this.clock.advance(10);
      if (this.bugs[0] !== undefined) throw this.bugs[0];
    }
  }

  /** The node that is in office; waits for it. */
  controller(): MetadataNode {
    this.until("a controller", () => this.#inOffice() !== undefined);
    const node = this.#inOffice();
    if (node === undefined) throw new Error("unreachable");
    return node;
  }

  #inOffice(): MetadataNode | undefined {
    return this.nodes.find(({ broker, election }) =>
      broker.controller.isActive && election.term !== null
    );
  }
}

function addressOf(nodeId: number): HostPort {
  return { host: `10.0.0.${nodeId}`, port: PORT };
}

/** The record that says where a node is. */
export function nodeRecord(nodeId: number): MetadataRecord {
  const { host, port } = addressOf(nodeId);
  const endpoints = [{ name: LISTENER, securityProtocol: 0, host, port }];
  return { ...aloneBroker(nodeId), endpoints };
}

/** See the head of the file. */
export class MetadataNode {
  private constructor(
    readonly nodeId: number,
    readonly broker: Broker,
    readonly election: EtcdControllerElection,
    readonly log: EtcdMetadataLog,
    readonly peers: BrokerPeers,
    readonly follower: MetadataFollower,
    readonly recent: RecentChanges,
    readonly etcdClient: SimEtcdClient,
    readonly faults: typeof NO_ETCD_FAULTS,
  ) {}

  static async start(world: MetadataWorld, nodeId: number): Promise<MetadataNode> {
    const { random, authorizer } = world;
    const { clock, network } = world.hosts.host(addressOf(nodeId).host).start();
    const logger = silentLogger;
    const faults = { ...NO_ETCD_FAULTS };
    const store = new SimEtcdClient(world.clock, random, world.etcd, faults);
    const etcd = { clock, random, logger, store };
    const election = etcdControllerElection(etcd, CLUSTER, nodeId, LEASE_TTL_MS);
    const expected = { cluster: CLUSTER, newClusterId: CLUSTER_ID };
    const { log } = await openEtcdMetadataLog(etcd, expected, election);
    const config = BrokerConfig.of({ "node.id": String(nodeId) });
    const metadata = new MetadataCache(config, nodeId);
    const recent = new RecentChanges(world.recordsKept);
    const controller = Controller.candidate({ clock, random, logger, log, metadata, recent });
    const io = { clock, random, network } as unknown as Io;
    const peers = new BrokerPeers({ io, logger, nodeId, listener: LISTENER, metadata, election });
    const stopping = new AbortController().signal;
    const metadataSource = new MetadataSource({
      clock,
      metadata,
      recent,
      controller,
      election,
      stopping,
    });
    const role = { brokers: null } as ControllerRole;
    const cluster: Partial<ClusterServices> = { peers, metadataSource, role };
    const parts: Partial<Broker> = {
      io,
      logger,
      config,
      authorizer,
      clusterId: CLUSTER_ID,
      nodeId,
      apis: new ApiTable(
        [...handlersOf(world), ...clusterHandlers].flatMap((each) =>
          world.tailor(nodeId, each) ?? []
        ),
      ),
      metadata,
      controller,
      cluster: cluster as ClusterServices,
      metrics: new BrokerMetrics(),
      tracing: null,
      quotas: ClientQuotaManager.of(clock, config, () => metadata.image.quotas),
      features: [],
      stopping,
      dev: null,
      onBug: (error) => void world.bugs.push(error),
    };
    const broker = parts as Broker;
    const follower = new MetadataFollower({
      clock,
      random,
      logger: { ...logger, error: (message, fields) => fail(world, message, fields) },
      nodeId,
      clusterId: CLUSTER_ID,
      metadata,
      recent,
      election,
      maxWaitMs: world.maxWaitMs,
      onBug: (error) => void world.bugs.push(error),
      connect: (to, signal) => peers.connectController(to, "metadata", signal),
    });
    await serve(broker, addressOf(nodeId));
    const node = new MetadataNode(
      nodeId,
      broker,
      election,
      log,
      peers,
      follower,
      recent,
      store,
      faults,
    );
    node.#campaign(world);
    return node;
  }

  get image() {
    return this.broker.metadata.image;
  }

  /** A change of the metadata by this node, if it is the controller. */
  change(...records: MetadataRecord[]): Promise<boolean> {
    const plan = (): Plan<null> => ({ records, outcomes: [accept(null)] });
    return this.broker.controller.change(1, plan).then(([outcome]) => outcome?.ok === true);
  }

  #campaign(world: MetadataWorld): void {
    let tail = Promise.resolve();
    const inTurn = (step: () => Promise<void>) => {
      tail = tail.then(step).catch((error: unknown) => {
        world.bugs.push(asError(error));
      });
    };
    this.follower.start();
    this.election.campaign({
      onElected: (term) =>
        inTurn(async () => {
          if (this.election.term !== term) return;
          await this.follower.stop();
          await this.broker.controller.activate();
        }),
      onLost: () =>
        inTurn(async () => {
          await this.broker.controller.deactivate();
          await this.follower.stop();
          this.follower.start();
        }),
    }, addressOf(this.nodeId));
  }
}

/** All handlers, with one for Fetch that sends what `damage` makes of changes. */
function handlersOf(world: MetadataWorld): AnyHandler[] {
  const fetch: AnyHandler = {
    ...fetchHandler,
    async handle(context, request, broker) {
      const response = await (fetchHandler as AnyHandler).handle(context, request, broker);
      const answer = response as { responses?: { partitions: { records: Uint8Array }[] }[] } | null;
      for (const partition of answer?.responses?.[0]?.partitions ?? []) {
        if (partition.records.length === 0) continue;
        partition.records = world.damage(partition.records.slice());
      }
      return response;
    },
  };
  return handlers.map((handler) => handler.api.key === fetch.api.key ? fetch : handler);
}

/** Errors are for what cannot happen here. */
function fail(world: MetadataWorld, message: string, fields: object | undefined): void {
  world.bugs.push(new Error(`${message}: ${JSON.stringify(fields)}`));
}

async function serve(broker: Broker, bind: HostPort): Promise<void> {
  const { io, logger, config } = broker;
  const router = new RequestRouter(broker);
  await Server.start({
    network: io.network,
    metrics: broker.metrics.network,
    rates: new ConnectionRates({
      clock: io.clock,
      quotas: () => broker.metadata.image.quotas,
      windows: WINDOWS,
      brokerRateMax: () => config.get("max.connection.creation.rate"),
    }),
    limits: () => ({ connectionsMax: 1000, connectionsPerIpMax: () => 1000 }),
    connection: {
      clock: io.clock,
      logger,
      buffers: new BufferPool(0),
      memory: new MemoryBudget(io.clock, 64 * 1024 * 1024),
      limits: { requestBytesMax: 1 << 30, idleMs: -1 },
      parse: (frame, connection) => router.parse(frame, connection),
    },
  }, [{ name: LISTENER, bind, advertised: null }]);
}
