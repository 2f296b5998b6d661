/** One task on a worker, from its start to its end. */
import { nullIfAborted } from "../../core/unless-aborted.ts";
import type { Clock } from "../../core/io.ts";
import type { RunningTask } from "../runtime/running-task.ts";
import type { State, TargetState } from "./status.ts";

/** Told in order; after `FAILED`, `STOPPED` or the end of a source nothing follows. */
export interface SlotEvents {
  state(state: State, failure: unknown): void;
  /** A source has nothing more to read; all is safe. */
  finished(): void;
}

/** See the head of the file. */
export class TaskSlot {
  #task: RunningTask | null = null;
  #target: TargetState;
  #stopped = false;
  readonly #ended: Promise<void>;

  constructor(make: () => Promise<RunningTask>, target: TargetState, readonly events: SlotEvents) {
    this.#target = target;
    this.#ended = this.#run(make);
  }

  setTarget(target: TargetState): void {
    if (target === this.#target) return;
    this.#target = target;
    if (this.#task === null) return;
    if (target === "PAUSED") this.#task.pause();
    else this.#task.resume();
    this.events.state(stateOf(target), null);
  }

  figures(): Readonly<Record<string, number>> {
    return this.#task?.figures() ?? {};
  }

  /** Resolves when the task has ended; after `patienceMs` it is told to end at once, and let alone. */
  async stop(clock: Clock, patienceMs: number): Promise<void> {
    this.#stopped = true;
    this.#task?.stop(false);
    for (const last of [false, true]) {
      const enough = new AbortController();
      const timer = clock.setTimer(patienceMs, () => enough.abort());
      const ended = await nullIfAborted(this.#ended.then(() => true), enough.signal);
      timer.cancel();
      if (ended !== null || last) return;
      this.#task?.stop(true);
    }
  }

  async #run(make: () => Promise<RunningTask>): Promise<void> {
    try {
      const task = await make();
      if (this.#stopped) task.stop(true);
      this.#task = task;
      if (this.#target === "PAUSED") task.pause();
      this.events.state(stateOf(this.#target), null);
      await task.run();
      if (!this.#stopped) this.events.finished();
    } catch (error) {
      if (!this.#stopped) this.events.state("FAILED", error);
    }
  }
}

function stateOf(target: TargetState): State {
  return target === "STARTED" ? "RUNNING" : target;
}
