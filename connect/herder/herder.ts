/**
 * Who decides what connectors there are and what they do: what the REST API and the commands ask
 * (Connect's `Herder`). A worker alone has one over memory, workers of a group one each over the
 * group's topics. All methods throw `HerderError`; those that only the leader or the owner of a task
 * can carry out throw an `ElsewhereError`, which says where to ask.
 */
import type { RawConfig } from "../config/parse.ts";
import type { ConnectorOffset } from "../worker/worker.ts";
import type { State, TargetState, TaskId } from "../worker/status.ts";
import type { ConfigInfos } from "./config-infos.ts";
import type { RestartRequest } from "./config-records.ts";
import type { LogLevels } from "./log-levels.ts";
import type { MeasuredWorker } from "./measured.ts";
import type { PluginCatalog } from "./plugin-catalog.ts";

export type ConnectorType = "source" | "sink" | "unknown";

export interface ConnectorInfo {
  readonly name: string;
  /** As it was written: references to secrets, not secrets. */
  readonly config: RawConfig;
  readonly tasks: readonly TaskId[];
  readonly type: ConnectorType;
}

export interface TaskInfo {
  readonly id: TaskId;
  readonly config: RawConfig;
}

export interface StateView {
  readonly state: State;
  readonly workerId: string;
  readonly trace: string | null;
  readonly version: string | null;
}

export interface TaskStateView extends StateView {
  readonly task: number;
}

export interface ConnectorStatus {
  readonly name: string;
  readonly connector: StateView;
  readonly tasks: readonly TaskStateView[];
  readonly type: ConnectorType;
  /** That of its task that is worst off, or its own. Connect has no such thing. */
  readonly worst: State;
}

/** What was made of a config. */
export interface PutResult {
  readonly info: ConnectorInfo;
  /** Whether the connector was not there before. */
  readonly isNew: boolean;
}

export interface Herder {
  readonly plugins: PluginCatalog;
  readonly levels: LogLevels;
  /** Of the cluster of brokers; null: it has none. */
  readonly clusterId: string | null;
  /** What it waits for before it can do anything; null: it is ready. */
  readonly waitsFor: string | null;
  /** Resolves once it knows what connectors there are; rejects if that fails. */
  readonly known: Promise<void>;

  connectors(): readonly string[];
  info(name: string): ConnectorInfo;
  status(name: string): ConnectorStatus;
  tasks(name: string): readonly TaskInfo[];
  taskStatus(id: TaskId): TaskStateView;
  topics(name: string): readonly string[];
  resetTopics(name: string): Promise<void>;
  offsets(name: string): Promise<readonly ConnectorOffset[]>;
  /** What is measured of what runs here. */
  measured(): MeasuredWorker;
  /** URLs of the REST APIs of all other workers that have anything. */
  otherWorkers(): readonly string[];
  /** What is wrong with a config, field by field; nothing is begun. */
  validate(config: RawConfig): Promise<ConfigInfos>;

  /** Makes a connector, or gives it another config where `mayReplace`. */
  putConfig(
    name: string,
    config: RawConfig,
    options: { readonly mayReplace: boolean; readonly initialState?: TargetState },
  ): Promise<PutResult>;
  /** Changes some keys; null removes one (KIP-477). */
  patchConfig(name: string, patch: Readonly<Record<string, string | null>>): Promise<PutResult>;
  delete(name: string): Promise<void>;
  /** Pauses or resumes it, or stops it so that it has no tasks any more (KIP-875). */
  setTarget(name: string, target: TargetState): Promise<void>;
  /** Begins the connector itself again, on the worker that has it. */
  restartConnector(name: string): Promise<void>;
  /** Begins connector and tasks again, as asked (KIP-745); what is to be done, as a status. */
  restart(request: RestartRequest): Promise<ConnectorStatus>;
  restartTask(id: TaskId): Promise<void>;
  /** Sets offsets, or forgets all with an empty list (KIP-875); what there is to say about it. */
  alterOffsets(name: string, offsets: readonly ConnectorOffset[]): Promise<string>;
  /** Sets a level of logging on all workers (KIP-976). */
  setClusterLevel(logger: string, level: string): Promise<void>;

  /** What other workers ask of the leader, besides. */
  readonly internal: LeaderRequests;

  start(): Promise<void>;
  close(): Promise<void>;
}

/** What a worker asks of the leader of its group. */
export interface LeaderRequests {
  /** These are the configs of the connector's tasks now. */
  putTaskConfigs(connector: string, configs: readonly RawConfig[]): Promise<void>;
  /** Sees to it that no task of an earlier generation can write any more (KIP-618). */
  fence(connector: string): Promise<void>;
}

/** From best to worst. */
const ORDER: readonly State[] = [
  "RUNNING",
  "PAUSED",
  "STOPPED",
  "RESTARTING",
  "UNASSIGNED",
  "FAILED",
  "DESTROYED",
];

/** The state that says how bad things are. */
export function worstOf(states: readonly State[]): State {
  return states.reduce((a, b) => ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a);
}
