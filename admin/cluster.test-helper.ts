/**
 * Three brokers of one cluster in this process, each with the admin app: real sockets, and disks in memory
 * that may fail.
 */
import { BrokerConfig } from "../broker/config/broker-config.ts";
import type { BrokerConfigName } from "../broker/config/broker-configs.ts";
import type { ClusterOptions } from "../broker/cluster/cluster-options.ts";
import { type ControllerNode, startControllerNode } from "../broker/cluster/controller-node.ts";
import { type RunningBroker, startBroker } from "../broker/start-broker.ts";
import { bunCodecs } from "../core/compression/bun.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { silentLogger } from "../core/logger.ts";
import { FaultyDisk } from "../tests/sim/faulty-disk.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { adminApp } from "./app.ts";
import { Authentication } from "./authentication.ts";
import { OwnClients } from "./own-connection.ts";
import { type AdminServices, adminServices } from "./services.ts";

const CONTROLLER_ID = 1000;
const SECRET = "a secret of this test's brokers";
/** As whom the test itself asks; may do everything. */
export const ROOT = { type: "User", name: "root" };
/** The configs of a cluster with ACLs. */
export const WITH_ACLS = {
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "super.users": "User:root",
};

/** What a cluster is started with. */
export interface ClusterWorldOptions {
  readonly configs?: Partial<Record<BrokerConfigName, string>>;
  /** None: the nodes do not know one another. */
  readonly secrets?: readonly string[];
}

/** A broker and its app. */
export interface ClusterNode {
  readonly running: RunningBroker;
  /** Data are in `/a` and `/b`. */
  readonly disk: FaultyDisk;
  /** Asks its admin API, as this user from this address; where it must, as whoever comes. */
  ask(path: string, init?: RequestInit & { user?: string; from?: string }): Promise<Response>;
  stop(): Promise<void>;
}

/** See the head of the file. `stop` it. */
export class ClusterWorld {
  /** The first broker has the index 0 and the node id 1. */
  readonly nodes: ClusterNode[] = [];
  readonly own: OwnClients;

  private constructor(readonly controller: ControllerNode, nodes: readonly ClusterNode[]) {
    this.nodes.push(...nodes);
    this.own = new OwnClients(this.node(1).running);
  }

  static async start(options: ClusterWorldOptions = {}): Promise<ClusterWorld> {
    const { configs = {}, secrets = [SECRET] } = options;
    const controller = await startControllerNode({
      io: { ...bunIo(), disk: newDisk() },
      logger: silentLogger,
      config: BrokerConfig.of({ ...configs, "node.id": String(CONTROLLER_ID) }),
      dataDirs: ["/controller"],
      codecs: bunCodecs,
      bind: { host: "127.0.0.1", port: 0 },
      interBrokerListener: "PLAINTEXT",
      secrets,
      onBug: (error) => {
        throw error;
      },
    });
    const { clusterId, elected } = controller;
    const nodes = await Promise.all(
      [1, 2, 3].map((id) =>
        startNode({ ...configs, "node.id": String(id) }, {
          name: "test",
          quorum: { kind: "fixed", clusterId, controller: elected },
          host: `host-${id}`,
          secrets,
          gossip: null,
        })
      ),
    );
    return new ClusterWorld(controller, nodes);
  }

  /** The broker with this id. */
  node(id: number): ClusterNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`there is no broker ${id}`);
    return node;
  }

  /** A topic of three partitions, one led by each broker; gives the partition that each broker leads. */
  async createTopic(name: string, replicationFactor = 1): Promise<Map<number, number>> {
    const { admin } = this.own.of(ROOT);
    const [created] = await admin.createTopics([{ name, partitions: 3, replicationFactor }]);
    if (created?.error) throw created.error;
    await this.until(() =>
      this.nodes.every(({ running }) => running.broker.metadata.topic(name) !== undefined)
    );
    const { partitions } = this.node(1).running.broker.metadata.topic(name) ?? { partitions: [] };
    return new Map(partitions.map(({ leader }, index) => [leader, index]));
  }

  /** Resolves when this holds, or fails after half a minute. */
  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    const { clock } = bunIo();
    for (const deadlineMs = clock.monotonicMs() + 30_000; !await holds();) {
      if (clock.monotonicMs() > deadlineMs) throw new Error("it never came to hold");
      await new Promise((resolve) => clock.setTimer(5, () => resolve(null)));
    }
  }

  async stop(): Promise<void> {
    this.own.close();
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.controller.close();
  }
}

function newDisk(): FaultyDisk {
  return new FaultyDisk(bunIo().clock, new SimRandom(1));
}

async function startNode(
  configs: Partial<Record<BrokerConfigName, string>>,
  cluster: ClusterOptions,
): Promise<ClusterNode> {
  const disk = newDisk();
  const running = await startBroker({
    io: { ...bunIo(), disk },
    logger: silentLogger,
    config: BrokerConfig.of(configs),
    dataDir: "/a",
    furtherDataDirs: ["/b"],
    cluster,
  });
  const services = adminServices(running, () => Promise.resolve(null), "1");
  let stopped: Promise<void> | null = null;
  return {
    running,
    disk,
    ask: asking(services),
    stop: () =>
      stopped ??= (async () => {
        services.close();
        await running.stop({ handsOver: false });
      })(),
  };
}

function asking(services: AdminServices): ClusterNode["ask"] {
  const { broker } = services;
  const authentication = new Authentication(broker.io.clock, () => broker.metadata.image);
  const [known, open] = [authentication, null].map((each) => adminApp(services, "localhost", each));
  return async (path, { user, from = "127.0.0.1", ...init } = {}) => {
    const headers = new Headers(init.headers);
    headers.set("host", "localhost");
    if (user !== undefined) headers.set("authorization", `Basic ${btoa(`${user}:of ${user}`)}`);
    const request = new Request(`http://localhost${path}`, { ...init, headers });
    const app = user === undefined ? open : known;
    if (app === undefined) throw new Error("there are two apps");
    return await app.fetch(request, { peer: { host: from, port: 4242 } });
  };
}
