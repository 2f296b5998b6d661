/**
 * A broker as a member of a cluster: what stands in for the local metadata log of a broker that is a
 * cluster by itself. It is built in the order in which its parts need each other; `join` puts it to work
 * once the listeners are bound, `leave` hands over what it leads.
 */
import type { BrokerEndpoint } from "../../cluster/metadata-records.ts";
import { assert } from "../../core/assert.ts";
import type { Authenticate } from "../../core/connection.ts";
import { type DataDirs, knownClusterId } from "../../storage/data-dirs.ts";
import { randomId } from "../../storage/meta-properties.ts";
import { Controller } from "../controller.ts";
import { ONE_NODE_FEATURES } from "../features.ts";
import {
  type Foundation,
  type FoundationOptions,
  hostPartitions,
  openDataDirs,
} from "../foundation.ts";
import { advertisedAddress, type ListenerInfo, SecurityProtocols } from "../listeners.ts";
import { MetadataCache } from "../metadata-cache.ts";
import type { PartitionSet } from "../partition-set.ts";
import { TopicTrash } from "../topic-trash.ts";
import { type UserRoutes, userRoutes } from "./acting-for.ts";
import { BrokerLifecycle } from "./broker-lifecycle.ts";
import { BrokerPeers } from "./broker-peers.ts";
import { ClusterChanges } from "./cluster-changes.ts";
import { areNodesKnownIn, type ClusterOptions } from "./cluster-options.ts";
import { peerAuthenticator } from "./cluster-secret.ts";
import type { ClusterServices } from "./cluster-services.ts";
import { DirectoryReports } from "./directory-reports.ts";
import { ControllerRole } from "./controller-role.ts";
import { ControllerTasks } from "./controller-tasks.ts";
import { MetadataFollower } from "./metadata-follower.ts";
import { MetadataSource } from "./metadata-source.ts";
import { portProbe } from "./port-probe.ts";
import { openQuorum, type Quorum } from "./quorum.ts";
import { RecentChanges } from "./recent-changes.ts";
import { Replication } from "./replication.ts";

/** What a member is built from. */
export interface MemberOptions extends FoundationOptions {
  readonly cluster: ClusterOptions;
  /** The name of the broker's first listener. */
  readonly firstListener: string;
  /** Aborted when the broker begins to stop. */
  readonly stopping: AbortSignal;
  /** An invariant is broken. */
  onBug(error: Error): void;
  /** The cluster has sent this broker away. */
  onFailure(error: Error): void;
}

/** How long a broker that stops waits until others lead what it led. */
const SHUTDOWN_MS = 30_000;
/**
 * For so long a controller on this host keeps who follows its metadata waiting where there is no news: no
 * connection to it can be lost unnoticed, and each answer costs both of them.
 */
const LOCAL_WAIT_MS = 10_000;

/** A member's foundation, and the member itself. */
export interface MemberFoundation extends Foundation {
  readonly cluster: Member;
}

/**
 * Opens what the cluster's metadata are in and the data directories. Throws an `OperatorError` if etcd
 * cannot be asked, or where one is another cluster's than the other.
 */
export async function openMember(options: MemberOptions): Promise<MemberFoundation> {
  const { io: { clock, random, disk }, logger, config, cluster } = options;
  const quorum = await openQuorum(cluster.quorum, {
    ...{ clock, random, logger },
    nodeId: config.get("node.id"),
    cluster: cluster.name,
    clusterId: knownClusterId(disk, options.dataDirs),
  });
  try {
    let member: Member | null = null;
    const onStorageFailure = (error: Error) => {
      // Others take over what it leads, however long its own end takes.
      member?.lifecycle.fence();
      options.onStorageFailure?.(error);
    };
    const onDirChange = () => member?.noteDirChange();
    const hooks = { onStorageFailure, onDirChange };
    const dataDirs = await openDataDirs({ ...options, ...hooks }, null, quorum.clusterId);
    member = new Member(options, quorum, dataDirs);
    return member.foundation;
  } catch (error) {
    quorum.close();
    throw error;
  }
}

/** See the head of the file. */
export class Member implements ClusterServices {
  readonly foundation: MemberFoundation;
  readonly peers: BrokerPeers;
  readonly role: ControllerRole;
  readonly lifecycle: BrokerLifecycle;
  readonly replication: Replication;
  readonly metadataSource: MetadataSource;
  readonly userRoutes: UserRoutes;
  readonly #dirReports: DirectoryReports;
  readonly #options: MemberOptions;
  readonly #quorum: Quorum;
  #tasks: ControllerTasks | null = null;

  constructor(options: MemberOptions, quorum: Quorum, dataDirs: DataDirs) {
    const { io, logger, config, cluster } = options;
    const { clock, random } = io;
    const { election, clusterId } = quorum;
    const { nodeId } = dataDirs;
    this.#options = options;
    this.#quorum = quorum;
    const metadata = new MetadataCache(config, nodeId);
    const recent = new RecentChanges();
    const common = { clock, random, logger, config, nodeId, clusterId, election, metadata, recent };
    const controller = Controller.candidate({ ...common, log: quorum.log });
    const links = {
      listener: this.#listener,
      proveNode: this.#proof,
      tls: cluster.tls,
    };
    this.peers = new BrokerPeers({ ...common, io, ...links });
    const { peers } = this;
    const areNodesKnown = areNodesKnownIn(cluster);
    this.userRoutes = userRoutes({ metadata, areNodesKnown, ...links });
    const { onBug } = options;
    const follower = new MetadataFollower({
      ...common,
      onBug,
      maxWaitMs: this.#isControllerElsewhere ? LOCAL_WAIT_MS : undefined,
      connect: async (elected, signal) => {
        const connection = await peers.connectController(elected, "metadata", signal);
        this.role.watch(elected, connection);
        return connection;
      },
    });
    const { stopping } = options;
    this.metadataSource = new MetadataSource({ ...common, controller, stopping });
    const incarnationId = randomId(random);
    this.role = new ControllerRole({
      ...common,
      incarnationId,
      ...{ controller, follower, onBug },
      isRefused: portProbe(io),
      listener: this.#listener,
    });
    this.lifecycle = new BrokerLifecycle({
      ...common,
      incarnationId,
      host: cluster.host,
      features: ONE_NODE_FEATURES,
      peers,
      previousBrokerEpoch: dataDirs.previousBrokerEpoch,
      logDirs: dataDirs.ids,
      offlineDirs: () => dataDirs.failedIds,
      prepare: () => this.#host(),
      onFailure: options.onFailure,
    });
    const brokerEpoch = () => this.lifecycle.brokerEpoch();
    this.replication = new Replication({ ...common, dataDirs, peers, brokerEpoch });
    this.#dirReports = new DirectoryReports({ ...common, dataDirs, peers, brokerEpoch });
    const { surroundings } = this.replication;
    const partitions = hostPartitions(options, dataDirs, metadata, surroundings, "member");
    const changes = new ClusterChanges({ ...common, peers });
    const trash = new TopicTrash({ ...common, io, dataDirs, partitions });
    this.foundation = {
      cluster: this,
      dataDirs,
      metadata,
      controller,
      changes,
      partitions,
      trash,
    };
  }

  /**
   * The node that is controller, as far as this one knows; −1: none. Where that is no broker clients are
   * given this one, which passes on to it what they ask (Kafka gives them any).
   */
  get controllerId(): number {
    return this.#isControllerElsewhere
      ? this.foundation.dataDirs.nodeId
      : this.#quorum.election.controller?.nodeId ?? -1;
  }

  /**
   * Takes part from now on; resolves when this broker may lead. Throws an `OperatorError` if the cluster
   * refuses it.
   */
  async join(listeners: readonly ListenerInfo[]): Promise<void> {
    const endpoints = listeners.map(endpointOf);
    const own = endpoints.find(({ name }) => name === this.#listener);
    assert(own !== undefined, "brokers meet at a listener that there is");
    this.role.start({ host: own.host, port: own.port });
    const { io: { clock }, logger } = this.#options;
    if (!this.#isControllerElsewhere) {
      this.#tasks = new ControllerTasks({ clock, logger, ...this.foundation });
    }
    await this.lifecycle.start(endpoints);
    await this.lifecycle.active;
  }

  /** A data directory has failed, is full or has room again: others lead what is in it, or no longer. */
  noteDirChange(): void {
    this.lifecycle.tellDirFailure();
    this.#dirReports.look();
  }

  /** Leaves in good order, while others still reach it: the controller moves what it leads. */
  async leave(): Promise<void> {
    const isInOrder = await this.lifecycle.shutDown(SHUTDOWN_MS);
    if (!isInOrder) this.#options.logger.warn("this broker leaves before others lead what it led");
    await this.role.resign();
  }

  /** Ends all that runs; the foundation's parts are closed by their owner. */
  async close(): Promise<void> {
    await this.lifecycle.stop();
    await this.#dirReports.close();
    await this.#tasks?.close();
    await this.role.stop();
    await this.replication.close();
    await this.peers.close();
    this.#quorum.close();
  }

  async #host(): Promise<void> {
    // Fenced until the others know what of it is gone.
    if (!await this.#dirReports.reportLost()) return;
    this.replication.start(this.#partitions);
    this.#dirReports.start(this.#partitions);
    await this.foundation.trash.start(null);
  }

  /** Whether the controller is a process of its own on this host, so that this node never is. */
  get #isControllerElsewhere(): boolean {
    return this.#options.cluster.quorum.kind === "fixed";
  }

  /** The name of the listener that brokers use among themselves. */
  get #listener(): string {
    const { cluster, firstListener } = this.#options;
    return cluster.interBrokerListener ?? firstListener;
  }

  get #partitions(): PartitionSet {
    return this.foundation.partitions;
  }

  /** How this node proves to others that it is one; none: by its certificate, or not at all. */
  get #proof(): Authenticate | undefined {
    const { io, cluster: { secrets: [secret] } } = this.#options;
    return secret === undefined ? undefined : peerAuthenticator(secret, io.random);
  }
}

function endpointOf(listener: ListenerInfo): BrokerEndpoint {
  const { host, port } = advertisedAddress({ listener, localAddress: listener.bound });
  const securityProtocol = SecurityProtocols[listener.protocol ?? "PLAINTEXT"];
  return { name: listener.name, host, port, securityProtocol };
}
