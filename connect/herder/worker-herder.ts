/**
 * The herder of a worker, alone or in a group: answers what it is asked from the config and status
 * topics, and has the leader write what is to change. The work itself is `HerdedWork`'s.
 */
import { connectorWork, taskWork, type Work } from "../group/work.ts";
import type { RawConfig } from "../config/parse.ts";
import type { TargetState, TaskId } from "../worker/status.ts";
import type { ConnectorOffset } from "../worker/worker.ts";
import type { ConfigInfos } from "./config-infos.ts";
import type { RestartRequest } from "./config-records.ts";
import { ElsewhereError, HerderError, notFound } from "./errors.ts";
import { HerdedWork } from "./herded-work.ts";
import type { HerderOptions } from "./herder-options.ts";
import type {
  ConnectorInfo,
  ConnectorStatus,
  Herder,
  LeaderRequests,
  PutResult,
  TaskInfo,
  TaskStateView,
} from "./herder.ts";
import type { LogLevels } from "./log-levels.ts";
import { measuredHere, type MeasuredWorker, workersNamed } from "./measured.ts";
import type { PluginCatalog } from "./plugin-catalog.ts";
import { requireValid, validateConfig } from "./validation.ts";

/** See the head of the file. */
export class WorkerHerder implements Herder {
  readonly #options: HerderOptions;
  readonly #work: HerdedWork;

  constructor(options: HerderOptions) {
    this.#options = options;
    this.#work = new HerdedWork(options);
  }

  get plugins(): PluginCatalog {
    return this.#options.plugins;
  }

  get levels(): LogLevels {
    return this.#options.levels;
  }

  get clusterId(): string | null {
    return this.#work.clusterId;
  }

  get waitsFor(): string | null {
    return this.#work.waitsFor;
  }

  get known(): Promise<void> {
    return this.#work.known;
  }

  get internal(): LeaderRequests {
    return this.#work.leadership.internal;
  }

  async start(): Promise<void> {
    await this.#work.start();
  }

  async close(): Promise<void> {
    await this.#work.close();
  }

  // What anybody may ask.

  connectors(): readonly string[] {
    return this.#options.configs.state.connectors;
  }

  info(name: string): ConnectorInfo {
    return this.#work.views.info(name);
  }

  status(name: string): ConnectorStatus {
    return this.#work.views.status(name);
  }

  tasks(name: string): readonly TaskInfo[] {
    return this.#work.views.tasks(name);
  }

  taskStatus(id: TaskId): TaskStateView {
    return this.#work.views.taskStatus(id);
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
    return await this.#work.worker.offsets(name, this.#work.views.entry(name).config);
  }

  measured(): MeasuredWorker {
    const { self, statuses } = this.#options;
    const parts = { views: this.#work.views, statuses, worker: this.#work.worker };
    return {
      workerId: self.workerId,
      isLeader: this.#work.membership.isLeader,
      counts: { ...this.#work.counts },
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
    return await validateConfig({ ...this.#options, worker: this.#work.worker }, config);
  }

  // What changes something.

  async putConfig(
    name: string,
    config: RawConfig,
    options: { readonly mayReplace: boolean; readonly initialState?: TargetState },
  ): Promise<PutResult> {
    this.#work.leadership.own();
    await requireValid({ ...this.#options, worker: this.#work.worker }, name, config);
    const { mayReplace, initialState = null } = options;
    const isNew = await this.#work.leadership.own().putConfig(
      name,
      config,
      mayReplace,
      initialState,
    );
    return { info: this.#work.views.info(name), isNew };
  }

  async patchConfig(
    name: string,
    patch: Readonly<Record<string, string | null>>,
  ): Promise<PutResult> {
    this.#work.leadership.own();
    const { config } = this.#work.views.entry(name);
    const patched = [...Object.entries(config), ...Object.entries(patch)];
    const entries = [...new Map(patched)].flatMap(([key, value]) => {
      return value === null ? [] : [[key, value] as const];
    });
    return await this.putConfig(name, Object.fromEntries(entries), { mayReplace: true });
  }

  async delete(name: string): Promise<void> {
    await this.#work.leadership.own().delete(name);
  }

  async setTarget(name: string, target: TargetState): Promise<void> {
    const { configs } = this.#options;
    if (configs.state.connector(name) === null) throw notFound(`Unknown connector ${name}`);
    if (target === "STOPPED") await this.#work.leadership.own().stop(name);
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
    const leader = this.#work.leadership.own();
    if (this.#options.statuses.connector(connector) === null) {
      throw notFound(`Status for connector ${connector} not found`);
    }
    const plan = this.#work.views.restartPlan(request);
    await leader.restart(request);
    return plan;
  }

  async alterOffsets(name: string, offsets: readonly ConnectorOffset[]): Promise<string> {
    await this.#work.leadership.own().alterOffsets(name, offsets);
    const what = offsets.length === 0 ? "reset" : "altered";
    return `The offsets for this connector have been ${what} successfully`;
  }

  async setClusterLevel(name: string, level: string): Promise<void> {
    await this.#options.configs.write([{ type: "logger", name, level }]);
  }

  #restartHere(work: Work, check: () => void): Promise<void> {
    check();
    if (this.#work.runner.isAssigned(work)) {
      this.#work.restarts.forget(work);
      this.#work.runner.restart(work);
      return Promise.resolve();
    }
    if (!this.#work.membership.isLeader) this.#work.leadership.own();
    const url = this.#work.membership.ownerOf(work)?.url ?? null;
    throw new ElsewhereError(url, "it is not assigned to this worker");
  }
}
