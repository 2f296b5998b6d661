/**
 * A worker that has some of its work done elsewhere: modules of users in processes, one for each task
 * and for a connector that watches something, and tasks of built-in connectors in a few threads. All
 * of these are in processes, too, where that is wanted.
 */
import type { Timer } from "../../core/io.ts";
import type { ConfigProblem, RawConfig } from "../config/parse.ts";
import { messageOf } from "../runtime/error-policy.ts";
import type { Plugin, Plugins } from "../plugins/plugins.ts";
import type { TaskWorld } from "../runtime/task-world.ts";
import { LocalWorker, type LocalWorkerOptions } from "../worker/local-worker.ts";
import type { StatusListener, TargetState, TaskId } from "../worker/status.ts";
import type { ConnectorOffset, TaskSpec, Worker } from "../worker/worker.ts";
import type { Hosts, HostSetup, OpenHost } from "./host.ts";
import { HostPool } from "./host-pool.ts";
import { HostedWorker, keyOf } from "./hosted-worker.ts";

/** A desk answers questions about a module; after so long without one it is closed. */
const DESK_IDLE_MS = 10_000;
/** How long a desk is waited for. */
const DESK_MS = 30_000;

interface Desk {
  readonly worker: HostedWorker;
  under: number;
  idle: Timer | null;
}

/** How many threads there may be for one task each, besides those that tasks share. */
const ALONE_MAX = 8;
/** How many tasks are remembered as having failed with a shared thread. */
const SUSPECTS_MAX = 1000;

/** What a task is in. */
interface Placed {
  readonly connector: string;
  readonly worker: Worker;
  /** It is the task's alone. */
  readonly host: HostedWorker | null;
}

/** The worker for these hosts; null: everything runs here. */
export function makeWorker(options: LocalWorkerOptions, hosts: Hosts | null): Worker {
  return hosts === null ? new LocalWorker(options) : new SpreadWorker(options, hosts);
}

/** See the head of the file. */
export class SpreadWorker implements Worker {
  readonly #here: LocalWorker;
  readonly #hosts: Hosts;
  readonly #world: TaskWorld;
  readonly #plugins: Plugins;
  readonly #listener: StatusListener;
  readonly #isOffline: boolean;
  /** Connectors that are not here; null: nothing of it has to run. */
  readonly #connectors = new Map<string, HostedWorker | null>();
  readonly #tasks = new Map<string, Placed>();
  readonly #desks = new Map<string, Desk>();
  /** Null: tasks of built-in connectors run here. */
  readonly #pool: HostPool | null;
  /**
   * Tasks that have failed with a thread: one of them may have had it stand still. Each is begun in a
   * thread of its own, so that the others do not fail with it again.
   */
  readonly #suspects = new Set<string>();
  /** Hosts of one task that are being ended, by what they were for. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(options: LocalWorkerOptions, hosts: Hosts) {
    this.#here = new LocalWorker(options);
    this.#hosts = hosts;
    this.#world = options.world;
    this.#plugins = options.plugins;
    this.#listener = options.listener;
    this.#isOffline = options.isOffline === true;
    const { threads } = hosts;
    this.#pool = threads === null
      ? null
      : new HostPool(() => this.#open(threads.open, null), threads.max);
  }

  async startConnector(name: string, config: RawConfig, target: TargetState): Promise<void> {
    const plugin = this.#apart(config);
    if (plugin === null) return await this.#here.startConnector(name, config, target);
    const definition = await plugin.load();
    if (definition.watch === undefined) {
      this.#connectors.set(name, null);
      await this.#atDesk(plugin, async (desk) => {
        await desk.startConnector(name, config, target);
        await desk.stopConnector(name);
      }).catch((error: unknown) => {
        this.#listener.connector(name, { state: "FAILED", trace: messageOf(error) });
      });
      return;
    }
    const host = this.#open(this.#hosts.process, plugin);
    this.#connectors.set(name, host);
    await host.startConnector(name, config, target);
  }

  async stopConnector(name: string): Promise<void> {
    const host = this.#connectors.get(name);
    if (host === undefined) return await this.#here.stopConnector(name);
    this.#connectors.delete(name);
    if (host === null) return;
    await host.stopConnector(name);
    await host.close();
  }

  async taskConfigs(name: string, config: RawConfig): Promise<RawConfig[]> {
    const plugin = this.#apart(config);
    if (plugin === null) return await this.#here.taskConfigs(name, config);
    return await this.#atDesk(plugin, (desk) => desk.taskConfigs(name, config));
  }

  startTask(spec: TaskSpec, target: TargetState): void {
    if (target === "STOPPED") return;
    const placed = this.#place(spec);
    this.#tasks.set(keyOf(spec.id), placed);
    placed.worker.startTask(spec, target);
  }

  async stopTask(id: TaskId): Promise<void> {
    const key = keyOf(id);
    const placed = this.#tasks.get(key);
    this.#tasks.delete(key);
    if (placed !== undefined) {
      this.#judge(key, placed);
      await placed.worker.stopTask(id);
      if (placed.host !== null) this.#end(key, placed.host);
    }
    await this.#ending.get(key);
  }

  setTarget(name: string, target: TargetState): void {
    const host = this.#connectors.get(name);
    if (host === null) {
      this.#listener.connector(name, {
        state: target === "STARTED" ? "RUNNING" : target,
        trace: null,
      });
    }
    const placed = [...this.#tasks.values()].filter(({ connector }) => connector === name);
    const workers = new Set<Worker>([this.#here, ...placed.map(({ worker }) => worker)]);
    if (host !== undefined && host !== null) workers.add(host);
    for (const worker of workers) worker.setTarget(name, target);
  }

  async validate(config: RawConfig): Promise<readonly ConfigProblem[]> {
    const plugin = this.#apart(config);
    if (plugin === null) return await this.#here.validate(config);
    try {
      return await this.#atDesk(plugin, (desk) => desk.validate(config));
    } catch (error) {
      return [{ field: "connector.class", message: messageOf(error) }];
    }
  }

  async offsets(name: string, config: RawConfig): Promise<ConnectorOffset[]> {
    // Kinds and groups are known here, too.
    return await this.#here.offsets(name, config);
  }

  async alterOffsets(
    name: string,
    config: RawConfig,
    offsets: readonly ConnectorOffset[],
  ): Promise<void> {
    const plugin = this.#apart(config);
    if (plugin === null) return await this.#here.alterOffsets(name, config, offsets);
    await this.#atDesk(plugin, (desk) => desk.alterOffsets(name, config, offsets));
  }

  figures(id: TaskId): Readonly<Record<string, number>> {
    return this.#tasks.get(keyOf(id))?.worker.figures(id) ?? {};
  }

  async close(): Promise<void> {
    for (const [key, { host }] of this.#tasks) if (host !== null) this.#end(key, host);
    const hosts = [
      ...[...this.#connectors.values()].filter((host) => host !== null),
      ...[...this.#desks.values()].map(({ worker }) => worker),
    ];
    this.#tasks.clear();
    this.#connectors.clear();
    for (const { idle } of this.#desks.values()) idle?.cancel();
    this.#desks.clear();
    await Promise.all([
      ...hosts.map((host) => host.close()),
      this.#pool?.close(),
      ...this.#ending.values(),
    ]);
    // The store of offsets, which all of them ask, is closed with it.
    await this.#here.close();
  }

  /** The plugin of a config, where it does not run here. */
  #apart(config: RawConfig): Plugin | null {
    const plugin = this.#plugins.find(config["connector.class"] ?? "");
    if (plugin === null) return null;
    return plugin.module !== undefined || this.#hosts.isAllApart ? plugin : null;
  }

  #place({ id, connectorConfig }: TaskSpec): Placed {
    const { connector } = id;
    const plugin = this.#apart(connectorConfig);
    if (plugin !== null) {
      const host = this.#open(this.#hosts.process, plugin, this.#alone(id));
      return { connector, worker: host, host };
    }
    const { threads } = this.#hosts;
    const known = this.#plugins.find(connectorConfig["connector.class"] ?? "");
    if (threads === null || this.#pool === null || known === null || known.isOfTerminal === true) {
      return { connector, worker: this.#here, host: null };
    }
    const alone = [...this.#tasks.values()].filter(({ host }) => host !== null).length;
    if (!this.#suspects.has(keyOf(id)) || alone >= ALONE_MAX) {
      return { connector, worker: this.#pool.choose(), host: null };
    }
    const host = this.#open(threads.open, null, this.#alone(id));
    return { connector, worker: host, host };
  }

  /** Whether a task that ends has failed with others. */
  #judge(key: string, { worker, host }: Placed): void {
    if (host !== null || !(worker instanceof HostedWorker) || !worker.isOver) return;
    this.#suspects.add(key);
    const [oldest] = this.#suspects;
    if (this.#suspects.size > SUSPECTS_MAX && oldest !== undefined) this.#suspects.delete(oldest);
  }

  /** What is heard of a host for one task: with that, it ends. */
  #alone({ connector, task }: TaskId): StatusListener {
    const over = () => {
      const key = keyOf({ connector, task });
      const host = this.#tasks.get(key)?.host ?? null;
      if (host !== null) this.#end(key, host);
    };
    const listener = this.#listener;
    return {
      ...withoutEnds(listener),
      task: (id, status) => {
        listener.task(id, status);
        if (status.state === "FAILED") over();
      },
      finished: (id) => {
        listener.finished?.(id);
        over();
      },
    };
  }

  #end(key: string, host: HostedWorker): void {
    if (this.#ending.has(key)) return;
    const ending = host.close().finally(() => this.#ending.delete(key));
    this.#ending.set(key, ending);
  }

  /** Without a plugin it is for all that are built in. */
  #open(
    open: OpenHost,
    plugin: Plugin | null,
    listener: StatusListener = this.#listener,
  ): HostedWorker {
    return new HostedWorker({
      open,
      setup: this.#setup(plugin?.module ?? null),
      stallMs: this.#hosts.stallMs,
      world: this.#world,
      listener,
    });
  }

  #setup(module: string | null): HostSetup {
    const { settings, offsets } = this.#world;
    const { client, leaseMs } = this.#hosts;
    return {
      module,
      client,
      ...settings,
      transactionalTopic: offsets.transactional?.topic ?? null,
      isOffline: this.#isOffline,
      leaseMs,
    };
  }

  /** Asks a module something, within its time; who does not answer is ended. */
  async #atDesk<T>(plugin: Plugin, body: (desk: HostedWorker) => Promise<T>): Promise<T> {
    const key = plugin.module ?? "";
    const { clock } = this.#world.io;
    let desk = this.#desks.get(key);
    if (desk === undefined || desk.worker.isOver) {
      desk = { worker: this.#open(this.#hosts.process, plugin), under: 0, idle: null };
      this.#desks.set(key, desk);
    }
    const { worker } = desk;
    desk.idle?.cancel();
    desk.under++;
    const late = clock.setTimer(DESK_MS, () => {
      worker.kill(`it has not answered a question within ${DESK_MS / 1000} s`);
    });
    try {
      return await body(worker);
    } finally {
      late.cancel();
      desk.under--;
      if (desk.under === 0) this.#idle(key, desk);
    }
  }

  #idle(key: string, desk: Desk): void {
    desk.idle = this.#world.io.clock.setTimer(DESK_IDLE_MS, () => {
      if (this.#desks.get(key) === desk) this.#desks.delete(key);
      void desk.worker.close();
    });
  }
}

function withoutEnds(listener: StatusListener): Omit<StatusListener, "task" | "finished"> {
  return {
    connector: (name, status) => listener.connector(name, status),
    changed: (name) => listener.changed(name),
    topic: (connector, topic, task) => listener.topic(connector, topic, task),
  };
}
