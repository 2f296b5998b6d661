/**
 * Runs connectors and tasks and knows nothing of who decides what runs where: a herder does, alone
 * (`connect run`) or with others of its group (`connect worker`). Connect's `Worker`.
 */
import type { ConfigProblem, RawConfig } from "../config/parse.ts";
import type { SourceMap } from "../data/record.ts";
import type { TargetState, TaskId } from "./status.ts";

/** A task as it is begun; `${…}` in both configs is not resolved yet. */
export interface TaskSpec {
  readonly id: TaskId;
  /** Of the connector: converters, transforms, errors, topics. */
  readonly connectorConfig: RawConfig;
  /** What the connector gave this task. */
  readonly taskConfig: RawConfig;
  /**
   * With exactly-once sources: resolves when no task of an earlier generation can write any more;
   * called before the first record (KIP-618).
   */
  fence?(): Promise<void>;
}

/** Where a source or a sink has come to (KIP-875). */
export interface ConnectorOffset {
  readonly partition: SourceMap;
  /** Null: forget it. */
  readonly offset: SourceMap | null;
}

export interface Worker {
  /**
   * Begins the connector itself (not its tasks), or makes it what `target` says. Its state is told to
   * the listener; what keeps it from working as well: this never rejects.
   */
  startConnector(name: string, config: RawConfig, target: TargetState): Promise<void>;
  /** Resolves when nothing of the connector itself runs. */
  stopConnector(name: string): Promise<void>;
  /** Configs of its tasks as the connector sees the world now. Throws what is wrong. */
  taskConfigs(name: string, config: RawConfig): Promise<RawConfig[]>;
  /** Begins a task; a running one of the same id must have been stopped. Never throws. */
  startTask(spec: TaskSpec, target: TargetState): void;
  /** Resolves when the task has ended in good order, or was given up after the worker's patience. */
  stopTask(id: TaskId): Promise<void>;
  /** Pauses or resumes connector and tasks that run here. */
  setTarget(name: string, target: TargetState): void;
  /** All that is wrong with a config, unknown keys included; nothing is begun. Probes the target. */
  validate(config: RawConfig): Promise<readonly ConfigProblem[]>;
  /** Where a connector has come to. Throws `KafkaError` and what offset stores throw. */
  offsets(name: string, config: RawConfig): Promise<ConnectorOffset[]>;
  /** Sets or, with null, forgets offsets; an empty list resets all. Tasks must have been stopped. */
  alterOffsets(name: string, config: RawConfig, offsets: readonly ConnectorOffset[]): Promise<void>;
  /** Figures of a running task, by name. */
  figures(id: TaskId): Readonly<Record<string, number>>;
  /** Stops everything in good order. */
  close(): Promise<void>;
}
