/**
 * Where an application keeps its stores: `state.dir/application.id/TASK/STORE/`, as Kafka's
 * `StateDirectory`. It is for one process, which holds a lock on it; its threads share it, and each task
 * is open in one of them at a time. `kafka-streams-process-metadata` has an id by which members of the
 * same process are known after a restart.
 */
import { asError } from "../../core/as-error.ts";
import type { Clock, Disk, DiskLock, Random } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { DurableEngine } from "./durable-engine.ts";
import { BlockCache } from "./log-structured/block-cache.ts";
import {
  LogStructuredEngine,
  type LogStructuredOptions,
} from "./log-structured/log-structured-engine.ts";
import { CorruptStoreError } from "./log-structured/run-format.ts";
import { offsetOnDisk, removeStore } from "./log-structured/store-files.ts";
import { kindOf, type OpenState, SEGMENTS, State } from "./open-state.ts";
import { IncomingStore } from "./snapshots/incoming-store.ts";
import type { StoreSpec } from "./store-spec.ts";
import { TaskLocks } from "./task-locks.ts";
import { readText, replaceText, writeText } from "./text-file.ts";

/** What a state directory is opened with. */
export interface StateDirectoryOptions {
  /** `state.dir`. */
  readonly dir: string;
  readonly applicationId: string;
  /** Memory for blocks of all stores together. */
  readonly blockCacheBytes?: number;
  /** Of each store. */
  readonly writeBufferBytes?: number;
}

/** What of the world it needs. */
export interface StateDirectoryIo {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A task that nobody had open. */
interface RestingTask {
  readonly usedMs: number | null;
  /** Names of stores. */
  readonly of: string;
  readonly position: bigint | null;
}

const BLOCK_CACHE_BYTES = 64 * 1024 * 1024;
const PROCESS_FILE = "kafka-streams-process-metadata";
const LOCK_FILE = ".lock";
const TASK_LOCKS_DIR = ".task-locks";
/** Written with every change of a task, so that its age is that of the task's last use. */
const USED_FILE = ".used";
/** Beside the data of a store: the id of the topic that these are of. */
const CHANGELOG_FILE = "CHANGELOG";
const TASK_DIR = /^\d+_\d+$/;

/** See the head of the file. */
export class StateDirectory {
  readonly #root: string;
  readonly #cache: BlockCache;
  readonly #open = new Set<string>();
  readonly #locks: TaskLocks;
  /** What was found last, so that not all logs are read at each rebalance. */
  readonly #resting = new Map<string, RestingTask>();
  readonly processId: string;

  private constructor(
    private readonly io: StateDirectoryIo,
    private readonly options: StateDirectoryOptions,
    private readonly lock: DiskLock | null,
  ) {
    this.#root = rootOf(options);
    this.#locks = new TaskLocks(io.disk, `${this.#root}/${TASK_LOCKS_DIR}`);
    this.#cache = new BlockCache(options.blockCacheBytes ?? BLOCK_CACHE_BYTES);
    this.processId = this.#readProcessId();
  }

  /** Throws `OperatorError` where another process has it, or it is not ours to use. */
  static open(io: StateDirectoryIo, options: StateDirectoryOptions): StateDirectory {
    const { disk } = io;
    const root = rootOf(options);
    disk.makeDir(root);
    for (const { name } of disk.list(root)) {
      if (TASK_DIR.test(name) || name === PROCESS_FILE || name.startsWith(".")) continue;
      throw new OperatorError(
        `${root} is not a state directory of "${options.applicationId}"`,
        `there is "${name}" in it`,
        "set state.dir to a folder that is for state alone",
      );
    }
    const lock = disk.lock(`${root}/${LOCK_FILE}`);
    if (lock !== null) return new StateDirectory(io, options, lock);
    throw new OperatorError(
      `the state of "${options.applicationId}" in ${root} is in use`,
      "another process holds its lock",
      "end that one, or set another state.dir for this one",
    );
  }

  /** For a thread of the process that has opened it, as long as that has it open. */
  static openBeside(io: StateDirectoryIo, options: StateDirectoryOptions): StateDirectory {
    return new StateDirectory(io, options, null);
  }

  /**
   * Opens a store of a task: what it was at its last commit, or nothing where that is damaged. Throws
   * `TaskLockedError` where another thread has the task open.
   */
  open(taskId: string, spec: StoreSpec): OpenState {
    const dir = `${this.#root}/${taskId}/${spec.name}`;
    if (this.#open.has(dir)) {
      throw new Error(`store "${spec.name}" of task ${taskId} is open already`);
    }
    this.#locks.take(taskId);
    try {
      this.io.disk.makeDir(dir);
      this.#requireSame(dir, spec);
      this.#touch(taskId);
      const state = this.#openState(taskId, dir, spec);
      IncomingStore.removeLeft(this.io.disk, dir).catch((error: unknown) => {
        this.#warn("what was left of a snapshot is not removed", dir, error);
      });
      this.#open.add(dir);
      return state;
    } catch (error) {
      this.#locks.release(taskId);
      throw error;
    }
  }

  /**
   * Removes tasks that were not used for so long (`state.cleanup.delay.ms`), but for those that are open.
   * Gives their ids.
   */
  async removeUnused(olderThanMs: number): Promise<string[]> {
    const { disk, clock } = this.io;
    const removed: string[] = [];
    for (const { name } of disk.list(this.#root)) {
      const dir = `${this.#root}/${name}`;
      if (!TASK_DIR.test(name)) continue;
      const lock = this.#locks.free(name);
      if (lock === null) continue;
      try {
        const usedMs = (disk.stat(`${dir}/${USED_FILE}`) ?? disk.stat(dir))?.modifiedMs ?? 0;
        if (clock.wallMs() - usedMs < olderThanMs) continue;
        await disk.removeTree(dir);
        removed.push(name);
      } finally {
        lock.release();
      }
    }
    return removed;
  }

  /**
   * By task that no thread has open: the sum of the offsets up to which the changelogs of these stores
   * are in them. Tasks of which nothing is here are left out.
   */
  restingPositions(storesOf: (taskId: string) => readonly string[]): ReadonlyMap<string, bigint> {
    const positions = new Map<string, bigint>();
    for (const task of this.tasks()) {
      const lock = this.#locks.free(task);
      if (lock === null) continue;
      try {
        const position = this.#restingPosition(task, storesOf(task));
        if (position !== null) positions.set(task, position);
      } finally {
        lock.release();
      }
    }
    return positions;
  }

  /** Tasks whose stores are here. */
  tasks(): string[] {
    return this.io.disk.list(this.#root).map(({ name }) => name).filter((name) =>
      TASK_DIR.test(name)
    );
  }

  /** Stores are closed before. */
  close(): void {
    this.lock?.release();
  }

  #restingPosition(taskId: string, stores: readonly string[]): bigint | null {
    const { disk } = this.io;
    const dir = `${this.#root}/${taskId}`;
    const usedMs = disk.stat(`${dir}/${USED_FILE}`)?.modifiedMs ?? null;
    const of = stores.join("/");
    const known = this.#resting.get(taskId);
    // Whoever opens a task, and closes it, touches it.
    if (known !== undefined && known.usedMs === usedMs && known.of === of) return known.position;
    const offsets = stores.map((store) => offsetOnDisk(disk, `${dir}/${store}/data`));
    const position = offsets.every((offset) => offset === null)
      ? null
      : offsets.reduce<bigint>((sum, offset) => sum + (offset ?? 0n), 0n);
    this.#resting.set(taskId, { usedMs, of, position });
    return position;
  }

  #closed(taskId: string, dir: string): void {
    this.#open.delete(dir);
    this.#resting.delete(taskId);
    try {
      this.#touch(taskId);
    } catch (error) {
      this.#warn("when a task was used last is not kept", dir, error);
    }
    this.#locks.release(taskId);
  }

  #warn(what: string, store: string, error: unknown): void {
    this.io.logger.warn(what, { store, error: asError(error).message });
  }

  #openState(taskId: string, dir: string, spec: StoreSpec): State {
    const { disk, random } = this.io;
    // What tells what the store is stays when its data are removed.
    const data = `${dir}/data`;
    return new State(spec, {
      ...{ disk, data, changelogFile: `${dir}/${CHANGELOG_FILE}` },
      open: (onClose) => this.#openEngine(data, onClose),
      reopen: (onClose) => LogStructuredEngine.open(disk, data, this.#engineOptions(onClose)),
      closed: () => this.#closed(taskId, dir),
      incoming: () => {
        return IncomingStore.begin(disk, dir, Buffer.from(random.bytes(8)).toString("hex"));
      },
    });
  }

  #engineOptions(onClose: () => void): LogStructuredOptions {
    const { writeBufferBytes } = this.options;
    return {
      ...{ cache: this.#cache, onClose },
      ...(writeBufferBytes !== undefined && { writeBufferBytes }),
    };
  }

  #openEngine(data: string, onClose: () => void): DurableEngine {
    const { disk, logger } = this.io;
    const options = this.#engineOptions(onClose);
    try {
      return LogStructuredEngine.open(disk, data, options);
    } catch (error) {
      if (!(error instanceof CorruptStoreError)) throw error;
      logger.warn("a state store is damaged and is restored from its changelog", {
        store: data,
        reason: error.why,
      });
      removeStore(disk, data);
      return LogStructuredEngine.open(disk, data, options);
    }
  }

  /**
   * Bytes of a store of another kind would be read as what they are not. Segments of another length have
   * other numbers: the changelog has what is in them, too.
   */
  #requireSame(dir: string, spec: StoreSpec): void {
    const { disk, logger } = this.io;
    const path = `${dir}/KIND`;
    const kind = kindOf(spec);
    const known = readText(disk, path);
    // It is whole or not there, but for a power cut, which may leave nothing in it.
    if (known === null || known === "") {
      return replaceText(disk, path, kind);
    }
    if (known === kind) return;
    const [ofKind] = kind.split(SEGMENTS);
    if (known.split(SEGMENTS)[0] === ofKind && spec.isLogged) {
      const store = { store: dir, was: known, is: kind };
      logger.warn("a state store is kept otherwise now and is restored from its changelog", store);
      removeStore(disk, `${dir}/data`);
      disk.remove(path);
      return writeText(disk, path, kind);
    }
    throw new OperatorError(
      `the state store "${spec.name}" in ${dir} is of another topology`,
      `it is kept as ${known}, and is to be ${kind} now`,
      "give the store another name, or reset the application with its state",
    );
  }

  #touch(taskId: string): void {
    const path = `${this.#root}/${taskId}/${USED_FILE}`;
    this.io.disk.remove(path);
    writeText(this.io.disk, path, "");
  }

  /** As Kafka keeps it: JSON with a UUID. One that cannot be read is made anew. */
  #readProcessId(): string {
    const { disk, random } = this.io;
    const path = `${this.#root}/${PROCESS_FILE}`;
    const known = /"processId":"([0-9a-f-]{36})"/.exec(readText(disk, path) ?? "")?.[1];
    if (known !== undefined) return known;
    const hex = Buffer.from(random.bytes(16)).toString("hex");
    const id = hex.replace(
      /^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/,
      (_all, a: string, b: string, c: string, d: string, e: string) => `${a}-${b}-4${c}-8${d}-${e}`,
    );
    disk.remove(path);
    writeText(disk, path, JSON.stringify({ processId: id }));
    return id;
  }
}

function rootOf({ dir, applicationId }: StateDirectoryOptions): string {
  return `${dir}/${applicationId}`;
}
