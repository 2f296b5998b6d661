/**
 * Makes a worker run what it has been given, as the config topic wants it: for each piece of work, a
 * connector or a task, an actor of its own that goes from what is to what should be, one step after
 * the other. So a connector that takes long to stop holds up no other, and however fast configs change,
 * each step begins where the last one has ended.
 */
import { type Deferred, deferred } from "../../core/deferred.ts";
import { connectorWork, parseWork, taskWork, type Work } from "../group/work.ts";
import type { RawConfig } from "../config/parse.ts";
import type { TargetState, TaskId } from "../worker/status.ts";
import type { Worker } from "../worker/worker.ts";
import type { ConfigState } from "./config-state.ts";

/** What a piece of work is or should be. */
interface Shape {
  /** Of the record that it is made of: another one means to begin anew. */
  readonly version: bigint;
  readonly target: TargetState;
}

interface Actor {
  actual: Shape | null;
  /** Somebody wants it begun again. */
  isToRestart: boolean;
  isBusy: boolean;
  /** Those who wait until there is nothing left to do. */
  idle: Deferred<void> | null;
}

export interface RunnerHooks {
  /** Before anything of a connector is begun here: what it is made of is loaded. Never rejects. */
  prepare(config: RawConfig): Promise<void>;
  /** The connector itself has been begun, or is wanted again: its tasks' configs may be others now. */
  connectorStarted(name: string): void;
  /** Before the first record of a task; see `TaskSpec`. */
  fence(id: TaskId, version: bigint): Promise<void>;
  /** A piece of work failed in a way that it should not have. */
  broken(work: Work, error: unknown): void;
  /** It does not run here any more; it is about to be begun again if somebody wanted so. */
  ended(work: Work, isRestart: boolean): void;
}

/** See the head of the file. */
export class WorkRunner {
  readonly #actors = new Map<Work, Actor>();
  #assigned: ReadonlySet<Work> = new Set();

  constructor(
    private readonly worker: Worker,
    private readonly state: ConfigState,
    private readonly hooks: RunnerHooks,
  ) {}

  /** All that runs here or has not quite ended, or will begin. */
  get held(): readonly Work[] {
    const running = [...this.#actors].filter(([, { actual, isBusy }]) => actual !== null || isBusy);
    return [...new Set([...running.map(([work]) => work), ...this.#assigned])];
  }

  isAssigned(work: Work): boolean {
    return this.#assigned.has(work);
  }

  /** From now on this is what should run here. */
  assign(work: readonly Work[]): void {
    const before = this.#assigned;
    this.#assigned = new Set(work);
    for (const piece of new Set([...before, ...work])) this.#pump(piece);
  }

  /** The config topic says something else of a connector. */
  changed(connector: string): void {
    for (const piece of new Set([...this.#assigned, ...this.#actors.keys()])) {
      if (connectorOf(piece) === connector) this.#pump(piece);
    }
  }

  /** Begins it again, if it should run here. */
  restart(work: Work): void {
    if (!this.#assigned.has(work)) return;
    this.#actorOf(work).isToRestart = true;
    this.#pump(work);
  }

  /** Resolves when nothing of it runs here; it must not be assigned any more. */
  async ended(work: readonly Work[]): Promise<void> {
    await Promise.all(work.map(async (piece) => {
      const actor = this.#actors.get(piece);
      if (actor === undefined || !actor.isBusy) return;
      actor.idle ??= deferred();
      await actor.idle.promise;
    }));
  }

  /** Ends all. */
  async endAll(): Promise<void> {
    this.assign([]);
    await this.ended([...this.#actors.keys()]);
  }

  #actorOf(work: Work): Actor {
    const known = this.#actors.get(work);
    if (known !== undefined) return known;
    const actor = { actual: null, isToRestart: false, isBusy: false, idle: null };
    this.#actors.set(work, actor);
    return actor;
  }

  #pump(work: Work): void {
    const actor = this.#actorOf(work);
    if (actor.isBusy) return;
    actor.isBusy = true;
    void this.#run(work, actor);
  }

  async #run(work: Work, actor: Actor): Promise<void> {
    try {
      while (await this.#step(work, actor));
    } catch (error) {
      this.hooks.broken(work, error);
    }
    actor.isBusy = false;
    if (actor.actual === null && !this.#assigned.has(work)) this.#actors.delete(work);
    actor.idle?.resolve();
    actor.idle = null;
  }

  /** False: all is as it should be. */
  async #step(work: Work, actor: Actor): Promise<boolean> {
    const should = this.#should(work);
    const { actual } = actor;
    if (actual !== null && (should === null || actor.isToRestart || isOther(actual, should))) {
      await this.#end(work);
      actor.actual = null;
      this.hooks.ended(work, should !== null && actor.isToRestart);
      return true;
    }
    actor.isToRestart = false;
    if (should === null) return false;
    if (actual === null) {
      await this.#begin(work, should);
      actor.actual = should;
      return true;
    }
    if (actual.target === should.target) return false;
    const parsed = parseWork(work);
    if (parsed === null) return false;
    const name = "connector" in parsed ? parsed.connector : parsed.task.connector;
    this.worker.setTarget(name, should.target);
    actor.actual = should;
    if ("connector" in parsed && should.target === "STARTED") this.hooks.connectorStarted(name);
    return true;
  }

  #should(work: Work): Shape | null {
    const parsed = parseWork(work);
    if (parsed === null || !this.#assigned.has(work)) return null;
    const name = "connector" in parsed ? parsed.connector : parsed.task.connector;
    const entry = this.state.connector(name);
    if (entry === null) return null;
    const { target } = entry;
    if ("connector" in parsed) return { version: entry.version, target };
    if (target === "STOPPED" || parsed.task.task >= entry.tasks.length) return null;
    return { version: entry.tasksVersion, target };
  }

  async #begin(work: Work, { target, version }: Shape): Promise<void> {
    const parsed = parseWork(work);
    if (parsed === null) return;
    if ("connector" in parsed) {
      const { connector } = parsed;
      const entry = this.state.connector(connector);
      if (entry === null) return;
      await this.hooks.prepare(entry.config);
      await this.worker.startConnector(connector, entry.config, target);
      if (target === "STARTED") this.hooks.connectorStarted(connector);
      return;
    }
    const id = parsed.task;
    const entry = this.state.connector(id.connector);
    const taskConfig = this.state.task(id);
    if (entry === null || taskConfig === null) return;
    // What the task's config was made of: a newer one brings tasks' configs of its own, soon.
    const connectorConfig = entry.applied ?? entry.config;
    await this.hooks.prepare(connectorConfig);
    const fence = () => this.hooks.fence(id, version);
    this.worker.startTask({ id, connectorConfig, taskConfig, fence }, target);
  }

  async #end(work: Work): Promise<void> {
    const parsed = parseWork(work);
    if (parsed === null) return;
    if ("connector" in parsed) await this.worker.stopConnector(parsed.connector);
    else await this.worker.stopTask(parsed.task);
  }
}

/** Whether what runs has to end before what should run can begin. */
function isOther(actual: Shape, should: Shape): boolean {
  const isStopped = ({ target }: Shape) => target === "STOPPED";
  return actual.version !== should.version || isStopped(actual) !== isStopped(should);
}

function connectorOf(work: Work): string | null {
  const parsed = parseWork(work);
  if (parsed === null) return null;
  return "connector" in parsed ? parsed.connector : parsed.task.connector;
}

/** All that there is to do: every connector, and the tasks of those that are to have some. */
export function allWork(state: ConfigState): Work[] {
  return state.connectors.flatMap((name) => {
    const entry = state.connector(name);
    const count = entry === null || entry.target === "STOPPED" ? 0 : entry.tasks.length;
    const tasks = Array.from({ length: count }, (_, task) => taskWork({ connector: name, task }));
    return [connectorWork(name), ...tasks];
  });
}
