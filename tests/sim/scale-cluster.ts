/**
 * Very many brokers without their data: registration, heartbeats, the election of the controller, the
 * metadata and how they spread are the real ones, over hosts, a network and an etcd that are simulated.
 * No partition is hosted. What a node computes takes it as long as it took this machine.
 */
import { BrokerMetrics } from "../../broker/metrics/broker-metrics.ts";
import { etcdControllerElection, openEtcdMetadataLog } from "../../cluster/etcd/open-etcd.ts";
import { newPartition } from "../../cluster/controller/partition-change.ts";
import { isActive, type MetadataDelta, topicRecords } from "../../cluster/metadata-image.ts";
import type { MetadataRecord } from "../../cluster/metadata-records.ts";
import { BufferPool } from "../../core/buffer-pool.ts";
import type { HostPort, Io } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { ApiTable } from "../../broker/api-table.ts";
import { allowAll } from "../../broker/authorizer.ts";
import type { Broker } from "../../broker/broker.ts";
import { BrokerLifecycle } from "../../broker/cluster/broker-lifecycle.ts";
import { BrokerPeers } from "../../broker/cluster/broker-peers.ts";
import type { ClusterServices } from "../../broker/cluster/cluster-services.ts";
import { ControllerRole } from "../../broker/cluster/controller-role.ts";
import { MetadataFollower } from "../../broker/cluster/metadata-follower.ts";
import { MetadataSource } from "../../broker/cluster/metadata-source.ts";
import { portProbe } from "../../broker/cluster/port-probe.ts";
import { RecentChanges } from "../../broker/cluster/recent-changes.ts";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import { Controller } from "../../broker/controller.ts";
import { ONE_NODE_FEATURES } from "../../broker/features.ts";
import { clusterHandlers } from "../../broker/handlers/cluster-handlers.ts";
import { handlers } from "../../broker/handlers/index.ts";
import { MemoryBudget } from "../../broker/memory-budget.ts";
import { MetadataCache } from "../../broker/metadata-cache.ts";
import { accept } from "../../broker/outcome.ts";
import { ClientQuotaManager } from "../../broker/quotas/client-quota-manager.ts";
import { ConnectionRates } from "../../broker/quotas/connection-rates.ts";
import { RequestRouter } from "../../broker/request-router.ts";
import { Server } from "../../broker/server.ts";
import { SimClock } from "./sim-clock.ts";
import { NO_ETCD_FAULTS, SimEtcd, SimEtcdClient } from "./sim-etcd.ts";
import { onHost } from "./sim-etcd-host.ts";
import { type SimHost, SimHosts } from "./sim-hosts.ts";
import { SimRandom } from "./sim-random.ts";

const CLUSTER = "scale";
const CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAEQ";
const LISTENER = "INTERNAL";
const PORT = 9092;
const LEASE_TTL_MS = 6000;
/** An etcd whose disks take their time. */
const ETCD_LATENCY_MS_MAX = 20;
const REPLICAS = 3;
const TOPIC_PARTITIONS = 50;
/** Topics that are made in one change. */
const TOPICS_AT_ONCE = 20;
const START_MS = 60_000;
const CHANGE: MetadataDelta = {
  ...{ createdTopics: [], deletedTopics: [], changedTopics: [], changedBrokers: [] },
  ...{ changedConfigs: [], changedAcls: [], brokerConfigsChanged: false, quotasChanged: false },
};

/** See the head of the file. */
export class ScaleCluster {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(1);
  readonly etcd = new SimEtcd(this.clock);
  readonly hosts = new SimHosts(this.clock, this.random);
  readonly nodes: ScaleNode[] = [];
  #failure: Error | null = null;

  /** All brokers are up, and the partitions are spread over them. */
  constructor(brokers: number, partitions: number) {
    for (let id = 1; id <= brokers; id++) {
      const node = new ScaleNode(this, id);
      this.nodes.push(node);
      node.start().catch((error: unknown) => this.failed(error));
    }
    this.until("brokers that are up", START_MS, () => this.nodes.every((node) => node.isActive));
    this.#fill(partitions);
  }

  failed(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }

  /** From now on computing takes time. */
  time(): void {
    for (const { host } of this.nodes) host.isTimed = true;
  }

  /** The one that is controller, as it knows itself, of those that run. */
  controller(): ScaleNode | undefined {
    return this.nodes.find((node) => node.runs && node.controller.isActive);
  }

  /** Lets time pass until it holds, and says how many milliseconds that was. */
  until(what: string, limitMs: number, holds: () => boolean): number {
    const sinceMs = this.clock.monotonicMs();
    while (!holds()) {
      this.clock.advance(5);
      if (this.#failure !== null) throw this.#failure;
      if (this.clock.monotonicMs() - sinceMs > limitMs) {
        throw new Error(`not within ${limitMs} ms: ${what}`);
      }
    }
    return this.clock.monotonicMs() - sinceMs;
  }

  /** Puts the topics in the log; all get the image at once, as if they had followed it. */
  #fill(partitions: number): void {
    const controller = this.controller();
    if (controller === undefined) throw new Error("brokers that are up have a controller");
    for (const node of this.nodes) this.clock.run(node.follower.stop());
    const topics = Math.ceil(partitions / TOPIC_PARTITIONS);
    for (let first = 0; first < topics; first += TOPICS_AT_ONCE) {
      const count = Math.min(TOPICS_AT_ONCE, topics - first);
      const records = Array.from({ length: count }, (_, at) => this.#topic(first + at)).flat();
      const changed = controller.controller.change(
        1,
        () => ({ records, outcomes: [accept(null)] }),
      );
      const [outcome] = this.clock.run(changed);
      if (outcome?.ok !== true) throw new Error(`no topics: ${outcome?.message}`);
    }
    const { image } = controller.metadata;
    for (const node of this.nodes) {
      if (node === controller) continue;
      node.metadata.publish(image, CHANGE);
      node.recent.reset(image.position);
      node.follower.start();
    }
  }

  #topic(number: number): MetadataRecord[] {
    const brokers = this.nodes.length;
    const name = `topic-${number}`;
    const id = Buffer.from(name.padEnd(16)).toString("base64url");
    const partitions = Array.from({ length: TOPIC_PARTITIONS }, (_, index) => {
      const place = number * TOPIC_PARTITIONS + index;
      const round = Math.floor(place / brokers);
      const replicas = Array.from({ length: REPLICAS }, (_, nth) => {
        const step = nth === 0 ? 0 : 1 + (round + nth) % (brokers - 1);
        return 1 + (place + step) % brokers;
      });
      return newPartition(replicas, () => true);
    });
    return [...topicRecords({ name, id, partitions, configs: new Map() })];
  }
}

/** One of them. */
export class ScaleNode {
  readonly host: SimHost;
  readonly address: HostPort;
  readonly metadata: MetadataCache;
  readonly recent = new RecentChanges();
  readonly #config: BrokerConfig;
  runs = true;
  #etcd: SimEtcdClient | null = null;
  #parts: {
    readonly controller: Controller;
    readonly follower: MetadataFollower;
    readonly lifecycle: BrokerLifecycle;
  } | null = null;

  constructor(readonly world: ScaleCluster, readonly id: number) {
    this.address = { host: `10.0.${id >> 8}.${id & 255}`, port: PORT };
    this.host = world.hosts.host(this.address.host);
    this.#config = BrokerConfig.of({ "node.id": String(id) });
    this.metadata = new MetadataCache(this.#config, id);
  }

  get isActive(): boolean {
    return this.#parts?.lifecycle.isActive === true;
  }

  get controller(): Controller {
    return this.#started.controller;
  }

  get follower(): MetadataFollower {
    return this.#started.follower;
  }

  /**
   * Whether the metadata here say that this broker is fenced and leads nothing, and that all have a
   * leader but those of whose replicas none runs: of the brokers that were killed one after the
   * other, three may have been all the replicas that there were.
   */
  isWithout(broker: ScaleNode): boolean {
    const { image } = this.metadata;
    const runs = (id: number) => isActive(image, id);
    if (runs(broker.id)) return false;
    for (const { partitions } of image.topics.values()) {
      for (const { leader, replicas } of partitions) {
        if (leader === broker.id || (leader < 0 && replicas.some(runs))) return false;
      }
    }
    return true;
  }

  /** kill -9. */
  kill(): void {
    this.runs = false;
    this.host.kill();
    if (this.#etcd !== null) this.#etcd.isDead = true;
  }

  /** Registers, stands for election, follows. */
  async start(): Promise<void> {
    const { world, id: nodeId, host, metadata, recent } = this;
    const { random } = world;
    const { clock, network } = host.start();
    const io = { clock, random, network } as unknown as Io;
    const faults = { ...NO_ETCD_FAULTS, maxLatencyMs: ETCD_LATENCY_MS_MAX };
    this.#etcd = new SimEtcdClient(world.clock, random, world.etcd, faults);
    const logger = silentLogger;
    const etcd = { clock, random, logger, store: onHost(this.#etcd, host) };
    const election = etcdControllerElection(etcd, CLUSTER, nodeId, LEASE_TTL_MS);
    const wanted = { cluster: CLUSTER, newClusterId: CLUSTER_ID };
    const { log, clusterId } = await openEtcdMetadataLog(etcd, wanted, election);
    const onBug = (error: Error) => world.failed(error);
    const config = this.#config;
    const incarnationId = Buffer.from(random.bytes(16)).toString("base64url");
    const common = {
      ...{ clock, random, logger, config, nodeId, clusterId, incarnationId },
      ...{ election, metadata, recent, onBug },
    };
    const controller = Controller.candidate({ ...common, log });
    const peers = new BrokerPeers({ io, logger, nodeId, listener: LISTENER, metadata, election });
    const follower = new MetadataFollower({
      ...common,
      connect: async (elected, signal) => {
        const connection = await peers.connectController(elected, "metadata", signal);
        role.watch(elected, connection);
        return connection;
      },
    });
    const isRefused = portProbe(io);
    const role = new ControllerRole({
      ...{ ...common, controller, follower, isRefused, listener: LISTENER },
    });
    const lifecycle = new BrokerLifecycle({
      ...{ ...common, peers, host: this.address.host, features: ONE_NODE_FEATURES },
      previousBrokerEpoch: -1,
      logDirs: [],
      offlineDirs: () => [],
      onFailure: onBug,
    });
    this.#parts = { controller, follower, lifecycle };
    const stopping = new AbortController().signal;
    const metadataSource = new MetadataSource({ ...common, controller, stopping });
    const cluster: Partial<ClusterServices> = { peers, metadataSource, role };
    await serve({
      ...{ ...common, io, authorizer: allowAll, controller, stopping },
      apis: new ApiTable([...handlers, ...clusterHandlers]),
      cluster: cluster as ClusterServices,
      quotas: ClientQuotaManager.of(clock, config, () => metadata.image.quotas),
      metrics: new BrokerMetrics(),
      features: [],
      dev: null,
    }, this.address);
    role.start(this.address);
    const { host: ip, port } = this.address;
    await lifecycle.start([{ name: LISTENER, securityProtocol: 0, host: ip, port }]);
  }

  get #started() {
    if (this.#parts === null) throw new Error("a node is started once its log is open");
    return this.#parts;
  }
}

/** Answers what is asked of a controller; nothing of partitions is. */
async function serve(parts: Partial<Broker>, bind: HostPort): Promise<void> {
  const broker = parts as Broker;
  const { io, logger } = broker;
  const router = new RequestRouter(broker);
  await Server.start({
    network: io.network,
    metrics: broker.metrics.network,
    rates: new ConnectionRates({
      clock: io.clock,
      quotas: () => broker.metadata.image.quotas,
      windows: { count: 11, sizeMs: 1000 },
      brokerRateMax: () => Infinity,
    }),
    limits: () => ({ connectionsMax: 10_000, connectionsPerIpMax: () => 10_000 }),
    connection: {
      clock: io.clock,
      logger,
      buffers: new BufferPool(0),
      memory: new MemoryBudget(io.clock, 1 << 30),
      limits: { requestBytesMax: 1 << 30, idleMs: -1 },
      parse: (frame, connection) => router.parse(frame, connection),
    },
  }, [{ name: LISTENER, bind, advertised: null }]);
}
