/** A worker whose connectors and tasks are in a host: it asks, hears, and looks that the host lives. */
import type { Timer } from "../../core/io.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";
import type { ConfigProblem, RawConfig } from "../config/parse.ts";
import type { TaskWorld } from "../runtime/task-world.ts";
import { messageOf } from "../runtime/error-policy.ts";
import type { State, StatusListener, TargetState, TaskId } from "../worker/status.ts";
import type { ConnectorOffset, TaskSpec, Worker } from "../worker/worker.ts";
import { writeTold } from "./host-log.ts";
import type { Host, HostSetup, OpenHost } from "./host.ts";
import { offsetHandlers, storedOf } from "./remote-offsets.ts";
import { type Handler, problemOf, Rpc } from "./rpc.ts";
import { configOf, Said, UnreadableError } from "./said.ts";

export interface HostedWorkerOptions {
  readonly open: OpenHost;
  readonly setup: HostSetup;
  readonly stallMs: number;
  readonly world: Pick<TaskWorld, "io" | "offsets" | "log">;
  readonly listener: StatusListener;
}

/** A host is asked whether it is there so often, or four times in its lease. */
const PING_MS = 1000;
/** How long a host that was told to end has for that, beyond what its tasks may take. */
const EXIT_MS = 2000;
const SILENT_MS = 5000;

const STATES: readonly State[] = ["RUNNING", "PAUSED", "STOPPED", "FAILED"];

/** See the head of the file. It begins its host at once. */
export class HostedWorker implements Worker {
  readonly #options: HostedWorkerOptions;
  readonly #host: Host;
  readonly #rpc: Rpc;
  readonly #connectors = new Set<string>();
  readonly #tasks = new Map<string, TaskSpec>();
  readonly #figures = new Map<string, Readonly<Record<string, number>>>();
  #ping: Timer | null = null;
  #heardMs: number;
  #isOver = false;
  /** Of something in it that are under way. */
  #endings = 0;
  /** Resolves when nothing of the host runs any more. */
  readonly ended: Promise<void>;

  constructor(options: HostedWorkerOptions) {
    this.#options = options;
    const { clock } = options.world.io;
    this.#heardMs = clock.monotonicMs();
    this.#host = options.open({
      message: (message) => this.#take(message),
      line: (line) => this.#said(line),
    });
    this.#rpc = new Rpc((message) => this.#host.send(message), this.#handlers());
    this.#rpc.tell("begin", options.setup);
    this.ended = this.#host.ended.then((how) => this.#gone(how));
    this.#look();
  }

  /** How many tasks there are. */
  get size(): number {
    return this.#tasks.size;
  }

  /** Whether its host has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  async startConnector(name: string, config: RawConfig, target: TargetState): Promise<void> {
    this.#connectors.add(name);
    // That the host is gone is told by its end.
    await this.#rpc.ask("startConnector", { name, config, target }).catch((error: unknown) => {
      if (!this.#connectors.has(name)) return;
      this.#options.listener.connector(name, { state: "FAILED", trace: messageOf(error) });
    });
  }

  async stopConnector(name: string): Promise<void> {
    this.#connectors.delete(name);
    await this.#rpc.ask("stopConnector", { name }).catch(() => {});
  }

  async taskConfigs(name: string, config: RawConfig): Promise<RawConfig[]> {
    const answer = await this.#rpc.ask("taskConfigs", { name, config });
    return new Said({ answer }).list("answer").map(configOf);
  }

  startTask(spec: TaskSpec, target: TargetState): void {
    this.#tasks.set(keyOf(spec.id), spec);
    const { id, connectorConfig, taskConfig } = spec;
    const isFenced = spec.fence !== undefined;
    this.#rpc.tell("task", { ...id, connectorConfig, taskConfig, target, isFenced });
  }

  async stopTask(id: TaskId): Promise<void> {
    this.#tasks.delete(keyOf(id));
    this.#figures.delete(keyOf(id));
    await this.#ending("stopTask", id);
  }

  setTarget(name: string, target: TargetState): void {
    this.#rpc.tell("target", { name, target });
  }

  async validate(config: RawConfig): Promise<readonly ConfigProblem[]> {
    const answer = await this.#rpc.ask("validate", { config });
    return new Said({ answer }).list("answer").map(problemOf);
  }

  async offsets(name: string, config: RawConfig): Promise<ConnectorOffset[]> {
    return storedOf(await this.#rpc.ask("offsetsOf", { name, config }));
  }

  async alterOffsets(
    name: string,
    config: RawConfig,
    offsets: readonly ConnectorOffset[],
  ): Promise<void> {
    await this.#rpc.ask("alterOffsets", { name, config, offsets });
  }

  /** What the module says that it is. */
  describe(): Promise<unknown> {
    return this.#rpc.ask("describe", null);
  }

  figures(id: TaskId): Readonly<Record<string, number>> {
    return this.#figures.get(keyOf(id)) ?? {};
  }

  /** Ends all in it and the host itself; resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.#connectors.clear();
    this.#tasks.clear();
    await this.#ending("close", null);
    this.#host.kill("it was told to end");
    await this.ended;
  }

  kill(why: string): void {
    this.#host.kill(why);
  }

  /** Has something end; a host that does not even say that it could not is killed. */
  async #ending(what: string, said: unknown): Promise<void> {
    const { world: { io }, setup } = this.#options;
    const enough = new AbortController();
    const patienceMs = 2 * setup.taskShutdownTimeoutMs + EXIT_MS;
    const timer = io.clock.setTimer(patienceMs, () => enough.abort());
    // Who does not even say for seconds that it is there will end nothing in good order.
    this.#endings++;
    const ended = this.#rpc.ask(what, said).then(() => true, () => true);
    if (await nullIfAborted(ended, enough.signal) === null) {
      this.#host.kill("it has not ended its work in time");
      await this.ended;
    }
    this.#endings--;
    timer.cancel();
  }

  #take(message: unknown): void {
    this.#heardMs = this.#options.world.io.clock.monotonicMs();
    try {
      this.#rpc.take(message);
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      this.#host.kill(`it has said what cannot be understood: ${error.message}`);
    }
  }

  /** Asks again and again whether it is there. */
  #look(): void {
    const { world: { io }, setup } = this.#options;
    // Others in it have the patience that they always have.
    const isEnding = this.#endings > 0 && this.#tasks.size === 0;
    const stallMs = isEnding ? SILENT_MS : this.#options.stallMs;
    if (this.#isOver) return;
    const silentMs = io.clock.monotonicMs() - this.#heardMs;
    if (silentMs > stallMs) {
      const seconds = Math.round(silentMs / 1000);
      return this.#host.kill(
        `it has not answered for ${seconds} s: something in it keeps its event loop busy`,
      );
    }
    this.#rpc.tell("ping", null);
    const pauseMs = Math.min(PING_MS, setup.leaseMs / 4);
    this.#ping = io.clock.setTimer(pauseMs, () => this.#look());
  }

  #gone(how: string): void {
    this.#isOver = true;
    this.#ping?.cancel();
    const trace = `the host of this connector has ended: ${how}`;
    this.#rpc.end(new Error(trace));
    const { listener, world } = this.#options;
    const [connectors, tasks] = [[...this.#connectors], [...this.#tasks.values()]];
    this.#connectors.clear();
    this.#tasks.clear();
    for (const name of connectors) listener.connector(name, { state: "FAILED", trace });
    for (const { id } of tasks) {
      const log = world.log.with({ ...id });
      log.error("a task has failed with its host", { how: how.split("\n")[0] });
      listener.task(id, { state: "FAILED", trace });
    }
  }

  #said(line: string): void {
    const [{ id } = { id: null }] = [...this.#tasks.values()];
    const who = id ?? { connector: [...this.#connectors][0] };
    this.#options.world.log.with({ ...who }).info("a connector says", { line });
  }

  #handlers(): ReadonlyMap<string, Handler> {
    const { listener, world } = this.#options;
    const hear = (body: (said: Said) => void): Handler => (said) => body(new Said(said));
    return new Map<string, Handler>([
      ...offsetHandlers(world.offsets),
      ["fence", (said) => this.#tasks.get(keyOf(taskIdOf(new Said(said))))?.fence?.()],
      ["log", (told) => writeTold(world.log, told)],
      ["alive", hear((said) => this.#alive(said))],
      [
        "connector",
        hear((said) => {
          const name = said.text("name");
          if (this.#connectors.has(name)) listener.connector(name, statusOf(said));
        }),
      ],
      [
        "status",
        hear((said) => {
          const id = taskIdOf(said);
          if (this.#tasks.has(keyOf(id))) listener.task(id, statusOf(said));
        }),
      ],
      ["finished", hear((said) => listener.finished?.(taskIdOf(said)))],
      ["changed", hear((said) => listener.changed(said.text("name")))],
      [
        "topic",
        hear((said) => {
          const { connector, task } = taskIdOf(said);
          listener.topic(connector, said.text("topic"), task);
        }),
      ],
    ]);
  }

  #alive(said: Said): void {
    for (const each of said.list("tasks")) {
      const task = new Said(each);
      const key = keyOf(taskIdOf(task));
      if (this.#tasks.has(key)) this.#figures.set(key, task.figures("figures"));
    }
  }
}

export function keyOf({ connector, task }: TaskId): string {
  return `${task} ${connector}`;
}

export function taskIdOf(said: Said): TaskId {
  return { connector: said.text("connector"), task: said.number("task") };
}

function statusOf(said: Said): { readonly state: State; readonly trace: string | null } {
  const state = STATES.find((each) => each === said.text("state"));
  if (state === undefined) throw new UnreadableError("a state is none");
  return { state, trace: said.textOrNull("trace") };
}
