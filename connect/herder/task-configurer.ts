/**
 * Asks connectors of this worker for the configs of their tasks and has the leader write them where
 * they are others than before; again with growing pauses where that fails.
 */
import type { Clock } from "../../core/io.ts";
import { sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { RawConfig } from "../config/parse.ts";
import type { Worker } from "../worker/worker.ts";
import { type ConfigState, type ConnectorEntry, sameConfig } from "./config-state.ts";

const BACKOFF_MS = 250;
const BACKOFF_MAX_MS = 60_000;

export interface TaskConfigurerOptions {
  readonly clock: Clock;
  readonly state: ConfigState;
  readonly worker: Worker;
  readonly logger: Logger;
  /** Whether the connector itself is on this worker. */
  readonly isHere: (connector: string) => boolean;
  readonly write: (connector: string, configs: readonly RawConfig[]) => Promise<void>;
  /** The connector cannot say what its tasks are. */
  readonly failed: (connector: string, error: unknown) => void;
  /** It can again. */
  readonly healed: (connector: string) => void;
}

interface Asking {
  /** Another time, since something has changed. */
  isAgain: boolean;
  readonly stop: AbortController;
}

/** See the head of the file. */
export class TaskConfigurer {
  readonly #options: TaskConfigurerOptions;
  readonly #asking = new Map<string, Asking>();

  constructor(options: TaskConfigurerOptions) {
    this.#options = options;
  }

  /** Asks it, soon; while it is being asked already, once more then. */
  ask(connector: string): void {
    const known = this.#asking.get(connector);
    if (known !== undefined) {
      known.isAgain = true;
      return;
    }
    const asking = { isAgain: false, stop: new AbortController() };
    this.#asking.set(connector, asking);
    void this.#run(connector, asking).finally(() => this.#asking.delete(connector));
  }

  close(): void {
    for (const { stop } of this.#asking.values()) stop.abort();
  }

  async #run(connector: string, asking: Asking): Promise<void> {
    const { clock, isHere } = this.#options;
    let failures = 0;
    do {
      asking.isAgain = false;
      const isDone = await this.#once(connector, failures > 0);
      failures = isDone ? 0 : failures + 1;
      if (isDone) continue;
      const pauseMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** (failures - 1));
      await sleep(clock, pauseMs, asking.stop.signal).catch(() => {});
    } while (
      (asking.isAgain || failures > 0) && !asking.stop.signal.aborted && isHere(connector)
    );
  }

  /** Whether there is no need to try again. */
  async #once(connector: string, hasFailed: boolean): Promise<boolean> {
    const { state, worker, write, failed, healed, logger } = this.#options;
    const entry = state.connector(connector);
    if (entry === null || entry.target !== "STARTED") return true;
    let configs: RawConfig[];
    try {
      configs = withReferences(entry.config, await worker.taskConfigs(connector, entry.config));
    } catch (error) {
      failed(connector, error);
      return false;
    }
    try {
      if (!areSame(entry, configs)) await write(connector, configs);
    } catch (error) {
      logger.warn("configs of tasks cannot be written yet", { connector, why: String(error) });
      return false;
    }
    if (hasFailed) healed(connector);
    return true;
  }
}

function areSame(entry: ConnectorEntry, configs: readonly RawConfig[]): boolean {
  return !entry.isInconsistent && sameConfig(entry.applied, entry.config) &&
    configs.length === entry.tasks.length &&
    configs.every((config, task) => sameConfig(config, entry.tasks[task] ?? null));
}

/**
 * With `${…}` again where the connector's own config has it, whatever a connector has made of it: what
 * is written is read by others.
 */
function withReferences(config: RawConfig, tasks: readonly RawConfig[]): RawConfig[] {
  const references = Object.entries(config).filter(([, value]) => value.includes("${"));
  return tasks.map((task) => {
    const hidden = references.filter(([key]) => Object.hasOwn(task, key));
    return { ...task, ...Object.fromEntries(hidden) };
  });
}
