/** What a herder answers about connectors, from the config and status topics. */
import type { RawConfig } from "../config/parse.ts";
import type { TaskId } from "../worker/status.ts";
import type { RestartRequest } from "./config-records.ts";
import type { ConfigState, ConnectorEntry } from "./config-state.ts";
import { notFound } from "./errors.ts";
import {
  type ConnectorInfo,
  type ConnectorStatus,
  type ConnectorType,
  type StateView,
  type TaskInfo,
  type TaskStateView,
  worstOf,
} from "./herder.ts";
import type { PluginCatalog } from "./plugin-catalog.ts";
import { concerns } from "./restarts.ts";
import type { StatusEntry } from "./status-records.ts";
import type { StatusStore } from "./status-store.ts";

/** See the head of the file. All throw `HerderError` (404) on what is not there. */
export class Views {
  constructor(
    private readonly state: ConfigState,
    private readonly statuses: StatusStore,
    private readonly plugins: PluginCatalog,
  ) {}

  typeOf(config: RawConfig): ConnectorType {
    return this.plugins.kindOf(config["connector.class"] ?? "") ?? "unknown";
  }

  versionOf(connector: string): string | null {
    const name = this.state.connector(connector)?.config["connector.class"];
    return name === undefined ? null : this.plugins.versionOf(name);
  }

  entry(name: string): ConnectorEntry {
    const entry = this.state.connector(name);
    if (entry === null) throw notFound(`Connector ${name} not found`);
    return entry;
  }

  info(name: string): ConnectorInfo {
    const { config, tasks } = this.entry(name);
    return {
      name,
      config,
      tasks: tasks.map((_, task) => ({ connector: name, task })),
      type: this.typeOf(config),
    };
  }

  tasks(name: string): TaskInfo[] {
    return this.entry(name).tasks.map((config, task) => {
      return { id: { connector: name, task }, config };
    });
  }

  status(name: string): ConnectorStatus {
    const own = this.statuses.connector(name);
    if (own === null) throw notFound(`No status found for connector ${name}`);
    const tasks = this.statuses.tasks(name).map(([task, status]) => ({ task, ...view(status) }));
    return {
      name,
      connector: view(own),
      tasks,
      type: this.typeOf(this.state.connector(name)?.config ?? {}),
      worst: worstOf([own, ...tasks].map(({ state }) => state)),
    };
  }

  taskStatus(id: TaskId): TaskStateView {
    const status = this.statuses.task(id);
    if (status === null) throw notFound(`No status found for task ${id.connector}-${id.task}`);
    return { task: id.task, ...view(status) };
  }

  /** The status as it is when the restart has begun. */
  restartPlan(request: RestartRequest): ConnectorStatus {
    const now = this.status(request.connector);
    const restarting = <S extends StateView>(status: S): S => {
      return concerns(request, status.state) ? { ...status, state: "RESTARTING" } : status;
    };
    const connector = restarting(now.connector);
    const tasks = request.includeTasks ? now.tasks.map(restarting) : now.tasks;
    const worst = worstOf([connector, ...tasks].map(({ state }) => state));
    return { ...now, connector, tasks, worst };
  }
}

function view({ state, workerId, trace, version }: StatusEntry): StateView {
  return { state, workerId, trace, version };
}
