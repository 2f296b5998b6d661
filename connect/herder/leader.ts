/**
 * What the leader of a group alone does: it writes configs, one change after the other, so that each
 * sees what the one before has made of it; and it fences tasks of before (Connect's `DistributedHerder`
 * in its part of the leader).
 */
import { Mutex } from "../../core/mutex.ts";
import type { RawConfig } from "../config/parse.ts";
import type { TargetState } from "../worker/status.ts";
import type { ConnectorOffset, Worker } from "../worker/worker.ts";
import type { ConfigRecord, RestartRequest, SessionKey } from "./config-records.ts";
import type { ConfigStore } from "./config-store.ts";
import { badRequest, conflict, HerderError, notFound } from "./errors.ts";
import type { ConnectorType } from "./herder.ts";

export interface LeaderOptions {
  readonly configs: ConfigStore;
  readonly worker: Worker;
  readonly typeOf: (config: RawConfig) => ConnectorType;
  /** Ends what producers of these transactional ids have begun, and fences them. */
  readonly fenceProducers: (transactionalIds: readonly string[]) => Promise<void>;
  /** Of a source's task, with exactly-once sources. */
  readonly transactionalId: (connector: string, task: number) => string;
  /** A write has failed: perhaps this is not the leader any more. */
  readonly writeFailed: () => void;
}

/** See the head of the file. */
export class Leader {
  readonly #options: LeaderOptions;
  readonly #turn = new Mutex();

  constructor(options: LeaderOptions) {
    this.#options = options;
  }

  /** Takes over from the leader of before. */
  async begin(): Promise<void> {
    await this.#alone(() => this.#options.configs.claim());
  }

  /** Writes a config that has been validated; whether there was none of this name. */
  async putConfig(
    name: string,
    config: RawConfig,
    mayReplace: boolean,
    initialState: TargetState | null,
  ): Promise<boolean> {
    return await this.#alone(async () => {
      const isThere = this.#find(name) !== null;
      if (isThere && !mayReplace) throw conflict(`Connector ${name} already exists`);
      const target: ConfigRecord[] = initialState === null
        ? []
        : [{ type: "target", name, state: initialState }];
      await this.#write([...target, { type: "connector", name, config }]);
      return !isThere;
    });
  }

  async delete(name: string): Promise<void> {
    await this.#alone(async () => {
      this.#need(name);
      await this.#write([
        { type: "connector", name, config: null },
        { type: "target", name, state: null },
      ]);
    });
  }

  async putTaskConfigs(connector: string, configs: readonly RawConfig[]): Promise<void> {
    await this.#alone(async () => {
      const { target } = this.#need(connector);
      if (target === "STOPPED" && configs.length > 0) {
        throw badRequest(
          `Cannot submit non-empty set of task configs for stopped connector ${connector}`,
        );
      }
      await this.#write(taskRecords(connector, configs));
    });
  }

  /** Tasks first: if the second write never comes, the connector just makes its tasks again. */
  async stop(name: string): Promise<void> {
    await this.#alone(async () => {
      this.#need(name, `Unknown connector ${name}`);
      await this.#write([...taskRecords(name, []), { type: "target", name, state: "STOPPED" }]);
    });
  }

  async restart(request: RestartRequest): Promise<void> {
    await this.#alone(() => this.#write([{ type: "restart", request }]));
  }

  async putSessionKey(key: SessionKey): Promise<void> {
    await this.#alone(() => this.#write([{ type: "session-key", key }]));
  }

  async fence(connector: string): Promise<void> {
    await this.#alone(() => this.#fence(connector));
  }

  /** Sets or forgets offsets of a stopped connector. */
  async alterOffsets(name: string, offsets: readonly ConnectorOffset[]): Promise<void> {
    const { configs, worker } = this.#options;
    await this.#alone(async () => {
      await configs.readToEnd();
      const { config, target, tasks } = this.#need(name);
      if (target !== "STOPPED" || tasks.length > 0) {
        throw badRequest(
          "Connectors must be in the STOPPED state before their offsets can be modified. This can " +
            "be done for the specified connector by issuing a 'PUT' request to the " +
            `'/connectors/${name}/stop' endpoint`,
        );
      }
      if (isExactlyOnce(config)) await this.#fenceAll(name);
      await worker.alterOffsets(name, config, offsets);
    });
  }

  async #fence(connector: string): Promise<void> {
    const { configs, typeOf } = this.#options;
    const entry = this.#need(connector);
    if (typeOf(entry.config) !== "source") {
      throw badRequest(`Connector ${connector} is not a source connector`);
    }
    await configs.readToEnd();
    const now = this.#need(connector);
    if (!isExactlyOnce(now.config) || !now.needsFencing) return;
    // A task alone, before and now, is fenced by the one that follows it under the same id.
    const before = configs.state.fencedTasks(connector);
    if (!(before === 1 && now.tasks.length === 1)) await this.#fenceAll(connector);
    await this.#write([{ type: "fencing", name: connector, tasks: now.tasks.length }]);
  }

  /** All that may ever have written since the last time. */
  async #fenceAll(connector: string): Promise<void> {
    const { configs, fenceProducers, transactionalId } = this.#options;
    const count = configs.state.fencedTasks(connector);
    const ids = Array.from({ length: count }, (_, task) => transactionalId(connector, task));
    if (ids.length > 0) await fenceProducers(ids);
  }

  #find(name: string) {
    return this.#options.configs.state.connector(name);
  }

  #need(name: string, message = `Connector ${name} not found`) {
    const entry = this.#find(name);
    if (entry === null) throw notFound(message);
    return entry;
  }

  async #write(records: readonly ConfigRecord[]): Promise<void> {
    try {
      await this.#options.configs.writeAsLeader(records);
    } catch (error) {
      this.#options.writeFailed();
      throw new HerderError(
        500,
        "Failed to write to config topic; this may be due to a transient error and the request can " +
          "be safely retried",
        { cause: error },
      );
    }
  }

  async #alone<T>(body: () => Promise<T>): Promise<T> {
    return await this.#turn.run(body);
  }
}

/** Whether a source's tasks write in transactions, and so have to be fenced. */
export function isExactlyOnce(config: RawConfig): boolean {
  return config["exactly.once.support"]?.trim().toLowerCase() === "required";
}

function taskRecords(connector: string, configs: readonly RawConfig[]): ConfigRecord[] {
  const tasks = configs.map((config, task): ConfigRecord => {
    return { type: "task", id: { connector, task }, config };
  });
  return [...tasks, { type: "commit", name: connector, tasks: configs.length }];
}
