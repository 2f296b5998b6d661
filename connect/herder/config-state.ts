/**
 * What connectors and tasks there are and what is wanted of them: the fold of the config topic
 * (Connect's `ClusterConfigState`). Configs stand as they were written: no secret is resolved.
 */
import type { RawConfig } from "../config/parse.ts";
import type { TargetState, TaskId } from "../worker/status.ts";
import type { ConfigRecord, SessionKey } from "./config-records.ts";

/** A connector as the group has it. */
export interface ConnectorEntry {
  readonly config: RawConfig;
  readonly target: TargetState;
  /** The record that brought the config. */
  readonly version: bigint;
  /** In order of task; of the last commit that was whole. */
  readonly tasks: readonly RawConfig[];
  /** The record that brought the tasks' configs; −1: there was none yet. */
  readonly tasksVersion: bigint;
  /** The config that the tasks' configs were made of; null: there are none. */
  readonly applied: RawConfig | null;
  /** Compaction has taken some of the tasks' configs: the connector has to be asked again. */
  readonly isInconsistent: boolean;
  /** Tasks of before may still write: they have to be fenced before those of now (KIP-618). */
  readonly needsFencing: boolean;
}

interface Deferred {
  readonly configs: Map<number, RawConfig>;
}

/** See the head of the file. */
export class ConfigState {
  readonly #connectors = new Map<string, ConnectorEntry>();
  readonly #targets = new Map<string, TargetState>();
  readonly #deferred = new Map<string, Deferred>();
  /** How many tasks of a connector may have written since it was last fenced; outlives deletion. */
  readonly #fenced = new Map<string, number>();
  readonly #loggers = new Map<string, string>();
  #sessionKey: SessionKey | null = null;

  /** Names, in their order of creation as far as the topic still tells. */
  get connectors(): readonly string[] {
    return [...this.#connectors.keys()];
  }

  get sessionKey(): SessionKey | null {
    return this.#sessionKey;
  }

  /** Levels that were set for all workers. */
  get loggers(): ReadonlyMap<string, string> {
    return this.#loggers;
  }

  connector(name: string): ConnectorEntry | null {
    return this.#connectors.get(name) ?? null;
  }

  task({ connector, task }: TaskId): RawConfig | null {
    return this.connector(connector)?.tasks[task] ?? null;
  }

  /** How many tasks have to be fenced before those of now may begin; 0: none has ever begun. */
  fencedTasks(connector: string): number {
    return this.#fenced.get(connector) ?? 0;
  }

  /** Takes in a record; the connector whose entry it has changed, or null. */
  apply(record: ConfigRecord, offset: bigint): string | null {
    switch (record.type) {
      case "connector":
        return this.#applyConnector(record.name, record.config, offset);
      case "target":
        return this.#applyTarget(record.name, record.state);
      case "task": {
        const { connector, task } = record.id;
        const deferred = this.#deferred.get(connector) ?? { configs: new Map<number, RawConfig>() };
        this.#deferred.set(connector, deferred);
        deferred.configs.set(task, record.config);
        return null;
      }
      case "commit":
        return this.#applyCommit(record.name, record.tasks, offset);
      case "fencing":
        this.#fenced.set(record.name, record.tasks);
        return this.#change(record.name, { needsFencing: false });
      case "logger":
        this.#loggers.set(record.name, record.level);
        return null;
      case "session-key":
        this.#sessionKey = record.key;
        return null;
      case "restart":
        return null;
      default:
        return record satisfies never;
    }
  }

  #applyConnector(name: string, config: RawConfig | null, version: bigint): string | null {
    if (config === null) {
      this.#deferred.delete(name);
      return this.#connectors.delete(name) ? name : null;
    }
    const known = this.#connectors.get(name);
    this.#connectors.set(name, {
      tasks: [],
      tasksVersion: -1n,
      applied: null,
      isInconsistent: false,
      needsFencing: false,
      ...known,
      config,
      version,
      target: this.#targets.get(name) ?? "STARTED",
    });
    return name;
  }

  #applyTarget(name: string, state: TargetState | null): string | null {
    if (state === null) this.#targets.delete(name);
    else this.#targets.set(name, state);
    const target = state ?? "STARTED";
    if (this.#connectors.get(name)?.target === target) return null;
    return this.#change(name, { target });
  }

  #applyCommit(name: string, count: number, offset: bigint): string | null {
    const deferred = this.#deferred.get(name);
    this.#deferred.delete(name);
    const known = this.#connectors.get(name);
    // Compaction may have removed a deleted connector, and have left configs of its tasks.
    if (known === undefined) return null;
    const tasks: RawConfig[] = [];
    for (let task = 0; task < count; task++) {
      const config = deferred?.configs.get(task);
      if (config === undefined) return this.#change(name, { isInconsistent: true });
      tasks.push(config);
    }
    return this.#change(name, {
      tasks,
      tasksVersion: offset,
      applied: known.config,
      isInconsistent: false,
      needsFencing: count > 0,
    });
  }

  #change(name: string, change: Partial<ConnectorEntry>): string | null {
    const known = this.#connectors.get(name);
    if (known === undefined) return null;
    this.#connectors.set(name, { ...known, ...change });
    return name;
  }
}

/** Whether two configs say the same. */
export function sameConfig(a: RawConfig | null, b: RawConfig | null): boolean {
  if (a === null || b === null) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}
