/**
 * The herder of a worker, alone or in a group: it has its worker run what the membership gives it, as
 * the config topic wants it, and answers what it is asked from the config and status topics.
 */
import { traceOf } from "../worker/trace-of.ts";
import { asError } from "../../core/as-error.ts";
import { deferred } from "../../core/deferred.ts";
import type { Clock, Timer } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { MembershipEvents, Peer, WorkerMembership } from "../group/membership.ts";
import { connectorWork, parseWork, taskWork, type Work } from "../group/work.ts";
import type { RawConfig } from "../config/parse.ts";
import type { StatusListener, TargetState, TaskId } from "../worker/status.ts";
import type { ConnectorOffset, Worker } from "../worker/worker.ts";
import type { ConfigInfos } from "./config-infos.ts";
import type { ConfigRecord, RestartRequest } from "./config-records.ts";
import type { ConfigStore } from "./config-store.ts";
import { ElsewhereError, HerderError, notFound } from "./errors.ts";
import type {
  ConnectorInfo,
  ConnectorStatus,
  Herder,
  LeaderRequests,
  PutResult,
  TaskInfo,
  TaskStateView,
} from "./herder.ts";
import { isExactlyOnce, Leader } from "./leader.ts";
import type { LeaderLink } from "./leader-link.ts";
import { LogLevels } from "./log-levels.ts";
import { measuredHere, type MeasuredWorker, type WorkerCounts, workersNamed } from "./measured.ts";
import type { PluginCatalog } from "./plugin-catalog.ts";
import { AutoRestarts, concerns, type RestartPolicy } from "./restarts.ts";
import { SessionKeys } from "./session-keys.ts";
import { StatusWriter } from "./status-writer.ts";
import type { StatusStore } from "./status-store.ts";
import { staleStatuses } from "./stale-statuses.ts";
import { TaskConfigurer } from "./task-configurer.ts";
import { requireValid, validateConfig } from "./validation.ts";
import { Views } from "./views.ts";
import { allWork, WorkRunner } from "./work-runner.ts";

export interface WorkerHerderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly configs: ConfigStore;
  readonly statuses: StatusStore;
  readonly plugins: PluginCatalog;
  readonly levels: LogLevels;
  /** This worker, as others know it. */
  readonly self: Peer;
  readonly makeWorker: (listener: StatusListener) => Worker;
  readonly makeMembership: (events: MembershipEvents) => WorkerMembership;
  /** How the leader is asked, if that is another worker. */
  readonly link: LeaderLink;
  readonly sessionKeys: SessionKeys;
  readonly restarts: RestartPolicy;
  readonly clusterId: () => Promise<string | null>;
  readonly fenceProducers: (transactionalIds: readonly string[]) => Promise<void>;
  readonly transactionalId: (connector: string, task: number) => string;
  /** The membership has ended for good: the worker is of no use any more. */
  readonly onFatal: (error: Error) => void;
}

/** How often a leader looks what is to be done. */
const DUTIES_MS = 60_000;

/** See the head of the file. */
export class WorkerHerder implements Herder, MembershipEvents, StatusListener {
  readonly #options: WorkerHerderOptions;
  readonly #worker: Worker;
  readonly #runner: WorkRunner;
  readonly #membership: WorkerMembership;
  readonly #leader: Leader;
  readonly #says: StatusWriter;
  readonly #configurer: TaskConfigurer;
  readonly #restarts: AutoRestarts;
  readonly #views: Views;
  readonly internal: LeaderRequests;
  readonly #counts: WorkerCounts = { rebalances: 0, failures: 0, restarts: 0 };
  #clusterId: string | null = null;
  #phase: "new" | "reading" | "running" | "closed" = "new";
  readonly #known = deferred<void>();
  /** Whether this worker has taken over as leader. */
  #leads = false;
  #duties: Timer | null = null;

  constructor(options: WorkerHerderOptions) {
    this.#options = options;
    const { clock, configs, statuses, plugins, logger, self } = options;
    const { state } = configs;
    // Perhaps nobody asks before it fails.
    this.#known.promise.catch(() => {});
    this.#worker = options.makeWorker(this);
    this.#membership = options.makeMembership(this);
    this.#views = new Views(state, statuses, plugins);
    this.#leader = new Leader({
      ...options,
      worker: this.#worker,
      typeOf: (config) => this.#views.typeOf(config),
      // Perhaps another one leads by now: that shows when this one joins again.
      writeFailed: () => {
        this.#leads = false;
        this.#membership.rejoin();
      },
    });
    this.#says = new StatusWriter({
      store: statuses,
      clock,
      workerId: self.workerId,
      generation: () => this.#membership.generation,
      versionOf: (connector) => this.#views.versionOf(connector),
    });
    this.#runner = new WorkRunner(this.#worker, state, {
      // A status names the version of the module. That it cannot be loaded shows when it is begun.
      prepare: async (config) => {
        await plugins.find(config["connector.class"] ?? "").catch(() => null);
      },
      connectorStarted: (name) => this.#configurer.ask(name),
      fence: (id, version) => this.#fenceFor(id, version),
      broken: (work, error) => logger.error("a step has failed", { work, why: String(error) }),
      ended: (work, isRestart) => this.#ended(work, isRestart),
    });
    this.#configurer = new TaskConfigurer({
      clock,
      state,
      worker: this.#worker,
      logger,
      isHere: (connector) => this.#runner.isAssigned(connectorWork(connector)),
      write: (connector, tasks) => this.#askLeader().putTaskConfigs(connector, tasks),
      failed: (name, error) => this.connector(name, { state: "FAILED", trace: traceOf(error) }),
      healed: (name) => this.connector(name, { state: "RUNNING", trace: null }),
    });
    this.#restarts = new AutoRestarts(clock, options.restarts, (work, attempt) => {
      logger.info("what has failed is begun again", { work, attempt });
      this.#counts.restarts++;
      this.#runner.restart(work);
    });
    this.internal = {
      putTaskConfigs: (connector, tasks) => this.#asLeader().putTaskConfigs(connector, tasks),
      fence: (connector) => this.#asLeader().fence(connector),
    };
  }

  get plugins(): PluginCatalog {
    return this.#options.plugins;
  }

  get levels(): LogLevels {
    return this.#options.levels;
  }

  get clusterId(): string | null {
    return this.#clusterId;
  }

  get waitsFor(): string | null {
    if (this.#phase === "new" || this.#phase === "reading") return "reading the config topic";
    return this.#membership.isStable ? null : "joining the group";
  }

  get known(): Promise<void> {
    return this.#known.promise;
  }

  async start(): Promise<void> {
    try {
      await this.#start();
      this.#known.resolve();
    } catch (error) {
      this.#known.reject(asError(error));
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { configs, statuses, levels, clusterId } = this.#options;
    this.#phase = "reading";
    await Promise.all([
      configs.start({
        changed: (connector) => this.#configChanged(connector),
        record: (record) => this.#heard(record),
      }),
      statuses.start(),
    ]);
    for (const [name, level] of configs.state.loggers) levels.set(name, level);
    this.#clusterId = await clusterId();
    this.#phase = "running";
    this.#membership.start();
  }

  async close(): Promise<void> {
    this.#phase = "closed";
    this.#duties?.cancel();
    this.#restarts.close();
    this.#configurer.close();
    await this.#runner.endAll();
    await this.#says.close();
    await this.#worker.close();
    await this.#membership.stop();
    await Promise.all([this.#options.configs.close(), this.#options.statuses.close()]);
  }

  // What anybody may ask.

  connectors(): readonly string[] {
    return this.#options.configs.state.connectors;
  }

  info(name: string): ConnectorInfo {
    return this.#views.info(name);
  }

  status(name: string): ConnectorStatus {
    return this.#views.status(name);
  }

  tasks(name: string): readonly TaskInfo[] {
    return this.#views.tasks(name);
  }

  taskStatus(id: TaskId): TaskStateView {
    return this.#views.taskStatus(id);
  }

  topics(name: string): readonly string[] {
    return this.#options.statuses.topics(name).map(({ topic }) => topic);
  }

  async resetTopics(connector: string): Promise<void> {
    const { statuses } = this.#options;
    const records = statuses.topics(connector).map(({ topic }) => {
      return { type: "topic" as const, topic, connector, use: null };
    });
    if (!await statuses.write(records)) throw new HerderError(500, "the status topic is not there");
    await statuses.readToEnd();
  }

  async offsets(name: string): Promise<readonly ConnectorOffset[]> {
    return await this.#worker.offsets(name, this.#views.entry(name).config);
  }

  measured(): MeasuredWorker {
    const { self, statuses } = this.#options;
    const parts = { views: this.#views, statuses, worker: this.#worker };
    return {
      workerId: self.workerId,
      isLeader: this.#membership.isLeader,
      counts: { ...this.#counts },
      ...measuredHere(self.workerId, this.connectors(), parts),
    };
  }

  otherWorkers(): readonly string[] {
    const { self, statuses } = this.#options;
    if (self.url === "") return [];
    const { protocol } = new URL(self.url);
    return [...workersNamed(this.connectors(), statuses)]
      .filter((id) => id !== self.workerId).map((id) => `${protocol}//${id}/`);
  }

  async validate(config: RawConfig): Promise<ConfigInfos> {
    return await validateConfig({ ...this.#options, worker: this.#worker }, config);
  }

  // What changes something.

  async putConfig(
    name: string,
    config: RawConfig,
    options: { readonly mayReplace: boolean; readonly initialState?: TargetState },
  ): Promise<PutResult> {
    this.#asLeader();
    await requireValid({ ...this.#options, worker: this.#worker }, name, config);
    const { mayReplace, initialState = null } = options;
    const isNew = await this.#asLeader().putConfig(name, config, mayReplace, initialState);
    return { info: this.#views.info(name), isNew };
  }

  async patchConfig(
    name: string,
    patch: Readonly<Record<string, string | null>>,
  ): Promise<PutResult> {
    this.#asLeader();
    const { config } = this.#views.entry(name);
    const patched = [...Object.entries(config), ...Object.entries(patch)];
    const entries = [...new Map(patched)].flatMap(([key, value]) => {
      return value === null ? [] : [[key, value] as const];
    });
    return await this.putConfig(name, Object.fromEntries(entries), { mayReplace: true });
  }

  async delete(name: string): Promise<void> {
    await this.#asLeader().delete(name);
  }

  async setTarget(name: string, target: TargetState): Promise<void> {
    const { configs } = this.#options;
    if (configs.state.connector(name) === null) throw notFound(`Unknown connector ${name}`);
    if (target === "STOPPED") await this.#asLeader().stop(name);
    else await configs.write([{ type: "target", name, state: target }]);
  }

  restartConnector(name: string): Promise<void> {
    return this.#restartHere(connectorWork(name), () => {
      if (this.#options.configs.state.connector(name) === null) {
        throw notFound(`Unknown connector: ${name}`);
      }
    });
  }

  restartTask(id: TaskId): Promise<void> {
    return this.#restartHere(taskWork(id), () => {
      const { state } = this.#options.configs;
      if (state.connector(id.connector) === null) {
        throw notFound(`Unknown connector: ${id.connector}`);
      }
      if (state.task(id) === null) throw notFound(`Unknown task: ${id.connector}-${id.task}`);
    });
  }

  async restart(request: RestartRequest): Promise<ConnectorStatus> {
    const { connector } = request;
    if (this.#options.configs.state.connector(connector) === null) {
      throw notFound(`Unknown connector: ${connector}`);
    }
    const leader = this.#asLeader();
    if (this.#options.statuses.connector(connector) === null) {
      throw notFound(`Status for connector ${connector} not found`);
    }
    const plan = this.#views.restartPlan(request);
    await leader.restart(request);
    return plan;
  }

  async alterOffsets(name: string, offsets: readonly ConnectorOffset[]): Promise<string> {
    await this.#asLeader().alterOffsets(name, offsets);
    const what = offsets.length === 0 ? "reset" : "altered";
    return `The offsets for this connector have been ${what} successfully`;
  }

  async setClusterLevel(name: string, level: string): Promise<void> {
    await this.#options.configs.write([{ type: "logger", name, level }]);
  }

  /** The part of the leader, if that is this worker. Throws `ElsewhereError`. */
  #asLeader(): Leader {
    if (this.#phase !== "running") throw new HerderError(503, "the worker is starting or stopping");
    if (this.#membership.isLeader) return this.#leader;
    const url = this.#membership.leader?.url ?? null;
    throw new ElsewhereError(url, "Only the leader of the group can do this");
  }

  /** The leader, whoever it is, for what this worker wants of it. */
  #askLeader(): LeaderRequests {
    if (this.#membership.isLeader) return this.internal;
    const url = this.#membership.leader?.url ?? null;
    if (url === null) throw new ElsewhereError(null, "there is no leader at the moment");
    return this.#options.link.requests(url);
  }

  #restartHere(work: Work, check: () => void): Promise<void> {
    check();
    if (this.#runner.isAssigned(work)) {
      this.#restarts.forget(work);
      this.#runner.restart(work);
      return Promise.resolve();
    }
    if (!this.#membership.isLeader) this.#asLeader();
    const url = this.#membership.ownerOf(work)?.url ?? null;
    throw new ElsewhereError(url, "it is not assigned to this worker");
  }

  // What the config topic says.

  #configChanged(connector: string): void {
    this.#runner.changed(connector);
    this.#askIfNeeded(connector);
    if (!this.#membership.isLeader) return;
    this.#membership.workChanged();
    this.#tidyStatuses();
  }

  /**
   * A connector that is stopped and resumed in one breath has lost its tasks without having been begun
   * again here, where it would be asked for them.
   */
  #askIfNeeded(connector: string): void {
    const entry = this.#options.configs.state.connector(connector);
    if (entry === null || !this.#runner.isAssigned(connectorWork(connector))) return;
    if (entry.target === "STARTED" && entry.tasks.length === 0) this.#configurer.ask(connector);
  }

  #heard(record: ConfigRecord): void {
    switch (record.type) {
      case "restart":
        this.#restartAll(record.request);
        return;
      case "logger":
        this.#options.levels.set(record.name, record.level);
        return;
      default:
    }
  }

  /** What of it runs here. */
  #restartAll(request: RestartRequest): void {
    const { connector, includeTasks } = request;
    const { statuses } = this.#options;
    const own = statuses.connector(connector);
    if (own === null || concerns(request, own.state)) this.#restartIfHere(connectorWork(connector));
    if (!includeTasks) return;
    for (const [task, { state }] of statuses.tasks(connector)) {
      if (concerns(request, state)) this.#restartIfHere(taskWork({ connector, task }));
    }
  }

  #restartIfHere(work: Work): void {
    if (!this.#runner.isAssigned(work)) return;
    this.#restarts.forget(work);
    this.#runner.restart(work);
  }

  // What the group says.

  held(): readonly Work[] {
    return this.#runner.held;
  }

  work(): readonly Work[] {
    return allWork(this.#options.configs.state);
  }

  assigned(work: readonly Work[]): void {
    if (this.#phase !== "running") return;
    this.#counts.rebalances++;
    this.#runner.assign(work);
    if (this.#membership.isLeader) void this.#lead();
    else this.#leads = false;
  }

  async revoked(work: readonly Work[]): Promise<void> {
    await this.#runner.ended(work);
  }

  async lost(): Promise<void> {
    this.#leads = false;
    await this.#runner.endAll();
  }

  failed(error: Error, fatal: boolean): void {
    this.#options.logger.error("trouble with the group", { why: error.message, fatal });
    if (fatal) this.#options.onFatal(error);
  }

  /** Takes over as leader, once; what leaders do now and then goes on from there. */
  async #lead(): Promise<void> {
    const { clock, logger, configs, sessionKeys } = this.#options;
    this.#duties ??= clock.setTimer(DUTIES_MS, () => {
      this.#duties = null;
      if (this.#phase === "running" && this.#membership.isLeader) void this.#lead();
    });
    this.#tidyStatuses();
    try {
      if (!this.#leads) {
        this.#leads = true;
        await this.#leader.begin();
      }
      await sessionKeys.renew(configs.state, this.#leader);
    } catch (error) {
      this.#leads = false;
      logger.warn("cannot do what leaders do, yet", { why: String(error) });
    }
  }

  /** As leader: no status stays of what is not there, nor says that it runs where nobody is. */
  #tidyStatuses(): void {
    const { configs, statuses } = this.#options;
    const isGiven = (work: Work) => this.#membership.ownerOf(work) !== null;
    for (const record of staleStatuses(configs.state, statuses, isGiven)) this.#says.record(record);
  }

  // What the worker says.

  connector(name: string, status: Parameters<StatusListener["connector"]>[1]): void {
    this.#says.connector(name, status);
    if (status.state !== "FAILED") return;
    this.#counts.failures++;
    this.#restarts.failed(connectorWork(name));
  }

  task(id: TaskId, status: Parameters<StatusListener["task"]>[1]): void {
    this.#says.task(id, status);
    if (status.state !== "FAILED") return;
    this.#counts.failures++;
    this.#restarts.failed(taskWork(id));
  }

  changed(name: string): void {
    this.#configurer.ask(name);
  }

  topic(connector: string, topic: string, task: number): void {
    this.#says.topic(connector, topic, task);
  }

  #ended(work: Work, isRestart: boolean): void {
    if (!isRestart) this.#restarts.forget(work);
    const parsed = parseWork(work);
    if (parsed === null) return;
    const name = "connector" in parsed ? parsed.connector : parsed.task.connector;
    // What is deleted has no status: the leader sees to that.
    if (this.#options.configs.state.connector(name) === null) return;
    const status = { state: isRestart ? "RESTARTING" : "UNASSIGNED", trace: null } as const;
    if ("connector" in parsed) this.#says.connector(name, status);
    else if (this.#options.configs.state.task(parsed.task) !== null) {
      this.#says.task(parsed.task, status);
    }
  }

  /** A task begins only if it is still wanted, and when no earlier one can write any more. */
  async #fenceFor(id: TaskId, version: bigint): Promise<void> {
    const { configs } = this.#options;
    const entry = configs.state.connector(id.connector);
    if (entry === null || !isExactlyOnce(entry.config)) return;
    await this.#askLeader().fence(id.connector);
    await configs.readToEnd();
    const isCurrent = configs.state.connector(id.connector)?.tasksVersion === version;
    if (isCurrent && this.#runner.isAssigned(taskWork(id))) return;
    throw new Error("the task is another one's by now, or has another config");
  }
}
