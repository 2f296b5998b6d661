/** What a task of a source and one of a sink have in common: how it is stopped, paused and known. */
import type { Logger } from "../../core/logger.ts";
import type { TaskContext } from "../connector.ts";
import { Gate } from "./gate.ts";
import { Pace } from "./pace.ts";
import type { PreparedSink, PreparedSource, RunningTask } from "./running-task.ts";
import { taskClock } from "./task-world.ts";
import type { TaskWorld } from "./task-world.ts";

/** See the head of the file. */
export abstract class TaskBase<P extends PreparedSource | PreparedSink> implements RunningTask {
  /** The connector is to come back from what it waits for. */
  protected readonly stopping = new AbortController();
  /** Nothing is waited for any more. */
  protected readonly now = new AbortController();
  /** Closed while it is paused. */
  protected readonly gate = new Gate();
  protected readonly pace: Pace;
  protected readonly log: Logger;
  readonly #gauges = new Map<string, number>();

  constructor(protected readonly world: TaskWorld, protected readonly prepared: P) {
    const { connector, task } = prepared.id;
    this.log = world.log.with({ connector, task });
    this.pace = new Pace(world.io.clock, prepared.common["rate.records.max"]);
  }

  abstract run(): Promise<void>;

  stop(now: boolean): void {
    this.stopping.abort();
    if (now) this.now.abort();
    this.gate.open();
  }

  pause(): void {
    this.gate.close();
  }

  resume(): void {
    this.gate.open();
  }

  figures(): Readonly<Record<string, number>> {
    return { ...this.ownFigures(), ...Object.fromEntries(this.#gauges) };
  }

  protected abstract ownFigures(): Readonly<Record<string, number>>;

  protected context(): TaskContext<Readonly<Record<string, unknown>>> {
    const { id: { connector, task }, config, dynamic } = this.prepared;
    return {
      config,
      dynamic,
      connector,
      task,
      signal: this.stopping.signal,
      clock: taskClock(this.world.io.clock),
      log: this.log,
      gauge: (name, value) => void this.#gauges.set(name, value),
      cluster: this.world.client,
    };
  }
}
