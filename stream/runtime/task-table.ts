/**
 * The tasks of a member. One is opened beside the others: its offsets are looked up, its stores filled,
 * then it runs; one that failed is opened again after a pause. What stands by has its stores filled on
 * and on.
 *
 *     open ─▶ (offsets, changelogs) ─▶ running ──close──▶ gone
 *       ▲────────── after a pause ───────┘ failed
 */
import type { Admin } from "../../client/admin.ts";
import type { Consumer } from "../../client/consumer.ts";
import {
  isGoneError,
  isRetriableError,
  LogTruncationError,
  type OffsetOutOfRangeError,
  TimeoutError,
} from "../../client/errors.ts";
import { partitionKey } from "../../client/group-protocol.ts";
import type { ClientIo } from "../../client/options.ts";
import { asError } from "../../core/as-error.ts";
import { DiskError, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { SnapshotFigures } from "../../core/streams/live-application.ts";
import { type Mutex } from "../../core/mutex.ts";
import { RUNNING, type TaskId } from "../assignor/index.ts";
import type { AnyStore } from "../stores/key-value-store.ts";
import { CorruptStoreError } from "../stores/log-structured/run-format.ts";
import { TaskLockedError } from "../stores/task-locks.ts";
import { Task } from "../task/task.ts";
import type { Topology } from "../topology/topology.ts";
import { ActiveTask, type TaskStart } from "./active-task.ts";
import type { Restorer } from "./restorer.ts";
import type { Snapshots } from "./snapshots.ts";
import type { StreamsConfig } from "./streams-config.ts";
import { partitionsOf, partsOf } from "./task-partitions.ts";
import { freshStartsOf, startsOf } from "./task-starts.ts";
import { type StateProvider, type StoreSize, TaskStores } from "./task-stores.ts";
import { type SharedWorld, taskWorld } from "./task-world.ts";
import type { TopicsInView } from "./topics-in-view.ts";

/** What tasks are opened with. */
export interface TaskParts {
  readonly io: ClientIo;
  readonly admin: Admin;
  readonly consumer: Consumer;
  readonly restorer: Restorer;
  readonly topology: Topology;
  readonly topics: TopicsInView;
  readonly config: StreamsConfig;
  readonly logger: Logger;
  readonly state: StateProvider;
  /** Null: there are none. */
  readonly snapshots: Snapshots | null;
  readonly world: SharedWorld;
  /** Processing, commits and changes of tasks exclude each other. */
  readonly exclusively: Mutex;
}

/** What the member hears of its tasks. */
export interface TaskEvents {
  /** It runs from now on. Called while nothing else goes on. */
  opened(): void;
  /** It cannot be opened; `close` and `open` it again, or end. Called while nothing else goes on. */
  notOpened(id: TaskId, error: Error): Promise<void>;
}

/** How much a task has of a store here. */
export interface StoreSizeHere
  extends Omit<StoreSize, "changelog">, Pick<StoreHere, "state" | "lag"> {
  readonly task: TaskId;
  /** Null: none are taken of it here. */
  readonly snapshot: SnapshotFigures | null;
}

/** A store of a task, as a member has it. */
export interface StoreHere {
  readonly state: "running" | "restoring" | "standby";
  /** Null: it is not opened yet. Not to be closed. */
  readonly store: AnyStore | null;
  /** Records of its changelog that are not in it yet; null: nobody knows. */
  readonly lag: number | null;
}

interface Entry {
  readonly id: TaskId;
  readonly isStandby: boolean;
  /** The partitions that it reads, as they were when it was opened. */
  readonly reads: string;
  /** Ends what opens it, or follows its changelogs. */
  readonly ended: AbortController;
  stores: TaskStores | null;
  active: ActiveTask | null;
}

const RETRY_MS = 500;
const DISK_RETRY_MS = 10_000;
/** So often is looked whether another thread has closed a task, and told after so long that it has not. */
const LOCK_RETRY_MS = 50;
const LOCK_TOLD_MS = 5000;
/** A thread that has not closed a task after so long does not come to it any more. */
const LOCK_WAIT_MS = 60_000;

/** See the head of the file. */
export class TaskTable {
  readonly #entries = new Map<TaskId, Entry>();
  /** By partition key. */
  readonly #readers = new Map<string, ActiveTask>();
  #running: ActiveTask[] = [];

  constructor(private readonly parts: TaskParts, private readonly events: TaskEvents) {}

  /** Those that process. */
  get running(): readonly ActiveTask[] {
    return this.#running;
  }

  active(): TaskId[] {
    return [...this.#entries.values()].flatMap(({ id, isStandby }) => isStandby ? [] : [id]);
  }

  standby(): TaskId[] {
    return [...this.#entries.values()].flatMap(({ id, isStandby }) => isStandby ? [id] : []);
  }

  /** Tasks to be processed that read other partitions now than when they were opened. */
  outdated(): TaskId[] {
    return [...this.#entries.values()].flatMap(({ id, isStandby, reads }) =>
      isStandby || reads === this.#readsOf(id) ? [] : [id]
    );
  }

  /** Those of tasks included that nobody has now, and whose stores are here. */
  positions(): ReadonlyMap<TaskId, bigint> {
    const own = [...this.#entries.values()].flatMap(({ id, active, stores }) => {
      if (active !== null) return [[id, RUNNING] as const];
      return stores === null ? [] : [[id, stores.position] as const];
    });
    return new Map([...this.#restingPositions(), ...own]);
  }

  #restingPositions(): ReadonlyMap<TaskId, bigint> {
    const { state, topics, logger } = this.parts;
    try {
      return state.restingPositions((task) => {
        const [subtopology, partition] = partsOf(task);
        const planned = topics.plan.subtopologies[subtopology];
        const isKnown = planned !== undefined && partition < planned.tasks;
        return isKnown ? [...planned.changelogs.keys()] : [];
      });
    } catch (error) {
      // Then others may be given them: it costs time alone.
      logger.warn("what is kept here cannot be looked at", { error: asError(error).message });
      return new Map();
    }
  }

  /** What there is of a store of a task here; null: this member has nothing to do with the task. */
  storeOf(id: TaskId, name: string): StoreHere | null {
    const entry = this.#entries.get(id);
    if (entry === undefined) return null;
    if (entry.active !== null) {
      const store = entry.active.task.stores.get(name);
      return store === undefined ? null : { state: "running", store, lag: 0 };
    }
    const { restorer, world } = this.parts;
    const state = entry.isStandby ? "standby" : "restoring";
    const view = entry.stores?.view(name, world.budget) ?? null;
    if (view === null) return { state, store: null, lag: null };
    const { store, changelog, partition } = view;
    return { state, store, lag: changelog === null ? null : restorer.lagOf(changelog, partition) };
  }

  /** Changelogs of tasks that are processed, by their ids as they were when the tasks began. */
  changelogIds(): ReadonlyMap<string, string> {
    return new Map(this.#running.flatMap(({ stores }) => stores.changelogIds()));
  }

  /** Of all tasks that are here, also those that stand by. */
  storeSizes(): StoreSizeHere[] {
    return [...this.#entries.values()].flatMap(({ id: task, isStandby, active, stores }) => {
      const state = active !== null ? "running" : isStandby ? "standby" : "restoring";
      const [, partition] = partsOf(task);
      return (stores?.sizes() ?? []).map(({ changelog, ...size }) => {
        const lag = active !== null
          ? 0
          : changelog === null
          ? null
          : this.parts.restorer.lagOf(changelog, partition);
        const { snapshots } = this.parts;
        const isCopied = active !== null && changelog !== null && size.bytes !== null;
        const snapshot = isCopied ? snapshots?.figuresOf(changelog, partition) ?? null : null;
        return { task, state, lag, snapshot, ...size };
      });
    });
  }

  /** Has snapshots of stores taken, as they were at their last commit, where some are due. */
  takeSnapshots(): void {
    const { snapshots } = this.parts;
    if (snapshots === null) return;
    for (const { stores } of this.#running) snapshots.takeDue(stores.copied());
  }

  /** Who reads a partition. */
  readerOf(topic: string, partition: number): ActiveTask | undefined {
    return this.#readers.get(partitionKey(topic, partition));
  }

  /** Begins to open tasks; one that stood by keeps what it has. */
  open(ids: readonly TaskId[], delayMs = 0): void {
    const entries = ids.map((id) => this.#entry(id, false));
    if (entries.length > 0) void this.#openAll(entries, delayMs);
  }

  /** Begins to keep copies of stores. */
  standBy(ids: readonly TaskId[]): void {
    for (const id of ids) void this.#follow(this.#entry(id, true));
  }

  /** Lets go of tasks, whatever they are at. What was not committed is not there any more. */
  close(ids: readonly TaskId[]): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      this.#entries.delete(id);
      entry.ended.abort(new Error("the task is closed"));
      // The stores of one that runs are closed with it.
      if (entry.active === null) this.#closeStores(entry);
      else this.#stop(entry, entry.active);
    }
    this.#running = this.#running.filter(({ id }) => this.#entries.has(id));
  }

  /**
   * What was to be read next of a partition is not there any more: it goes on where its source says, or
   * where its log was cut. Throws an `OperatorError` where the source says nothing.
   */
  async goOn(gone: OffsetOutOfRangeError | LogTruncationError): Promise<void> {
    const { io, admin, topology, config, logger, exclusively, consumer } = this.parts;
    const { topic, partition, offset: from } = gone;
    const cutAt = gone instanceof LogTruncationError ? gone.divergentOffset : -1;
    const active = this.readerOf(topic, partition);
    const entry = active === undefined ? undefined : this.#entries.get(active.id);
    if (entry === undefined) return;
    const { signal } = entry.ended;
    const why = `what was to be read next, offset ${from}, is not there any more`;
    while (!signal.aborted) {
      try {
        const [start] = cutAt < 0
          ? await freshStartsOf(admin, topology, config, [{ topic, partition }], why, signal)
          : [{ offset: BigInt(cutAt) }];
        await exclusively.run(async () => {
          if (signal.aborted) return;
          const { offset } = start!;
          const place = { topic, partition, from, goesOnAt: offset };
          logger.warn("records that were to be read are not there any more", place);
          active!.feedOf(topic)?.goOnAt(offset);
          await consumer.assign([{ topic, partition, offset }]);
        });
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) throw error;
        await sleep(io.clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  #stop({ id }: Entry, active: ActiveTask): void {
    this.parts.consumer.unassign(active.partitions);
    for (const { topic, partition } of active.partitions) {
      this.#readers.delete(partitionKey(topic, partition));
    }
    try {
      active.close();
    } catch (error) {
      this.parts.logger.warn("a task did not end well", {
        task: id,
        error: asError(error).message,
      });
    }
  }

  #entry(id: TaskId, isStandby: boolean): Entry {
    const before = this.#entries.get(id);
    before?.ended.abort(new Error("the task changes its part"));
    const ended = new AbortController();
    const reads = isStandby ? "" : this.#readsOf(id);
    const entry = { id, isStandby, reads, ended, stores: before?.stores ?? null, active: null };
    this.#entries.set(id, entry);
    return entry;
  }

  #readsOf(id: TaskId): string {
    const partitions = partitionsOf(id, this.parts.topics.plan);
    return partitions.map(({ topic, partition }) => partitionKey(topic, partition)).join();
  }

  #storesOf(entry: Entry): TaskStores {
    const { topology, topics: { plan }, state } = this.parts;
    const [subtopology, partition] = partsOf(entry.id);
    const planned = plan.subtopologies[subtopology]!;
    return entry.stores ??= new TaskStores(
      entry.id,
      topology.stores,
      planned,
      partition,
      state,
    );
  }

  /** Once no other thread of the process has them open, which is waited for. */
  async #openStores(entry: Entry): Promise<TaskStores> {
    const { io: { clock }, logger } = this.parts;
    const { signal } = entry.ended;
    const beganMs = clock.monotonicMs();
    let isTold = false;
    for (;;) {
      signal.throwIfAborted();
      const waitedMs = clock.monotonicMs() - beganMs;
      try {
        return this.#storesOf(entry);
      } catch (error) {
        if (!(error instanceof TaskLockedError) || waitedMs > LOCK_WAIT_MS) throw error;
        if (!isTold && waitedMs > LOCK_TOLD_MS) {
          isTold = true;
          logger.warn("another thread has not closed a task yet", { task: entry.id });
        }
      }
      await sleep(clock, LOCK_RETRY_MS, signal);
    }
  }

  #closeStores({ id, isStandby, stores }: Entry): void {
    try {
      if (isStandby) stores?.keepRestored();
    } catch (error) {
      this.parts.logger.warn("a copy of a store is not kept", {
        task: id,
        error: asError(error).message,
      });
    }
    stores?.close();
  }

  async #openAll(entries: readonly Entry[], delayMs: number): Promise<void> {
    const { io, topics: { plan }, logger, admin, topology, config } = this.parts;
    if (delayMs > 0) {
      const ended = AbortSignal.any(entries.map((entry) => entry.ended.signal));
      await sleep(io.clock, delayMs, ended).catch(() => {});
    }
    for (let attempt = 0;; attempt++) {
      const left = entries.filter((entry) => this.#entries.get(entry.id) === entry);
      if (left.length === 0) return;
      const partitions = left.flatMap(({ id }) => partitionsOf(id, plan));
      const { signal } = left[0]!.ended;
      try {
        const starts = await startsOf(admin, topology, config, partitions, signal);
        await Promise.all(left.map((entry) => this.#openOne(entry, starts)));
        return;
      } catch (error) {
        if (left.every((entry) => entry.ended.signal.aborted)) return;
        if (!signal.aborted && !isPassing(error)) {
          await this.#failed(left[0]!, asError(error));
          return;
        }
        if (!signal.aborted) {
          const { message } = asError(error);
          logger.warn("tasks cannot begin yet", { error: message, attempt });
        }
        await sleep(io.clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  async #openOne(entry: Entry, starts: ReadonlyMap<string, TaskStart>): Promise<void> {
    const { restorer, io, logger, exclusively, snapshots } = this.parts;
    const { signal } = entry.ended;
    for (;;) {
      try {
        const stores = await this.#openStores(entry);
        const beganMs = io.clock.monotonicMs();
        await restorer.restore(stores.restorable(snapshots), signal);
        stores.keepRestored();
        await exclusively.run(() => this.#begin(entry, stores, starts));
        if (stores.isStateful && entry.active !== null) {
          const tookMs = Math.round(io.clock.monotonicMs() - beganMs);
          logger.info("task restored", { task: entry.id, tookMs });
        }
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) return await this.#failed(entry, asError(error));
        const { message } = asError(error);
        logger.warn("a store cannot be restored yet", { task: entry.id, error: message });
        await sleep(io.clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  async #begin(
    entry: Entry,
    stores: TaskStores,
    starts: ReadonlyMap<string, TaskStart>,
  ): Promise<void> {
    if (entry.ended.signal.aborted) return;
    const { topology, topics: { plan }, consumer, world, config } = this.parts;
    const [subtopology, partition] = partsOf(entry.id);
    // Not those that have been added meanwhile.
    const own = partitionsOf(entry.id, plan).flatMap((each) =>
      starts.get(partitionKey(each.topic, each.partition)) ?? []
    );
    const planned = plan.subtopologies[subtopology]!;
    const task = new Task(
      topology,
      planned.subtopology,
      partition,
      taskWorld(world, entry.id, stores),
    );
    const active = new ActiveTask(entry.id, task, stores, own, consumer, config);
    entry.active = active;
    for (const each of own) this.#readers.set(partitionKey(each.topic, each.partition), active);
    this.#running = [...this.#running, active];
    await consumer.assign(own.map(({ topic, partition: of, offset }) => {
      return { topic, partition: of, offset };
    }));
    this.events.opened();
  }

  async #failed(entry: Entry, error: Error): Promise<void> {
    await this.parts.exclusively.run(async () => {
      if (entry.ended.signal.aborted) return;
      await this.events.notOpened(entry.id, error);
    });
  }

  async #follow(entry: Entry): Promise<void> {
    const { restorer, io, logger, snapshots } = this.parts;
    const { signal } = entry.ended;
    while (!signal.aborted) {
      try {
        const stores = await this.#openStores(entry);
        await restorer.follow(stores.restorable(snapshots), signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const { message } = asError(error);
        logger.warn("a copy of a store cannot be kept now", { task: entry.id, error: message });
        const isDisk = error instanceof DiskError;
        if (isDisk || error instanceof CorruptStoreError) {
          // An engine that could not write, or is damaged, is to be opened again.
          entry.stores?.close();
          entry.stores = null;
        }
        await sleep(io.clock, isDisk ? DISK_RETRY_MS : RETRY_MS, signal).catch(() => {});
      }
    }
  }
}

/** What is tried again until it goes: a transaction of somebody else may be open for long. */
function isPassing(error: unknown): boolean {
  return isRetriableError(error) || error instanceof TimeoutError || isGoneError(error);
}
