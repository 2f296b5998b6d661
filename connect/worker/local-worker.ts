/** Runs connectors and tasks in this thread. */
import { Admin } from "../../client/admin.ts";
import { isRetriableError, TimeoutError } from "../../client/errors.ts";
import { rejectIfAborted } from "../../core/unless-aborted.ts";
import { CONNECTOR_FIELDS, SOURCE_FIELDS } from "../config/connector-fields.ts";
import { ConfigError, parseConfig } from "../config/parse.ts";
import type { ConfigProblem, RawConfig } from "../config/parse.ts";
import { resolveSecrets } from "../config/secrets.ts";
import { KnownSecrets } from "../config/known-secrets.ts";
import type { SecretSources } from "../config/secrets.ts";
import { RetriableError } from "../connector.ts";
import type { ConnectorDefinition } from "../connector.ts";
import { openOwnOffsets } from "../offsets/open-topic-offsets.ts";
import type { OffsetStore } from "../offsets/offset-store.ts";
import type { Plugins } from "../plugins/plugins.ts";
import { messageOf } from "../runtime/error-policy.ts";
import type { Pipeline } from "../runtime/pipeline.ts";
import type { TaskWorld } from "../runtime/task-world.ts";
import { taskClock } from "../runtime/task-world.ts";
import { dynamicPart } from "../config/dynamic-keys.ts";
import { traceOf } from "./trace-of.ts";
import { checkConfig } from "./config-problems.ts";
import { prepareTask } from "./prepare-task.ts";
import { alterSinkOffsets, readSinkOffsets } from "./sink-offsets.ts";
import { makeTask, sinkGroup } from "./task-factory.ts";
import { TaskSlot } from "./task-slot.ts";
import type { StatusListener, TargetState, TaskId } from "./status.ts";
import type { ConnectorOffset, TaskSpec, Worker } from "./worker.ts";

/** What a worker is made of. */
export interface LocalWorkerOptions {
  readonly world: TaskWorld;
  readonly plugins: Plugins;
  readonly secrets: SecretSources;
  /** Throws `ConfigError`. */
  readonly pipelineOf: (raw: RawConfig) => Pipeline;
  readonly listener: StatusListener;
  /** `validate` does not ask targets whether they are there. */
  readonly isOffline?: boolean;
}

/** How long a target is asked whether it is there. */
const PROBE_MS = 10_000;

const OWN_OFFSETS = "offsets.storage.topic";

/** A connector with what its definition makes of its config. */
interface ParsedConnector {
  readonly definition: ConnectorDefinition;
  readonly config: Readonly<Record<string, unknown>>;
  readonly dynamic: RawConfig;
}

/** A connector itself, its watch. */
interface ConnectorSlot {
  readonly stop: AbortController;
  watching: Promise<void>;
}

/** See the head of the file. */
export class LocalWorker implements Worker {
  readonly #options: LocalWorkerOptions;
  readonly #secrets: KnownSecrets;
  readonly #connectors = new Map<string, ConnectorSlot>();
  readonly #tasks = new Map<string, TaskSlot>();

  constructor(options: LocalWorkerOptions) {
    const secrets = this.#secrets = new KnownSecrets(options.secrets);
    const { world, listener } = options;
    this.#options = {
      ...options,
      secrets,
      world: { ...world, log: secrets.logger(world.log), hidden: (text) => secrets.hidden(text) },
      listener: {
        ...listenerOf(listener),
        connector: (name, status) => listener.connector(name, hiddenStatus(secrets, status)),
        task: (id, status) => listener.task(id, hiddenStatus(secrets, status)),
      },
    };
  }

  async startConnector(name: string, raw: RawConfig, target: TargetState): Promise<void> {
    const { listener } = this.#options;
    try {
      const parsed = await this.#parse(raw);
      const slot: ConnectorSlot = { stop: new AbortController(), watching: Promise.resolve() };
      this.#connectors.set(name, slot);
      if (target !== "STOPPED") this.#watch(name, slot, parsed);
      listener.connector(name, { state: target === "STARTED" ? "RUNNING" : target, trace: null });
    } catch (error) {
      listener.connector(name, { state: "FAILED", trace: traceOf(error) });
    }
  }

  #watch(
    name: string,
    slot: ConnectorSlot,
    { definition, config, dynamic }: ParsedConnector,
  ): void {
    const { world, listener } = this.#options;
    const watching = definition.watch?.(config, () => listener.changed(name), {
      config,
      dynamic,
      connector: name,
      task: -1,
      signal: slot.stop.signal,
      clock: taskClock(world.io.clock),
      log: world.log.with({ connector: name }),
      gauge: () => {},
      cluster: world.client,
    });
    if (watching === undefined) return;
    slot.watching = watching.catch((error: unknown) => {
      if (slot.stop.signal.aborted) return;
      listener.connector(name, { state: "FAILED", trace: traceOf(error) });
    });
  }

  async stopConnector(name: string): Promise<void> {
    const slot = this.#connectors.get(name);
    if (slot === undefined) return;
    this.#connectors.delete(name);
    slot.stop.abort();
    await slot.watching;
  }

  async taskConfigs(_name: string, raw: RawConfig): Promise<RawConfig[]> {
    try {
      return await this.#taskConfigs(raw);
    } catch (error) {
      throw this.#secrets.hiddenError(error);
    }
  }

  async #taskConfigs(raw: RawConfig): Promise<RawConfig[]> {
    const { definition, config } = await this.#parse(raw);
    const max = parseConfig(CONNECTOR_FIELDS, raw)["tasks.max"];
    if (definition.tasks === undefined) {
      return Array.from({ length: definition.kind === "source" ? 1 : max }, () => raw);
    }
    const tasks = await this.#briefly((signal) => {
      // What a connector puts into its tasks' configs is stored: references stay references.
      return Promise.resolve(definition.tasks!(config, raw, max, signal));
    });
    if (tasks.length > max && parseConfig(CONNECTOR_FIELDS, raw)["tasks.max.enforce"]) {
      const message = `the connector makes ${tasks.length} tasks, and "tasks.max" is ${max}`;
      throw new ConfigError([{ field: "tasks.max", message }]);
    }
    return tasks;
  }

  startTask(spec: TaskSpec, target: TargetState): void {
    const { listener, world } = this.#options;
    const key = keyOf(spec.id);
    if (target === "STOPPED") return;
    const onTopic = (topic: string) => listener.topic(spec.id.connector, topic, spec.id.task);
    const make = async () => {
      const definition = await this.#definition(spec.connectorConfig);
      const { secrets, pipelineOf } = this.#options;
      const prepared = prepareTask(spec, definition, secrets, pipelineOf);
      return await makeTask(world, prepared, onTopic);
    };
    const log = world.log.with({ connector: spec.id.connector, task: spec.id.task });
    this.#tasks.set(
      key,
      new TaskSlot(make, target, {
        state: (state, failure) => {
          if (state === "FAILED") log.error("the task has failed", { error: messageOf(failure) });
          listener.task(spec.id, { state, trace: state === "FAILED" ? traceOf(failure) : null });
        },
        finished: () => {
          log.info("the source has nothing more to read");
          listener.finished?.(spec.id);
        },
      }),
    );
  }

  async stopTask(id: TaskId): Promise<void> {
    const slot = this.#tasks.get(keyOf(id));
    if (slot === undefined) return;
    this.#tasks.delete(keyOf(id));
    const { io, settings } = this.#options.world;
    await slot.stop(io.clock, settings.taskShutdownTimeoutMs);
  }

  setTarget(name: string, target: TargetState): void {
    const state = target === "STARTED" ? "RUNNING" : target;
    if (this.#connectors.has(name)) {
      this.#options.listener.connector(name, { state, trace: null });
    }
    for (const [key, slot] of this.#tasks) if (isTaskOf(key, name)) slot.setTarget(target);
  }

  async validate(raw: RawConfig): Promise<readonly ConfigProblem[]> {
    return this.#secrets.hiddenProblems(await this.#validate(raw));
  }

  async #validate(raw: RawConfig): Promise<readonly ConfigProblem[]> {
    try {
      const definition = await this.#definition(raw);
      const { config, dynamic, problems } = checkConfig(definition, raw, this.#options);
      if (config === null || problems.length > 0 || this.#options.isOffline === true) {
        return problems;
      }
      return await this.#probed(definition, config, dynamic);
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      return [{ field: "connector.class", message: messageOf(error) }];
    }
  }

  async #probed(
    definition: ConnectorDefinition,
    config: Readonly<Record<string, unknown>>,
    dynamic: RawConfig,
  ): Promise<ConfigProblem[]> {
    try {
      await this.#briefly((signal) =>
        definition.probe?.(config, signal, dynamic) ?? Promise.resolve()
      );
      return [];
    } catch (error) {
      if (error instanceof ConfigError || !isPassing(error)) throw error;
      return [{ field: "connector.class", message: messageOf(error), isPassing: true }];
    }
  }

  async offsets(name: string, raw: RawConfig): Promise<ConnectorOffset[]> {
    const groupId = await this.#sinkGroupId(name, raw);
    if (groupId === null) return await this.#withOffsets(raw, (store) => store.list(name));
    return await this.#withAdmin((admin) => readSinkOffsets(admin, groupId));
  }

  async alterOffsets(
    name: string,
    raw: RawConfig,
    offsets: readonly ConnectorOffset[],
  ): Promise<void> {
    const groupId = await this.#sinkGroupId(name, raw);
    if (groupId !== null) {
      return await this.#withAdmin((admin) => alterSinkOffsets(admin, groupId, offsets));
    }
    const definition = await this.#definition(raw);
    await this.#withOffsets(raw, async (store) => {
      const all = offsets.length > 0
        ? offsets
        : (await store.list(name)).map(({ partition }) => ({ partition, offset: null }));
      if (definition.kind === "source") definition.checkOffsets?.(all);
      await store.set(name, all);
    });
  }

  /** A text without what references to secrets stand for here. */
  hidden(text: string): string {
    return this.#secrets.hidden(text);
  }

  figures(id: TaskId): Readonly<Record<string, number>> {
    return this.#tasks.get(keyOf(id))?.figures() ?? {};
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connectors.keys()].map((name) => this.stopConnector(name)));
    const { io, settings } = this.#options.world;
    const slots = [...this.#tasks.values()];
    this.#tasks.clear();
    await Promise.all(slots.map((slot) => slot.stop(io.clock, settings.taskShutdownTimeoutMs)));
    await this.#options.world.offsets.close();
  }

  async #definition(raw: RawConfig): Promise<ConnectorDefinition> {
    const name = raw["connector.class"];
    if (name !== undefined) return await this.#options.plugins.load(name);
    const message = '"connector.class" is missing: which connector it is';
    throw new ConfigError([{ field: "connector.class", message }]);
  }

  async #parse(raw: RawConfig): Promise<ParsedConnector> {
    const definition = await this.#definition(raw);
    const resolved = resolveSecrets(raw, this.#options.secrets);
    const config = parseConfig(definition.config, resolved);
    const dynamic = dynamicPart(resolved, definition.dynamicKeys ?? []);
    const problems = definition.check?.(config, dynamic) ?? [];
    if (problems.length > 0) throw new ConfigError(problems);
    return { definition, config, dynamic };
  }

  /** Null: it is a source. */
  async #sinkGroupId(name: string, raw: RawConfig): Promise<string | null> {
    const definition = await this.#definition(raw);
    if (definition.kind === "source") return null;
    return sinkGroup(name, resolveSecrets(raw, this.#options.secrets)).groupId;
  }

  /** The store of a source's offsets, which may have a topic of its own. */
  async #withOffsets<T>(raw: RawConfig, body: (store: OffsetStore) => Promise<T>): Promise<T> {
    const { world, secrets } = this.#options;
    const { [OWN_OFFSETS]: given } = raw;
    const asked = resolveSecrets(given === undefined ? {} : { [OWN_OFFSETS]: given }, secrets);
    const { [OWN_OFFSETS]: field } = SOURCE_FIELDS;
    const { [OWN_OFFSETS]: topic } = parseConfig({ [OWN_OFFSETS]: field }, asked);
    const own = await openOwnOffsets(world, topic);
    try {
      return await body(own ?? world.offsets);
    } finally {
      await own?.close();
    }
  }

  async #withAdmin<T>(body: (admin: Admin) => Promise<T>): Promise<T> {
    const { io, client } = this.#options.world;
    const admin = new Admin(io, client);
    try {
      return await body(admin);
    } finally {
      admin.close();
    }
  }

  async #briefly<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const enough = new AbortController();
    const why = new RetriableError(`no answer within ${PROBE_MS / 1000} s`);
    const timer = this.#options.world.io.clock.setTimer(PROBE_MS, () => enough.abort(why));
    try {
      return await rejectIfAborted(body(enough.signal), enough.signal);
    } finally {
      timer.cancel();
    }
  }
}

/** Whether what was asked may answer another time. */
function isPassing(error: unknown): boolean {
  return error instanceof RetriableError || error instanceof TimeoutError ||
    isRetriableError(error);
}

function keyOf({ connector, task }: TaskId): string {
  return `${task} ${connector}`;
}

function isTaskOf(key: string, connector: string): boolean {
  return key.slice(key.indexOf(" ") + 1) === connector;
}

function hiddenStatus<S extends { readonly trace: string | null }>(
  secrets: KnownSecrets,
  status: S,
): S {
  return { ...status, trace: status.trace === null ? null : secrets.hidden(status.trace) };
}

/** What a listener has besides states, bound to it. */
function listenerOf(listener: StatusListener): Omit<StatusListener, "connector" | "task"> {
  return {
    changed: (name) => listener.changed(name),
    topic: (connector, topic, task) => listener.topic(connector, topic, task),
    finished: (id) => listener.finished?.(id),
  };
}
