/**
 * Which tasks' folders a thread has open. Threads of a process share a state directory, and a task goes
 * from one to another: who takes it up waits until the other one has closed it (Kafka's
 * `StateDirectory.lock`). The locks are files beside the tasks, so that a folder can be removed under one.
 */
import type { Disk, DiskLock } from "../../core/io.ts";

/** Another thread of this process has the task's folder open: try again soon. */
export class TaskLockedError extends Error {
  override readonly name = "TaskLockedError";

  constructor(readonly taskId: string) {
    super(`another thread of this process has the state of task ${taskId} open`);
  }
}

/** See the head of the file. */
export class TaskLocks {
  readonly #held = new Map<string, { readonly lock: DiskLock; stores: number }>();

  /** `dir` is made if it is not there. */
  constructor(private readonly disk: Disk, private readonly dir: string) {
    disk.makeDir(dir);
  }

  /** For one store more of the task. Throws `TaskLockedError`. */
  take(taskId: string): void {
    const held = this.#held.get(taskId);
    if (held !== undefined) return void held.stores++;
    const lock = this.#try(taskId);
    if (lock === null) throw new TaskLockedError(taskId);
    this.#held.set(taskId, { lock, stores: 1 });
  }

  /** For one store less. */
  release(taskId: string): void {
    const held = this.#held.get(taskId);
    if (held === undefined || --held.stores > 0) return;
    this.#held.delete(taskId);
    held.lock.release();
  }

  /** Holds a task that no thread has open, this one included; null: one has. */
  free(taskId: string): DiskLock | null {
    return this.#held.has(taskId) ? null : this.#try(taskId);
  }

  #try(taskId: string): DiskLock | null {
    return this.disk.lock(`${this.dir}/${taskId}`);
  }
}
