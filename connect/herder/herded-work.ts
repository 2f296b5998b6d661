/**
 * The work of a worker, alone or in a group: it has its worker run what the membership gives it, as the
 * config topic wants it, and says what becomes of it. What it is asked is the herder's affair.
 */
import { traceOf } from "../worker/trace-of.ts";
import { asError } from "../../core/as-error.ts";
import { deferred } from "../../core/deferred.ts";
import type { MembershipEvents, WorkerMembership } from "../group/membership.ts";
import { connectorWork, parseWork, taskWork, type Work } from "../group/work.ts";
import type { StatusListener, TaskId } from "../worker/status.ts";
import type { Worker } from "../worker/worker.ts";
import type { ConfigRecord, RestartRequest } from "./config-records.ts";
import type { HerderOptions } from "./herder-options.ts";
import { isExactlyOnce } from "./leader.ts";
import { Leadership } from "./leadership.ts";
import type { WorkerCounts } from "./measured.ts";
import { AutoRestarts, concerns } from "./restarts.ts";
import { StatusWriter } from "./status-writer.ts";
import { TaskConfigurer } from "./task-configurer.ts";
import { Views } from "./views.ts";
import { allWork, WorkRunner } from "./work-runner.ts";

/** See the head of the file. */
export class HerdedWork implements MembershipEvents, StatusListener {
  readonly worker: Worker;
  readonly membership: WorkerMembership;
  readonly views: Views;
  readonly runner: WorkRunner;
  readonly restarts: AutoRestarts;
  readonly leadership: Leadership;
  readonly counts: WorkerCounts = { rebalances: 0, failures: 0, restarts: 0 };
  readonly #options: HerderOptions;
  readonly #says: StatusWriter;
  readonly #configurer: TaskConfigurer;
  #clusterId: string | null = null;
  #phase: "new" | "reading" | "running" | "closed" = "new";
  readonly #known = deferred<void>();

  constructor(options: HerderOptions) {
    this.#options = options;
    const { clock, configs, statuses, plugins, logger, self } = options;
    const { state } = configs;
    // Perhaps nobody asks before it fails.
    this.#known.promise.catch(() => {});
    this.worker = options.makeWorker(this);
    this.membership = options.makeMembership(this);
    this.views = new Views(state, statuses, plugins);
    this.#says = new StatusWriter({
      store: statuses,
      clock,
      workerId: self.workerId,
      generation: () => this.membership.generation,
      versionOf: (connector) => this.views.versionOf(connector),
    });
    this.leadership = new Leadership({
      ...options,
      worker: this.worker,
      membership: this.membership,
      views: this.views,
      says: this.#says,
      isRunning: () => this.#phase === "running",
    });
    this.runner = new WorkRunner(this.worker, state, {
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
      worker: this.worker,
      logger,
      isHere: (connector) => this.runner.isAssigned(connectorWork(connector)),
      write: (connector, tasks) => this.leadership.ask().putTaskConfigs(connector, tasks),
      failed: (name, error) => this.connector(name, { state: "FAILED", trace: traceOf(error) }),
      healed: (name) => this.connector(name, { state: "RUNNING", trace: null }),
    });
    this.restarts = new AutoRestarts(clock, options.restarts, (work, attempt) => {
      logger.info("what has failed is begun again", { work, attempt });
      this.counts.restarts++;
      this.runner.restart(work);
    });
  }

  get clusterId(): string | null {
    return this.#clusterId;
  }

  get waitsFor(): string | null {
    if (this.#phase === "new" || this.#phase === "reading") return "reading the config topic";
    return this.membership.isStable ? null : "joining the group";
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
    this.membership.start();
  }

  async close(): Promise<void> {
    this.#phase = "closed";
    this.leadership.close();
    this.restarts.close();
    this.#configurer.close();
    await this.runner.endAll();
    await this.#says.close();
    await this.worker.close();
    await this.membership.stop();
    await Promise.all([this.#options.configs.close(), this.#options.statuses.close()]);
  }

  // What the config topic says.

  #configChanged(connector: string): void {
    this.runner.changed(connector);
    this.#askIfNeeded(connector);
    if (!this.membership.isLeader) return;
    this.membership.workChanged();
    this.leadership.tidyStatuses();
  }

  /**
   * A connector that is stopped and resumed in one breath has lost its tasks without having been begun
   * again here, where it would be asked for them.
   */
  #askIfNeeded(connector: string): void {
    const entry = this.#options.configs.state.connector(connector);
    if (entry === null || !this.runner.isAssigned(connectorWork(connector))) return;
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
    if (!this.runner.isAssigned(work)) return;
    this.restarts.forget(work);
    this.runner.restart(work);
  }

  // What the group says.

  held(): readonly Work[] {
    return this.runner.held;
  }

  work(): readonly Work[] {
    return allWork(this.#options.configs.state);
  }

  assigned(work: readonly Work[]): void {
    if (this.#phase !== "running") return;
    this.counts.rebalances++;
    this.runner.assign(work);
    this.leadership.heard();
  }

  async revoked(work: readonly Work[]): Promise<void> {
    await this.runner.ended(work);
  }

  async lost(): Promise<void> {
    this.leadership.lost();
    await this.runner.endAll();
  }

  failed(error: Error, fatal: boolean): void {
    this.#options.logger.error("trouble with the group", { why: error.message, fatal });
    if (fatal) this.#options.onFatal(error);
  }

  // What the worker says.

  connector(name: string, status: Parameters<StatusListener["connector"]>[1]): void {
    this.#says.connector(name, status);
    if (status.state !== "FAILED") return;
    this.counts.failures++;
    this.restarts.failed(connectorWork(name));
  }

  task(id: TaskId, status: Parameters<StatusListener["task"]>[1]): void {
    this.#says.task(id, status);
    if (status.state !== "FAILED") return;
    this.counts.failures++;
    this.restarts.failed(taskWork(id));
  }

  changed(name: string): void {
    this.#configurer.ask(name);
  }

  topic(connector: string, topic: string, task: number): void {
    this.#says.topic(connector, topic, task);
  }

  #ended(work: Work, isRestart: boolean): void {
    if (!isRestart) this.restarts.forget(work);
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
    await this.leadership.ask().fence(id.connector);
    await configs.readToEnd();
    const isCurrent = configs.state.connector(id.connector)?.tasksVersion === version;
    if (isCurrent && this.runner.isAssigned(taskWork(id))) return;
    throw new Error("the task is another one's by now, or has another config");
  }
}
