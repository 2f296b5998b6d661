/** A host in this very thread, to which nothing goes but copies of JSON. */
import type { Clock } from "../../core/io.ts";
import { LocalWorker } from "../worker/local-worker.ts";
import type { LocalWorkerOptions } from "../worker/local-worker.ts";
import type { Host, HostEvents } from "./host.ts";
import { ServedHost } from "./serve-host.ts";

/** What can be done to it. */
export class MemoryHost implements Host {
  readonly ended: Promise<string>;
  /** The channel is cut: neither side hears the other, and both go on. */
  isCut = false;
  #isOver = false;
  #worker: LocalWorker | null = null;
  readonly #end: (how: string) => void;
  readonly #take: (message: unknown) => void;

  constructor(
    events: HostEvents,
    clock: Clock,
    options: Omit<LocalWorkerOptions, "listener" | "world"> & {
      readonly world: LocalWorkerOptions["world"];
    },
  ) {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ended = promise;
    this.#end = resolve;
    const served = new ServedHost({
      clock,
      send: (message) => this.#pass(message, (copy) => events.message(copy)),
      exit: () => this.#over("it has ended itself"),
      open: ({ groupId, offsetFlushIntervalMs, taskShutdownTimeoutMs, isOffline }, parts) => {
        const settings = { groupId, offsetFlushIntervalMs, taskShutdownTimeoutMs };
        const world = { ...options.world, offsets: parts.offsets, log: parts.log, settings };
        this.#worker = new LocalWorker({
          ...options,
          world,
          isOffline,
          listener: parts.listener,
        });
        return Promise.resolve({ worker: this.#worker, describe: () => Promise.resolve(null) });
      },
    });
    this.#take = (message) => served.take(message);
  }

  send(message: unknown): void {
    this.#pass(message, (copy) => this.#take(copy));
  }

  kill(why: string): void {
    this.#over(why);
  }

  #pass(message: unknown, to: (copy: unknown) => void): void {
    if (this.#isOver || this.isCut) return;
    const copy: unknown = JSON.parse(JSON.stringify(message));
    queueMicrotask(() => {
      if (!this.#isOver) to(copy);
    });
  }

  #over(how: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // A thread cannot be killed with what runs in it: its tasks are ended before it counts as gone.
    const ended = this.#worker?.close() ?? Promise.resolve();
    void ended.then(() => this.#end(how));
  }
}
