/** What connectors and tasks are doing, as Connect's status topic and REST API say it. */

/** Of a connector or a task (Connect's `AbstractStatus.State`). */
export type State =
  | "UNASSIGNED"
  | "RUNNING"
  | "PAUSED"
  | "STOPPED"
  | "FAILED"
  | "RESTARTING"
  | "DESTROYED";

/** What the owner of a connector wants of it. */
export type TargetState = "STARTED" | "PAUSED" | "STOPPED";

/** One task of a connector, from 0. */
export interface TaskId {
  readonly connector: string;
  readonly task: number;
}

export interface Status {
  readonly state: State;
  /** Where it runs, as `host:port` of a worker's REST API. */
  readonly workerId: string;
  /** Why it failed: message and stack; null: it has not. */
  readonly trace: string | null;
}

/** Hears what becomes of connectors and tasks on a worker; in order for each. */
export interface StatusListener {
  connector(name: string, status: Omit<Status, "workerId">): void;
  task(id: TaskId, status: Omit<Status, "workerId">): void;
  /** The connector wants its tasks' configs asked for again. */
  changed(name: string): void;
  /** A task used a topic for the first time (KIP-558). */
  topic(connector: string, topic: string, task: number): void;
  /** A source has come to its end: nothing follows, and all is safe. */
  finished?(id: TaskId): void;
}
