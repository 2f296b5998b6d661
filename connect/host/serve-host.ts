/** The other end: a worker in a host, which does what it is told and says what becomes of it. */
import type { Clock, Timer } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { OffsetStore } from "../offsets/offset-store.ts";
import type { LocalWorker } from "../worker/local-worker.ts";
import type { StatusListener, TargetState, TaskId } from "../worker/status.ts";
import type { TaskSpec } from "../worker/worker.ts";
import { LineLimit, toldLogger } from "./host-log.ts";
import type { HostSetup } from "./host.ts";
import { keyOf, taskIdOf } from "./hosted-worker.ts";
import { RemoteOffsets, storedOf } from "./remote-offsets.ts";
import { type Handler, Rpc } from "./rpc.ts";
import { Said } from "./said.ts";

/** What a host can do, once it knows what it is for. */
export interface HostWork {
  readonly worker: LocalWorker;
  /** What the module is; null where it has none. */
  describe(): Promise<unknown>;
}

export interface ServeHostOptions {
  readonly clock: Clock;
  send(message: unknown): void;
  /** Ends the host at once. */
  exit(): void;
  /** Throws what keeps it from working: that the module cannot be loaded. */
  open(
    setup: HostSetup,
    parts: { offsets: OffsetStore; log: Logger; listener: StatusListener },
  ): Promise<HostWork>;
}

/** Serves one worker. */
export class ServedHost {
  readonly #options: ServeHostOptions;
  readonly #rpc: Rpc;
  readonly #running = new Map<string, TaskId>();
  /** Of each task, as the worker has them. */
  readonly #toldFigures = new Map<string, string>();
  #work: Promise<HostWork> | null = null;
  #isTold: HostWork | null = null;
  #heardMs: number;
  #lease: Timer | null = null;

  constructor(options: ServeHostOptions) {
    this.#options = options;
    this.#heardMs = options.clock.monotonicMs();
    this.#rpc = new Rpc(options.send, this.#handlers());
  }

  /** A text without the secrets that anything in here was given. */
  hidden(text: string): string {
    return this.#isTold?.worker.hidden(text) ?? text;
  }

  /** A message of the worker. */
  take(message: unknown): void {
    this.#heardMs = this.#options.clock.monotonicMs();
    this.#rpc.take(message);
  }

  #begin(said: Said): void {
    const setup = setupOf(said);
    this.#watchLease(setup.leaseMs);
    const log = toldLogger(
      new LineLimit(this.#options.clock),
      (line) => this.#rpc.tell("log", line),
    );
    const offsets = new RemoteOffsets(this.#rpc, setup.transactionalTopic);
    this.#work = this.#options.open(setup, { offsets, log, listener: this.#listener() });
    this.#work.then((work) => this.#isTold = work, () => {});
  }

  /** Who is not told that the worker is there has to take it for gone: others may do this work. */
  #watchLease(leaseMs: number): void {
    const { clock, exit } = this.#options;
    this.#lease?.cancel();
    this.#lease = clock.setTimer(leaseMs / 4, () => {
      // Where this loop has stood still itself, what was said meanwhile has been heard by now.
      if (clock.monotonicMs() - this.#heardMs > leaseMs) return exit();
      this.#watchLease(leaseMs);
    });
  }

  #listener(): StatusListener {
    return {
      connector: (name, { state, trace }) => this.#rpc.tell("connector", { name, state, trace }),
      task: (id, { state, trace }) => this.#rpc.tell("status", { ...id, state, trace }),
      changed: (name) => this.#rpc.tell("changed", { name }),
      topic: (connector, topic, task) => this.#rpc.tell("topic", { connector, topic, task }),
      finished: (id) => {
        // The last figures: perhaps nobody asks again.
        this.#alive();
        this.#rpc.tell("finished", id);
      },
    };
  }

  #worker(): Promise<HostWork> {
    return this.#work ?? Promise.reject(new Error("the host has not been told what it is for"));
  }

  async #startTask(said: Said): Promise<void> {
    const id = taskIdOf(said);
    const fence = () => this.#rpc.ask("fence", id).then(() => {});
    const spec: TaskSpec = {
      id,
      connectorConfig: said.config("connectorConfig"),
      taskConfig: said.config("taskConfig"),
      ...(said.flag("isFenced") && { fence }),
    };
    this.#running.set(keyOf(id), id);
    try {
      const { worker } = await this.#worker();
      if (this.#running.has(keyOf(id))) worker.startTask(spec, targetOf(said));
    } catch (error) {
      const trace = error instanceof Error ? error.stack ?? error.message : String(error);
      this.#rpc.tell("status", { ...id, state: "FAILED", trace });
    }
  }

  /** Says that this is there, with the figures that are others than the last. */
  #alive(): void {
    const tasks = [...this.#running].flatMap(([key, id]) => {
      const figures = this.#isTold?.worker.figures(id) ?? {};
      const text = JSON.stringify(figures);
      if (this.#toldFigures.get(key) === text) return [];
      this.#toldFigures.set(key, text);
      return [{ ...id, figures }];
    });
    this.#rpc.tell("alive", { tasks });
  }

  #handlers(): ReadonlyMap<string, Handler> {
    type Body = (worker: LocalWorker, said: Said) => unknown;
    const asked = (body: Body): Handler => async (said) =>
      body((await this.#worker()).worker, new Said(said));
    return new Map<string, Handler>([
      ["begin", (said) => this.#begin(new Said(said))],
      ["ping", () => this.#alive()],
      ["task", (said) => void this.#startTask(new Said(said))],
      ["describe", async () => (await this.#worker()).describe()],
      [
        "startConnector",
        asked((worker, said) =>
          worker.startConnector(said.text("name"), said.config("config"), targetOf(said))
        ),
      ],
      ["stopConnector", asked((worker, said) => worker.stopConnector(said.text("name")))],
      [
        "taskConfigs",
        asked((worker, said) => worker.taskConfigs(said.text("name"), said.config("config"))),
      ],
      [
        "stopTask",
        asked(async (worker, said) => {
          const id = taskIdOf(said);
          this.#running.delete(keyOf(id));
          this.#toldFigures.delete(keyOf(id));
          await worker.stopTask(id);
        }),
      ],
      ["target", (said) => {
        const told = new Said(said);
        void this.#worker().then(
          ({ worker }) => worker.setTarget(told.text("name"), targetOf(told)),
          () => {},
        );
      }],
      ["validate", asked((worker, said) => worker.validate(said.config("config")))],
      [
        "offsetsOf",
        asked((worker, said) => worker.offsets(said.text("name"), said.config("config"))),
      ],
      [
        "alterOffsets",
        asked((worker, said) =>
          worker.alterOffsets(
            said.text("name"),
            said.config("config"),
            storedOf(said.any("offsets")),
          )
        ),
      ],
      ["close", async () => await (await this.#worker()).worker.close()],
    ]);
  }
}

function targetOf(said: Said): TargetState {
  const target = said.text("target");
  return target === "PAUSED" || target === "STOPPED" ? target : "STARTED";
}

function setupOf(said: Said): HostSetup {
  const client: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(said.any("client") ?? {})) {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      client[name] = value;
    }
  }
  return {
    module: said.textOrNull("module"),
    client,
    groupId: said.text("groupId"),
    offsetFlushIntervalMs: said.number("offsetFlushIntervalMs"),
    taskShutdownTimeoutMs: said.number("taskShutdownTimeoutMs"),
    transactionalTopic: said.textOrNull("transactionalTopic"),
    isOffline: said.flag("isOffline"),
    leaseMs: said.number("leaseMs"),
  };
}
