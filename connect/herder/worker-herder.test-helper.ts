/**
 * Workers of a group against a whole broker on virtual time, with herders, logs and membership as they
 * are; only what runs a task is replaced, by one that notes where each runs and says when two run.
 */
import { sleep } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { ClientWorld, type SimClientIo } from "../../tests/sim/client-world.ts";
import type { RawConfig } from "../config/parse.ts";
import { GroupMembership } from "../group/group-membership.ts";
import { TopicLog } from "../log/topic-log.ts";
import type { StatusListener, TargetState, TaskId } from "../worker/status.ts";
import type { ConnectorOffset, TaskSpec, Worker } from "../worker/worker.ts";
import { ConfigStore } from "./config-store.ts";
import { HerderError } from "./errors.ts";
import type { LeaderRequests } from "./herder.ts";
import { LogLevels } from "./log-levels.ts";
import { DEFAULT_RESTARTS, type RestartPolicy } from "./restarts.ts";
import { SessionKeys } from "./session-keys.ts";
import { StatusStore } from "./status-store.ts";
import { WorkerHerder } from "./worker-herder.ts";

export const SESSION_MS = 6000;

/** Where everything runs, over all workers. */
export class Running {
  /** `name` of a connector, `name-0` of a task, and the worker that has it. */
  readonly at = new Map<string, string>();
  readonly trouble: string[] = [];
  /** How often each has begun. */
  readonly begun = new Map<string, number>();

  begin(what: string, worker: string): void {
    const other = this.at.get(what);
    if (other !== undefined) this.trouble.push(`${what} runs on ${other} and ${worker}`);
    this.at.set(what, worker);
    this.begun.set(what, (this.begun.get(what) ?? 0) + 1);
  }

  end(what: string, worker: string): void {
    if (this.at.get(what) === worker) this.at.delete(what);
  }

  /** The process is gone. */
  crash(worker: string): void {
    for (const [what, at] of this.at) if (at === worker) this.at.delete(what);
  }
}

/** Tasks that do nothing but run; their number is `tasks`, and `fails` makes them fail at once. */
export class IdleWorker implements Worker {
  readonly #targets = new Map<string, TargetState>();
  isDead = false;

  constructor(
    private readonly io: Pick<SimClientIo, "clock">,
    private readonly name: string,
    private readonly running: Running,
    private readonly listener: StatusListener,
    private readonly stopMs: () => number,
  ) {}

  startConnector(name: string, config: RawConfig, target: TargetState): Promise<void> {
    // A process that is gone begins nothing, though its code still runs here.
    if (this.isDead) return Promise.resolve();
    this.running.begin(name, this.name);
    if (config["fails"] === "connector") {
      this.listener.connector(name, { state: "FAILED", trace: "as told" });
    } else this.listener.connector(name, { state: stateOf(target), trace: null });
    return Promise.resolve();
  }

  async stopConnector(name: string): Promise<void> {
    await sleep(this.io.clock, this.stopMs());
    if (!this.isDead) this.running.end(name, this.name);
  }

  taskConfigs(name: string, config: RawConfig): Promise<RawConfig[]> {
    const count = Number(config["tasks"] ?? 1);
    return Promise.resolve(
      Array.from({ length: count }, (_, task) => ({ ...config, name, task: String(task) })),
    );
  }

  startTask({ id, taskConfig }: TaskSpec, target: TargetState): void {
    const key = `${id.connector}-${id.task}`;
    if (this.isDead) return;
    this.running.begin(key, this.name);
    this.#targets.set(key, target);
    if (taskConfig["fails"] === "task") {
      this.listener.task(id, { state: "FAILED", trace: "as told" });
    } else this.listener.task(id, { state: stateOf(target), trace: null });
  }

  async stopTask({ connector, task }: TaskId): Promise<void> {
    await sleep(this.io.clock, this.stopMs());
    if (!this.isDead) this.running.end(`${connector}-${task}`, this.name);
  }

  setTarget(name: string, target: TargetState): void {
    this.listener.connector(name, { state: stateOf(target), trace: null });
    for (const key of this.#targets.keys()) {
      const [, connector, task] = /^(.+)-(\d+)$/.exec(key) ?? [];
      if (connector !== name || this.running.at.get(key) !== this.name) continue;
      this.listener.task({ connector, task: Number(task) }, {
        state: stateOf(target),
        trace: null,
      });
    }
  }

  validate() {
    return Promise.resolve([]);
  }

  offsets(): Promise<ConnectorOffset[]> {
    return Promise.resolve([]);
  }

  alterOffsets(): Promise<void> {
    return Promise.resolve();
  }

  figures() {
    return {};
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function stateOf(target: TargetState) {
  return target === "STARTED" ? "RUNNING" : target;
}

/** One worker of the scene. */
export interface SceneWorker {
  readonly name: string;
  readonly io: SimClientIo;
  readonly herder: WorkerHerder;
  readonly worker: IdleWorker;
  readonly membership: GroupMembership;
}

export interface SceneOptions {
  readonly seed?: number;
  readonly rebalanceMaxDelayMs?: number;
  readonly restarts?: RestartPolicy;
  readonly isExactlyOnce?: boolean;
}

/** See the head of the file. */
export class GroupScene {
  readonly world: ClientWorld;
  readonly running = new Running();
  readonly workers = new Map<string, SceneWorker>();
  readonly fenced: string[] = [];
  /** How long a task takes to stop. */
  stopMs: () => number = () => 5;

  constructor(private readonly options: SceneOptions = {}) {
    this.world = new ClientWorld(options.seed ?? 1, {}, { "group.min.session.timeout.ms": "1000" });
  }

  /** Makes a worker and has it join. */
  async join(name: string): Promise<SceneWorker> {
    const { world, running, options } = this;
    const io = world.clientIo();
    const client = {
      brokers: world.brokers,
      requestTimeoutMs: 3000,
      apiTimeoutMs: 20_000,
      clientId: name,
    };
    const common = {
      client,
      replicationFactor: -1,
      logger: silentLogger,
      isSinglePartition: false,
    };
    const isExactlyOnce = options.isExactlyOnce ?? false;
    const configLog = new TopicLog(io, {
      ...common,
      topic: "configs",
      purpose: "config",
      partitions: 1,
      isSinglePartition: true,
      ...(isExactlyOnce && { transactionalId: "connect-cluster-g", isCommittedOnly: true }),
    });
    const statusLog = new TopicLog(io, {
      ...common,
      topic: "statuses",
      purpose: "status",
      partitions: 5,
    });
    const self = { workerId: name, url: `http://${name}/` };
    let made: { worker: IdleWorker; membership: GroupMembership } | null = null;
    let worker: IdleWorker | null = null;
    const herder = new WorkerHerder({
      clock: io.clock,
      logger: silentLogger,
      configs: new ConfigStore(configLog, silentLogger),
      statuses: new StatusStore(statusLog, silentLogger),
      plugins: {
        list: () => Promise.resolve([]),
        find: (plugin) => {
          return Promise.resolve({ name: plugin, type: "source", version: "1", fields: {} });
        },
        kindOf: () => "source",
        versionOf: () => "1",
        refusal: (plugin) => `no ${plugin}`,
      },
      levels: new LogLevels(() => io.clock.wallMs()),
      self,
      makeWorker: (listener) => {
        worker = new IdleWorker(io, name, running, listener, () => this.stopMs());
        return worker;
      },
      makeMembership: (events) => {
        const membership = new GroupMembership(io, client, self, {
          groupId: "g",
          sessionTimeoutMs: SESSION_MS,
          heartbeatIntervalMs: 1000,
          rebalanceTimeoutMs: 20_000,
          rebalanceMaxDelayMs: options.rebalanceMaxDelayMs ?? 0,
        }, events);
        made = { worker: worker!, membership };
        return membership;
      },
      link: { requests: (url) => this.#leaderAt(url) },
      sessionKeys: new SessionKeys(io.clock, io.random),
      restarts: options.restarts ?? DEFAULT_RESTARTS,
      clusterId: () => Promise.resolve("cluster"),
      fenceProducers: (ids) => {
        this.fenced.push(...ids);
        return Promise.resolve();
      },
      transactionalId: (connector, task) => `g-${connector}-${task}`,
      onFatal: (error) => running.trouble.push(error.message),
    });
    await herder.start();
    const member = { name, io, herder, ...made! };
    this.workers.set(name, member);
    return member;
  }

  #leaderAt(url: string): LeaderRequests {
    const found = this.workers.get(new URL(url).host);
    if (found === undefined) throw new Error(`nobody at ${url}`);
    return found.herder.internal;
  }

  /** The herder that leads now. */
  get leader(): WorkerHerder {
    const found = [...this.workers.values()].find(({ membership }) => membership.isLeader);
    if (found === undefined) throw new Error("there is no leader");
    return found.herder;
  }

  async create(name: string, config: RawConfig = {}): Promise<void> {
    await this.leader.putConfig(name, { "connector.class": "idle", ...config }, {
      mayReplace: true,
    });
  }

  /** The process of a worker is gone, as by kill -9. */
  kill(name: string): void {
    const member = this.workers.get(name);
    if (member === undefined) return;
    member.worker.isDead = true;
    member.io.network.isolate();
    this.running.crash(name);
    this.workers.delete(name);
  }

  /** Waits, in virtual time, for at most two minutes of it. What is not there yet is not so yet. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const { clock } = this.world;
    const startMs = clock.monotonicMs();
    const holds = () => {
      try {
        return condition();
      } catch (error) {
        if (error instanceof HerderError) return false;
        throw error;
      }
    };
    while (!holds()) {
      if (clock.monotonicMs() - startMs > 120_000) {
        const { at, begun, trouble } = this.running;
        const state = JSON.stringify([[...at], [...begun], trouble], null, 1);
        throw new Error(`${what}: it never came to be; ${state}`);
      }
      await sleep(clock, 20);
    }
  }

  /** How much of each kind each worker has: connectors and tasks. */
  counts(): Record<string, [connectors: number, tasks: number]> {
    const counts: Record<string, [number, number]> = {};
    for (const [what, worker] of this.running.at) {
      const count = counts[worker] ??= [0, 0];
      count[/-\d+$/.test(what) ? 1 : 0]++;
    }
    return counts;
  }

  run(story: () => Promise<void>): void {
    const whole = async () => {
      try {
        await story();
      } finally {
        await Promise.all([...this.workers.values()].map(({ herder }) => herder.close()));
      }
    };
    this.world.clock.run(whole());
    this.world.stop();
  }
}
