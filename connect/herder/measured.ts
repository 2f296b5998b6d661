/** What is measured of a worker and of what runs on it. */
import type { State } from "../worker/status.ts";
import type { Worker } from "../worker/worker.ts";
import type { ConnectorType } from "./herder.ts";
import type { StatusStore } from "./status-store.ts";
import type { Views } from "./views.ts";

export interface MeasuredConnector {
  readonly name: string;
  /** As its config has it. */
  readonly className: string;
  readonly version: string;
  readonly type: ConnectorType;
  readonly state: State;
}

export interface MeasuredTask {
  readonly connector: string;
  readonly task: number;
  readonly type: ConnectorType;
  readonly state: State;
  /** By the names that Connect has for them in JMX; gauges of the connector by its own. */
  readonly figures: Readonly<Record<string, number>>;
}

/** What has happened on a worker since it began. */
export interface WorkerCounts {
  rebalances: number;
  /** Of connectors and tasks. */
  failures: number;
  /** Of what had failed, by itself. */
  restarts: number;
}

export interface MeasuredWorker {
  readonly workerId: string;
  readonly isLeader: boolean;
  readonly counts: Readonly<WorkerCounts>;
  /** Those that run here, or have failed here. */
  readonly connectors: readonly MeasuredConnector[];
  readonly tasks: readonly MeasuredTask[];
}

/** What the status topic says of this worker, with the figures of what runs. */
export function measuredHere(
  workerId: string,
  names: readonly string[],
  { views, statuses, worker }: {
    readonly views: Views;
    readonly statuses: StatusStore;
    readonly worker: Worker;
  },
): Pick<MeasuredWorker, "connectors" | "tasks"> {
  const connectors: MeasuredConnector[] = [];
  const tasks: MeasuredTask[] = [];
  for (const name of names) {
    const { config, type } = views.info(name);
    const own = statuses.connector(name);
    if (own?.workerId === workerId) {
      const className = config["connector.class"] ?? "";
      const version = own.version ?? views.versionOf(name) ?? "";
      connectors.push({ name, className, version, type, state: own.state });
    }
    for (const [task, status] of statuses.tasks(name)) {
      if (status.workerId !== workerId) continue;
      const figures = worker.figures({ connector: name, task });
      tasks.push({ connector: name, task, type, state: status.state, figures });
    }
  }
  return { connectors, tasks };
}

/** Ids of all workers that any status names. */
export function workersNamed(names: readonly string[], statuses: StatusStore): Set<string> {
  return new Set(names.flatMap((name) => {
    const own = statuses.connector(name);
    return [...(own === null ? [] : [own]), ...statuses.tasks(name).map(([, status]) => status)]
      .map(({ workerId }) => workerId);
  }));
}
