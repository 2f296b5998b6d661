/** Brokers, etcd and clients of a simulated cluster on one virtual time. */
import { Admin } from "../../client/admin.ts";
import type { ClientIo } from "../../client/options.ts";
import type { RunningBroker } from "../../broker/start-broker.ts";
import type { HostPort } from "../../core/io.ts";
import { createLogger, type Logger, silentLogger } from "../../core/logger.ts";
import type { ClientOptions } from "./cluster-clients.ts";
import { ClusterHistory } from "./cluster-history.ts";
import { ClusterNode, type NodeWitness } from "./cluster-node.ts";
import { clusterConfigs, type ClusterSimOptions } from "./cluster-options.ts";
import { ClusterReplicas } from "./cluster-replicas.ts";
import { SimClock, StuckError } from "./sim-clock.ts";
import { type EtcdFaults, SimEtcd } from "./sim-etcd.ts";
import { SimHosts } from "./sim-hosts.ts";
import { SimRandom } from "./sim-random.ts";
import { LivenessError } from "./violation.ts";

/** How often the logs of brokers are compared. */
const SLICE_MS = 250;
export const RACKS = ["a", "b"];

/** See the head of this file. */
export class ClusterWorld implements NodeWitness {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly trace: string[] = [];
  readonly random: SimRandom;
  readonly hosts: SimHosts;
  readonly etcd: SimEtcd;
  readonly etcdFaults: EtcdFaults;
  readonly history = new ClusterHistory();
  readonly replicas = new ClusterReplicas();
  readonly nodes: readonly ClusterNode[];
  readonly clientIps: string[] = [];
  #failure: unknown = null;

  constructor(seed: number, readonly options: ClusterSimOptions, readonly logger: Logger) {
    this.random = new SimRandom(seed);
    this.hosts = new SimHosts(this.clock, this.#fork());
    this.etcd = new SimEtcd(this.clock);
    this.etcdFaults = { ...options.etcdFaults };
    const configs = clusterConfigs(options);
    const ips = Array.from({ length: options.brokers }, (_, index) => `10.0.0.${index + 1}`);
    this.nodes = Array.from({ length: options.brokers }, (_, index) => {
      const host = this.hosts.host(ips[index]!);
      const { dataDirs, driftPercent, leaseTtlMs, restartMs } = options;
      host.clockRate = 1 + this.random.between(-1000, 1000) / 1000 * driftPercent / 100;
      return new ClusterNode({
        id: index + 1,
        host,
        etcd: this.etcd,
        etcdFaults: this.etcdFaults,
        random: this.#fork(),
        logger: this.#loggerOf(index + 1),
        configs: options.hasRacks
          ? { ...configs, "broker.rack": RACKS[index % RACKS.length] }
          : configs,
        ...(options.gossips && { gossipsWith: ips }),
        leaseTtlMs,
        dataDirs,
        restartMs,
      }, this);
    });
  }

  get brokers(): HostPort[] {
    return this.nodes.map(({ address }) => address);
  }

  /** What a client on a host of its own works with. */
  clientIo(): ClientIo {
    const ip = `10.1.0.${this.clientIps.length + 1}`;
    this.clientIps.push(ip);
    const { clock, network } = this.hosts.host(ip).start();
    return { clock, network, random: this.#fork() };
  }

  clientOptions(name: string, topic: string): ClientOptions {
    const { partitions, pauseMs } = this.options;
    return {
      name,
      io: this.clientIo(),
      random: this.#fork(),
      brokers: this.brokers,
      history: this.history,
      topic,
      partitions,
      pauseMs,
      note: (line) => this.note(line),
      failed: (error) => this.failed(error),
    };
  }

  admin(): Admin {
    const options = { brokers: this.brokers, connectTimeoutMs: 2000, requestTimeoutMs: 5000 };
    return new Admin(this.clientIo(), options);
  }

  /** Lets time pass, and looks at what the brokers have made of it. */
  advance(byMs: number): void {
    const untilMs = this.clock.monotonicMs() + byMs;
    for (;;) {
      const leftMs = untilMs - this.clock.monotonicMs();
      if (leftMs <= 0) return;
      this.clock.advance(Math.min(SLICE_MS, leftMs));
      for (const node of this.nodes) this.replicas.observe(node);
      if (this.#failure !== null) throw this.#failure;
    }
  }

  /** Lets time pass until it holds; a `LivenessError` after so long. */
  until(what: string, limitMs: number, holds: () => boolean): void {
    const untilMs = this.clock.monotonicMs() + limitMs;
    while (!holds()) {
      if (this.clock.monotonicMs() >= untilMs) {
        throw new LivenessError(`not within ${limitMs} ms: ${what}; ${this.describe()}`);
      }
      this.advance(SLICE_MS);
    }
  }

  /** Lets time pass until the promise has settled. */
  wait<T>(what: string, limitMs: number, promise: Promise<T>): T {
    let outcome: { readonly value: T } | { readonly error: unknown } | null = null;
    promise.then((value) => outcome = { value }, (error: unknown) => outcome = { error });
    this.until(what, limitMs, () => outcome !== null);
    const settled = outcome as { readonly value: T } | { readonly error: unknown } | null;
    if (settled === null) throw new StuckError(what);
    if ("error" in settled) throw settled.error;
    return settled.value;
  }

  /** How the cluster is, in a line. */
  describe(): string {
    const image = this.replicas.newest;
    const topics = [...image?.topics.values() ?? []].flatMap(({ name, partitions }) =>
      partitions.map(({ leader, leaderEpoch, isr, replicas, partitionEpoch }, index) =>
        `${name}-${index} leader ${leader}/${leaderEpoch} isr ${isr.join()} of ${replicas.join()} (${partitionEpoch})`
      )
    );
    const brokers = [...image?.brokers.values() ?? []].map(({ brokerId, state, epoch }) =>
      `${brokerId} ${state} ${epoch}`
    );
    const nodes = this.nodes.map(({ id, state, running }) =>
      `${id} ${state} at ${running?.broker.metadata.image.position} of ` +
      String(running?.broker.controllerId)
    );
    return `nodes: ${nodes.join("; ")}; brokers: ${brokers.join("; ")}; ${topics.join("; ")}`;
  }

  note(line: string): void {
    this.trace.push(`${this.clock.monotonicMs().toFixed(1)} ${line}`);
  }

  started(node: ClusterNode, running: RunningBroker): void {
    const { metadata } = running.broker;
    const look = () => {
      try {
        this.replicas.observeImage(node, metadata.image);
      } catch (error) {
        this.failed(error);
      }
    };
    look();
    metadata.onChange(look);
  }

  failed(error: unknown): void {
    this.#failure ??= error;
  }

  /** Where lines of brokers are wanted at all, they are told apart, and have the time of the trace. */
  #loggerOf(id: number): Logger {
    if (this.logger === silentLogger) return silentLogger;
    const write = (line: string) => this.note(line.slice(line.indexOf(" ") + 1));
    const { clock } = this;
    return createLogger({ level: "debug", format: "text", wallMs: () => clock.wallMs(), write })
      .with({ on: id });
  }

  #fork(): SimRandom {
    return new SimRandom(this.random.below(2 ** 31));
  }
}
