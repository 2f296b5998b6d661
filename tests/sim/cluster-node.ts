/**
 * A machine of the simulated cluster: a host, a disk, a way to etcd and one broker process, which
 * something like systemd starts again when it ends. It is killed, stopped for a while, loses power,
 * comes back.
 */
import { drainMicrotasks } from "bun:jsc";
// A broker loads these when it needs them: what comes from a disk does not come on virtual time.
import "../../broker/cluster/member.ts";
import "../../broker/cluster/node-gossip.ts";
import "../../broker/handlers/cluster-handlers.ts";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import type { BrokerConfigName } from "../../broker/config/broker-configs.ts";
import { type RunningBroker, startBroker } from "../../broker/start-broker.ts";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import type { HostPort } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { FaultyDisk, type LossMode } from "./faulty-disk.ts";
import { onHost } from "./sim-etcd-host.ts";
import { type EtcdFaults, type SimEtcd, SimEtcdClient } from "./sim-etcd.ts";
import type { SimHost } from "./sim-hosts.ts";
import { SimRandom } from "./sim-random.ts";

export const CLUSTER = "sim";
export const BROKER_PORT = 9092;
const GOSSIP_PORT = 9099;
export const DATA_DIR = "/data";
/** Where a broker has more than one data directory. */
export const DATA_DIRS: readonly string[] = [DATA_DIR, "/more"];

/** How long a machine takes that is reset. */
const RESET_MS = 20;

/** What a node is made with. */
export interface NodeOptions {
  readonly id: number;
  readonly host: SimHost;
  readonly etcd: SimEtcd;
  readonly etcdFaults: EtcdFaults;
  readonly random: SimRandom;
  readonly logger: Logger;
  readonly configs: Readonly<Partial<Record<BrokerConfigName, string>>>;
  readonly leaseTtlMs: number;
  /** Hosts of all nodes; undefined: it does not gossip. */
  readonly gossipsWith?: readonly string[];
  /** How many data directories it has, of `DATA_DIRS`. Default 1. */
  readonly dataDirs?: number;
  /** How long what watches over the process waits before it starts it again. */
  readonly restartMs: number;
}

/** Who hears of what becomes of a node. */
export interface NodeWitness {
  note(line: string): void;
  /** The broker has come up. */
  started(node: ClusterNode, running: RunningBroker): void;
  /** It has reported that an invariant is broken, or ended as no broker should. */
  failed(error: unknown): void;
}

/** What a node's process does: `down` is also between an end and the next start. */
export type NodeState = "down" | "starting" | "up" | "stopping";

/** See the head of this file. */
export class ClusterNode {
  readonly id: number;
  readonly host: SimHost;
  readonly disk: FaultyDisk;
  state: NodeState = "down";
  running: RunningBroker | null = null;
  /** Nothing starts it again before somebody says so. */
  isHeldDown = false;
  /** Bits on its disk have flipped, and perhaps nobody has seen it. */
  wasDamaged = false;
  #etcd: SimEtcdClient | null = null;
  #isCutFromEtcd = false;
  /** Counts processes; what an earlier one resolves concerns nobody. */
  #life = 0;

  constructor(readonly options: NodeOptions, readonly witness: NodeWitness) {
    this.id = options.id;
    this.host = options.host;
    const { host } = this;
    const random = this.#fork();
    this.disk = new FaultyDisk(host.clockOf(() => host.life), random);
  }

  get address(): HostPort {
    return { host: this.host.ip, port: BROKER_PORT };
  }

  get dataDirs(): readonly string[] {
    return DATA_DIRS.slice(0, this.options.dataDirs ?? 1);
  }

  /** Starts the process on what the disk holds, again and again until it is up. */
  start(): void {
    if (this.state !== "down" || this.isHeldDown) return;
    this.state = "starting";
    const life = ++this.#life;
    const process = this.host.start();
    const etcd = this.#connectEtcd();
    this.witness.note(`broker ${this.id} starts`);
    const starting = startBroker({
      io: { ...process, random: this.#fork(), disk: this.disk, offload: inlineOffload() },
      logger: this.options.logger,
      dataDir: DATA_DIR,
      furtherDataDirs: this.dataDirs.slice(1),
      config: BrokerConfig.of({ ...this.options.configs, "node.id": String(this.id) }),
      listeners: [{ name: "PLAINTEXT", bind: this.address, advertised: this.address }],
      cluster: {
        name: CLUSTER,
        quorum: {
          kind: "etcd",
          store: onHost(etcd, this.host),
          leaseTtlMs: this.options.leaseTtlMs,
        },
        host: this.host.ip,
        // What proving costs is not what is simulated.
        secrets: [],
        gossip: this.options.gossipsWith === undefined ? null : {
          bind: { host: this.host.ip, port: GOSSIP_PORT },
          advertise: { host: this.host.ip, port: GOSSIP_PORT },
          join: this.options.gossipsWith.map((host) => ({ host, port: GOSSIP_PORT })),
          version: "1",
          loadPercent: () => 0,
        },
      },
      onFailure: (error) => {
        if (life === this.#life) this.#endBy(`the cluster sends it away: ${error.message}`);
      },
      onBug: (error) => life === this.#life && this.witness.failed(error),
      onStorageFailure: (error) => {
        if (life === this.#life) this.#endBy(`its disk fails: ${error.message}`);
      },
    });
    starting.then((running) => {
      if (life !== this.#life) return;
      this.running = running;
      this.state = "up";
      this.witness.note(`broker ${this.id} is up`);
      this.witness.started(this, running);
    }, (error: unknown) => {
      if (life !== this.#life) return;
      if (!(error instanceof OperatorError)) return this.witness.failed(error);
      this.#endBy(`it does not start: ${error.message}`);
    });
  }

  /** The process ends in good order; it is started again unless held down. */
  stop(): void {
    const { running } = this;
    if (this.state !== "up" || running === null) return;
    this.state = "stopping";
    this.witness.note(`broker ${this.id} stops`);
    const life = this.#life;
    running.stop().then(() => {
      if (life === this.#life) this.#endBy("it has stopped");
    }, (error: unknown) => {
      if (life === this.#life) this.witness.failed(error);
    });
  }

  /** kill -9. */
  kill(): void {
    if (this.state === "down") return;
    this.#end(() => this.host.kill());
    this.disk.killProcess();
    this.witness.note(`broker ${this.id} is killed`);
    this.#startLater();
  }

  /** The machine loses power, and what of its disk was not synced, in part or as a whole. */
  cutPower(mode: LossMode): void {
    this.#end(() => this.host.cutPower());
    this.disk.cutPower(mode);
    this.witness.note(`broker ${this.id} loses power: ${mode} of what was not synced`);
    this.#startLater();
  }

  /**
   * The machine begins anew at once, without what was not synced; what is in front of it (a hypervisor, a
   * proxy) breaks its connections.
   */
  reset(mode: LossMode): void {
    if (this.state === "down") return;
    this.#end(() => this.host.kill());
    this.disk.cutPower(mode);
    this.witness.note(`broker ${this.id} is reset: ${mode} of what was not synced`);
    this.#startLater(RESET_MS);
  }

  /** Whether requests to etcd get there. */
  cutFromEtcd(isCut: boolean): void {
    this.#isCutFromEtcd = isCut;
    if (this.#etcd !== null) this.#etcd.isCut = isCut;
  }

  /** The process has ended by itself, for this reason. */
  #endBy(reason: string): void {
    this.#end(() => this.host.kill());
    this.disk.killProcess();
    this.witness.note(`broker ${this.id} ends: ${reason}`);
    this.#startLater();
  }

  #end(end: () => void): void {
    // What it does without waiting for anything it has done.
    drainMicrotasks();
    this.#life++;
    end();
    if (this.#etcd !== null) this.#etcd.isDead = true;
    this.#etcd = null;
    this.running = null;
    this.state = "down";
  }

  #startLater(delayMs = this.options.restartMs): void {
    const life = this.#life;
    this.host.world.clock.setTimer(delayMs, () => {
      if (life === this.#life) this.start();
    });
  }

  #connectEtcd(): SimEtcdClient {
    const { etcd, etcdFaults } = this.options;
    const client = new SimEtcdClient(this.host.world.clock, this.#fork(), etcd, etcdFaults);
    client.isCut = this.#isCutFromEtcd;
    this.#etcd = client;
    return client;
  }

  #fork(): SimRandom {
    return new SimRandom(this.options.random.below(2 ** 31));
  }
}
