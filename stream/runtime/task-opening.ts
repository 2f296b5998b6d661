/**
 * How a task of a member comes to run: its offsets are looked up, its stores opened and filled, then it
 * begins; or its stores are filled on and on, where it stands by. What does not go now is tried again until
 * it goes or the task is let go of.
 */
import type { Admin } from "../../client/admin.ts";
import type { Consumer } from "../../client/consumer.ts";
import { isGoneError, isRetriableError, TimeoutError } from "../../client/errors.ts";
import { partitionKey } from "../../client/group-protocol.ts";
import type { ClientIo } from "../../client/options.ts";
import { asError } from "../../core/as-error.ts";
import { Backoff } from "../../core/backoff.ts";
import { DiskError, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { Mutex } from "../../core/mutex.ts";
import { partsOf, type TaskId } from "../assignor/index.ts";
import { CorruptStoreError } from "../stores/log-structured/run-format.ts";
import { TaskLockedError } from "../stores/task-locks.ts";
import { Task } from "../task/task.ts";
import type { Topology } from "../topology/topology.ts";
import { ActiveTask, type TaskStart } from "./active-task.ts";
import type { Restorer } from "./restorer.ts";
import type { Snapshots } from "./snapshots.ts";
import type { StreamsConfig } from "./streams-config.ts";
import { partitionsOf } from "./task-partitions.ts";
import { startsOf } from "./task-starts.ts";
import { type StateProvider, TaskStores } from "./task-stores.ts";
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

/** A task of a member, from when it is given to it until it is let go of or changes its part. */
export interface Entry {
  readonly id: TaskId;
  readonly isStandby: boolean;
  /** The partitions that it reads, as they were when it was opened. */
  readonly reads: string;
  /** Ends what opens it, or follows its changelogs. */
  readonly ended: AbortController;
  stores: TaskStores | null;
  active: ActiveTask | null;
}

/** What is heard of tasks that are opened, while nothing else goes on. */
export interface OpeningEvents {
  /** It runs from now on. */
  began(active: ActiveTask): void;
  /** It cannot be opened. */
  notOpened(id: TaskId, error: Error): Promise<void>;
}

const RETRY_MS = 500;
const DISK_RETRY_MS = 10_000;
const COPY_RETRY_MAX_MS = 30_000;
/** So often is looked whether another thread has closed a task, and told after so long that it has not. */
const LOCK_RETRY_MS = 50;
const LOCK_TOLD_MS = 5000;
/** A thread that has not closed a task after so long does not come to it any more. */
const LOCK_WAIT_MS = 60_000;

/** See the head of the file. */
export class TaskOpening {
  constructor(private readonly parts: TaskParts, private readonly events: OpeningEvents) {}

  /** Has tasks run, after a pause. Resolves when they do, or do not and that was told. */
  async open(entries: readonly Entry[], delayMs: number): Promise<void> {
    const { io, topics: { plan }, logger, admin, topology, config, consumer } = this.parts;
    if (delayMs > 0) {
      const ended = AbortSignal.any(entries.map((entry) => entry.ended.signal));
      await sleep(io.clock, delayMs, ended).catch(() => {});
    }
    for (let attempt = 0;; attempt++) {
      const left = entries.filter((entry) => !entry.ended.signal.aborted);
      if (left.length === 0) return;
      const partitions = left.flatMap(({ id }) => partitionsOf(id, plan));
      const { signal } = left[0]!.ended;
      try {
        const starts = await startsOf(admin, topology, config, partitions, signal);
        // Known before it begins, while nothing else goes on.
        for (const { topic } of partitions) await consumer.cluster.topic(topic, { signal });
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
    // Brokers may be gone just now: there is nothing yet that would be left behind.
    await consumer.assign(own.map(({ topic, partition: of, offset }) => {
      return { topic, partition: of, offset };
    }));
    try {
      const worldOfIt = taskWorld(world, entry.id, stores);
      const task = new Task(topology, planned.subtopology, partition, worldOfIt);
      entry.active = new ActiveTask(entry.id, task, stores, own, consumer, config);
    } catch (error) {
      consumer.unassign(own);
      stores.close();
      entry.stores = null;
      throw error;
    }
    this.events.began(entry.active);
  }

  async #failed(entry: Entry, error: Error): Promise<void> {
    await this.parts.exclusively.run(async () => {
      if (entry.ended.signal.aborted) return;
      await this.events.notOpened(entry.id, error);
    });
  }

  /** Keeps copies of a task's stores until its signal. */
  async follow(entry: Entry): Promise<void> {
    const { restorer, io, logger, snapshots } = this.parts;
    const { signal } = entry.ended;
    const pauses = new Backoff(io.random, RETRY_MS, COPY_RETRY_MAX_MS);
    while (!signal.aborted) {
      const begunMs = io.clock.monotonicMs();
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
          // An engine that could not write is to be opened again; so is a damaged one, which is empty then.
          entry.stores?.close();
          entry.stores = null;
        }
        // It went well for long: this is about something else.
        if (io.clock.monotonicMs() - begunMs > COPY_RETRY_MAX_MS) pauses.reset();
        await sleep(io.clock, isDisk ? DISK_RETRY_MS : pauses.nextMs(), signal).catch(() => {});
      }
    }
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
}

/** What is tried again until it goes: a transaction of somebody else may be open for long. */
export function isPassing(error: unknown): boolean {
  return isRetriableError(error) || error instanceof TimeoutError || isGoneError(error);
}
