/**
 * A cluster on this host: real etcd and processes of the built binary, each a machine of its own as far
 * as the placement of replicas goes. Where links are to fail, see `tests/cluster/`.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type BrokerProcess, freshDir, startBrokerProcess } from "./broker-process.ts";
import { EtcdServers } from "./etcd-process.ts";
import { freePort } from "./free-ports.ts";

/** The secret of all clusters of tests. */
export const TEST_SECRET = "the secret of a cluster of tests";

/** How the cluster is to be. */
export interface ClusterProcessOptions {
  readonly brokers: number;
  /** The etcd program. */
  readonly etcd: string;
  /** Default 1. */
  readonly etcdMembers?: number;
  /** More flags of `serve`, for all brokers. */
  readonly args?: readonly string[];
  /** More flags of one broker. */
  readonly argsOf?: (nodeId: number) => readonly string[];
  /** Whether nodes share a secret, and gossip. Default: true. */
  readonly hasSecret?: boolean;
  readonly readyWithinMs?: number;
}

/** See the head of this file. `close` it. */
export class ClusterProcess {
  readonly #running = new Map<number, BrokerProcess>();
  /** A broker keeps its port when it comes back. */
  readonly #ports = new Map<number, number>();
  readonly #gossipPorts = new Map<number, number>();

  private constructor(
    readonly etcd: EtcdServers,
    readonly dir: string,
    private readonly options: ClusterProcessOptions,
  ) {}

  /** Resolves when all brokers say that they can serve. */
  static async start(options: ClusterProcessOptions): Promise<ClusterProcess> {
    const etcd = await EtcdServers.start(options.etcd, { members: options.etcdMembers ?? 1 });
    const cluster = new ClusterProcess(etcd, freshDir("cluster"), options);
    try {
      const ids = Array.from({ length: options.brokers }, (_, index) => index + 1);
      // All of them before the first starts: each is told where the others gossip.
      for (const id of ids) cluster.#gossipPorts.set(id, await freePort());
      await Promise.all(ids.map((id) => cluster.startBroker(id)));
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** `etcd://…` */
  get metadata(): string {
    return `etcd://${this.etcd.urls.map((url) => new URL(url).host).join(",")}`;
  }

  /** `host:port` of the brokers that run, with commas. */
  get bootstrap(): string {
    return [...this.#running.values()].map(({ bootstrap }) => bootstrap).join(",");
  }

  /** The numbers of the brokers that run. */
  get nodeIds(): number[] {
    return [...this.#running.keys()];
  }

  broker(nodeId: number): BrokerProcess {
    const found = this.#running.get(nodeId);
    if (found === undefined) throw new Error(`broker ${nodeId} does not run`);
    return found;
  }

  /** Starts a broker that is new, or one that was stopped, with its data. `secrets`: in lines. */
  async startBroker(
    nodeId: number,
    args: readonly string[] = [],
    secrets: string = TEST_SECRET,
  ): Promise<BrokerProcess> {
    const port = this.#ports.get(nodeId) ?? await freePort();
    this.#ports.set(nodeId, port);
    const gossipPort = this.#gossipPorts.get(nodeId) ?? await freePort();
    this.#gossipPorts.set(nodeId, gossipPort);
    const others = [...this.#gossipPorts.values()].filter((port) => port !== gossipPort);
    const { hasSecret = true } = this.options;
    const broker = await startBrokerProcess({
      dataDir: join(this.dir, `node${nodeId}`),
      port,
      readyWithinMs: this.options.readyWithinMs ?? 60_000,
      env: hasSecret ? { KSTREAM_CLUSTER_SECRET: secrets } : {},
      args: [
        ...["--cluster", "test", "--metadata", this.metadata, "--node-id", String(nodeId)],
        ...["--host", `machine${nodeId}`, "--admin", "127.0.0.1:0"],
        ...(hasSecret ? ["--gossip-port", String(gossipPort)] : []),
        ...(hasSecret ? others : []).flatMap((port) => ["--join", `127.0.0.1:${port}`]),
        ...this.options.args ?? [],
        ...this.options.argsOf?.(nodeId) ?? [],
        ...args,
      ],
    });
    this.#running.set(nodeId, broker);
    return broker;
  }

  /** Ends a broker by the signal; its data stays. Gives the exit code. */
  async stopBroker(nodeId: number, signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    const broker = this.broker(nodeId);
    this.#running.delete(nodeId);
    return await broker.stop(signal);
  }

  /** Ends everything and removes the data. */
  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((id) => this.stopBroker(id, "SIGKILL")));
    await this.etcd.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
