/**
 * Whole brokers on one virtual clock that know one another, with metadata put into them by hand: who
 * leads what is what the test says.
 */
import type { MetadataRecord, PartitionRecord } from "../../cluster/metadata-records.ts";
import { Connection, ConnectionError } from "../../core/connection.ts";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { noDatagrams } from "../../core/io/no-datagrams.test-helper.ts";
import type {
  ConnectOptions,
  HostPort,
  Network,
  NetworkListener,
  Socket,
  SocketHandlers,
} from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import type { ClientIo } from "../../client/options.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimHosts } from "../../tests/sim/sim-hosts.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import type { Peers } from "../cluster/peers.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import type { Partition } from "../partition.ts";
import { coordinatorPartition } from "./java-hash.ts";
import { ReplicaFetchers } from "../replica-fetchers.ts";
import { type RunningBroker, startBroker } from "../start-broker.ts";

/** The network as one broker has it. */
class NodeNetwork implements Network {
  readonly #sockets = new Set<Socket>();
  #listener: NetworkListener | null = null;
  /** Whether it can reach others. */
  canCall = true;

  constructor(readonly world: Network) {}

  async listen(at: HostPort, accept: (socket: Socket) => SocketHandlers): Promise<NetworkListener> {
    const listener = await this.world.listen(at, (socket) => {
      this.#sockets.add(socket);
      return accept(socket);
    });
    this.#listener = listener;
    return listener;
  }

  async connect(to: HostPort, handlers: SocketHandlers, options: ConnectOptions): Promise<Socket> {
    if (!this.canCall) throw new Error("ENETUNREACH");
    const socket = await this.world.connect(to, handlers, options);
    this.#sockets.add(socket);
    return socket;
  }

  /** It hears nobody and nobody hears it. */
  cut(): void {
    this.canCall = false;
    this.#listener?.close();
    this.breakAll();
  }

  breakAll(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }
}

interface Node {
  readonly id: number;
  readonly network: NodeNetwork;
  readonly port: number;
  readonly running: RunningBroker;
  readonly fetchers: ReplicaFetchers;
  isAlive: boolean;
}

/** Replicas of each partition, the leader first. */
export type Layout = readonly (readonly number[])[];

const HOST = "127.0.0.1";

/** See the head of the file. */
export class HandMadeCluster {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random: SimRandom;
  readonly network: Network;
  readonly #nodes = new Map<number, Node>();
  readonly #topics = new Map<string, PartitionRecord[]>();
  readonly #configs: Readonly<Record<string, string>>;

  constructor(
    ids: readonly number[],
    topics: Readonly<Record<string, Layout>>,
    configs: Readonly<Record<string, string>> = {},
    seed = 1,
  ) {
    this.random = new SimRandom(seed);
    this.network = new SimHosts(this.clock, this.random).host(HOST).start().network;
    this.#configs = configs;
    for (const id of ids) this.#nodes.set(id, this.#start(id));
    for (const id of ids) this.#publish(id, [...this.#registrations(), { ...NO_IDS(id) }]);
    for (const [name, layout] of Object.entries(topics)) this.create(name, layout);
  }

  /** Where clients begin. */
  get brokers(): HostPort[] {
    return this.#alive().map(({ port }) => ({ host: HOST, port }));
  }

  clientIo(): ClientIo {
    return { clock: this.clock, random: this.random, network: this.network };
  }

  #alive(): Node[] {
    return [...this.#nodes.values()].filter(({ isAlive }) => isAlive);
  }

  node(id: number): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`there is no broker ${id}`);
    return node;
  }

  broker(id: number) {
    return this.node(id).running.broker;
  }

  partition(id: number, topic: string, index: number): Partition {
    const found = this.broker(id).partitions.find(topic, index);
    if (typeof found === "number") throw new Error(`broker ${id} has no ${topic}-${index}`);
    return found;
  }

  #start(id: number): Node {
    const { clock, random } = this;
    const network = new NodeNetwork(this.network);
    const disk = new MemoryDisk({ wallMs: () => clock.wallMs(), maxBytes: 1 << 28 });
    const running = clock.run(startBroker({
      io: { clock, random, network, datagrams: noDatagrams, disk, offload: inlineOffload() },
      logger: silentLogger,
      dataDir: "/data",
      peers: new HandMadePeers(this, network, `peer ${id}`),
      config: BrokerConfig.of({
        "node.id": String(id),
        "group.initial.rebalance.delay.ms": "0",
        ...this.#configs,
      }),
    }));
    const followers = new HandMadePeers(this, network, `follower ${id}`);
    const fetchers = new ReplicaFetchers({
      clock,
      logger: silentLogger,
      nodeId: id,
      partitions: running.broker.partitions,
      brokerEpoch: () => 1,
      connect: (leader) => followers.connect(leader, "replication"),
      ...{ maxWaitMs: 500, minBytes: 1, maxBytes: 1 << 20, partitionMaxBytes: 1 << 20 },
      ...{ backoffMs: 100, timeoutMs: 1000 },
    });
    running.broker.metadata.onChange(({ createdTopics, changedTopics }) => {
      for (const topic of createdTopics) fetchers.apply(topic);
      for (const { after } of changedTopics) fetchers.apply(after);
    });
    return { id, network, port: running.port, running, fetchers, isAlive: true };
  }

  #registrations(): MetadataRecord[] {
    return [...this.#nodes.values()].map(({ id, port, isAlive }) => ({
      type: "broker",
      version: 1,
      brokerId: id,
      incarnationId: `incarnation-${id}`,
      epoch: 1,
      state: isAlive ? "active" : "fenced",
      rack: null,
      host: `host-${id}`,
      endpoints: [{ name: "PLAINTEXT", host: HOST, port, securityProtocol: 0 }],
      features: [],
    }));
  }

  #publish(id: number, records: readonly MetadataRecord[]): void {
    const { metadata } = this.broker(id);
    const { image, delta } = metadata.image.apply(records, metadata.image.position);
    metadata.publish(image, delta);
  }

  /** All but these brokers hear of something. */
  tell(records: readonly MetadataRecord[], deaf: readonly number[] = []): void {
    for (const { id } of this.#alive()) if (!deaf.includes(id)) this.#publish(id, records);
  }

  create(name: string, layout: Layout): void {
    const id = topicId(name);
    const partitions = layout.map((replicas, partition): PartitionRecord => ({
      type: "partition",
      version: 1,
      topicId: id,
      partition,
      replicas,
      isr: replicas,
      leader: replicas[0]!,
      leaderEpoch: 0,
      partitionEpoch: 0,
    }));
    this.#topics.set(name, partitions);
    this.tell([{ type: "topic", version: 1, name, id }, ...partitions]);
  }

  /** Another broker leads, or none (−1). The ISR is what is alive of the replicas. */
  lead(topic: string, index: number, leader: number, deaf: readonly number[] = []): void {
    const partitions = this.#topics.get(topic)!;
    const before = partitions[index]!;
    const record = {
      ...before,
      leader,
      leaderEpoch: before.leaderEpoch + 1,
      partitionEpoch: before.partitionEpoch + 1,
      isr: before.replicas.filter((id) => this.node(id).isAlive),
    };
    partitions[index] = record;
    this.tell([record], deaf);
  }

  /** Those who have not heard who leads do so now. */
  repeat(topic: string, index: number): void {
    this.tell([this.#topics.get(topic)![index]!]);
  }

  /** The replicas that may lead. */
  isr(topic: string, index: number): readonly number[] {
    return this.#topics.get(topic)![index]!.isr;
  }

  /** The broker that leads the partition with a group. */
  coordinatorOf(groupId: string): number {
    const partitions = this.#topics.get("__consumer_offsets")!;
    return partitions[coordinatorPartition(groupId, partitions.length)]!.leader;
  }

  /**
   * The broker is cut off and fenced; it goes on by itself and hears nothing more. Who follows it in an
   * ISR takes over what it led.
   */
  fence(id: number): void {
    const node = this.node(id);
    node.isAlive = false;
    node.network.cut();
    for (const [name, partitions] of this.#topics) {
      for (const [index, { leader, isr }] of partitions.entries()) {
        if (!isr.includes(id)) continue;
        const next = isr.find((other) => this.node(other).isAlive) ?? -1;
        this.lead(name, index, leader === id ? next : leader);
      }
    }
    this.tell(this.#registrations());
  }

  /** A connection of a client. */
  async connect(id: number, network: Network = this.network): Promise<Connection> {
    const { clock } = this;
    const to = { host: HOST, port: this.node(id).port };
    return await Connection.open({ clock, network }, to, { clientId: "test" });
  }

  /** One request of a client on a connection of its own. */
  ask<A extends Api>(
    id: number,
    api: A,
    request: EncodableRequest<A>,
    maxVersion?: number,
  ): ResponseOf<A> {
    return this.clock.run((async () => {
      const connection = await this.connect(id);
      try {
        return await connection.request(api, request, { ...maxVersion && { maxVersion } });
      } finally {
        connection.close();
      }
    })());
  }

  stop(): void {
    for (const { fetchers } of this.#nodes.values()) this.clock.run(fetchers.close());
    for (const { running } of this.#nodes.values()) this.clock.run(running.stop());
  }
}

/**
 * Leaders move by chance, some brokers hear of it late, perhaps one is lost for good; in the end all
 * know.
 */
export function makeTrouble(
  cluster: HandMadeCluster,
  topics: Readonly<Record<string, Layout>>,
  forMs: number,
): void {
  const { clock, random } = cluster;
  const names = Object.keys(topics);
  const move = () => {
    const name = names[random.below(names.length)]!;
    const index = random.below(topics[name]!.length);
    const isr = cluster.isr(name, index);
    const deaf = random.below(3) === 0 ? [1 + random.below(3)] : [];
    cluster.lead(name, index, isr[random.below(isr.length)]!, deaf);
    if (deaf.length > 0) clock.setTimer(random.below(3000), () => cluster.repeat(name, index));
  };
  let fenceAtMs = clock.monotonicMs() + (random.below(2) === 0 ? random.below(forMs) : Infinity);
  for (const endMs = clock.monotonicMs() + forMs; clock.monotonicMs() < endMs;) {
    clock.advance(random.below(1000));
    move();
    if (clock.monotonicMs() < fenceAtMs) continue;
    fenceAtMs = Infinity;
    cluster.fence(1 + random.below(3));
  }
  clock.advance(4000);
}

/** Brokers would hand out the same ids: there is no controller. */
const NO_IDS = (id: number): MetadataRecord => ({
  type: "producer-ids",
  version: 1,
  brokerId: id,
  nextProducerId: id * 1_000_000,
});

export function topicId(name: string): string {
  return Buffer.from(name.padEnd(16, "-").slice(-16)).toString("base64url");
}

/** Connections by broker and use. */
class HandMadePeers implements Peers {
  controllerServes(): null {
    return null;
  }

  readonly #connections = new Map<string, Promise<Connection>>();

  constructor(
    readonly cluster: HandMadeCluster,
    readonly network: Network,
    readonly name: string,
  ) {}

  connect(brokerId: number, use: string): Promise<Connection> {
    const key = `${brokerId} ${use}`;
    const known = this.#connections.get(key);
    if (known !== undefined) return known;
    const opening = this.cluster.connect(brokerId, this.network);
    this.#connections.set(key, opening);
    opening.then(
      (connection) => connection.onClose(() => this.#connections.delete(key)),
      () => this.#connections.delete(key),
    );
    return opening;
  }

  async request<A extends Api>(
    brokerId: number,
    api: A,
    request: EncodableRequest<A>,
  ): Promise<ResponseOf<A>> {
    return await (await this.connect(brokerId, "")).request(api, request);
  }

  requestController(): Promise<never> {
    const address = { host: HOST, port: 0 };
    return Promise.reject(new ConnectionError("refused", address, "there is no controller"));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
