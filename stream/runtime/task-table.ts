/**
 * The tasks of a member. One is opened beside the others: its offsets are looked up, its stores filled,
 * then it runs; one that failed is opened again after a pause. What stands by has its stores filled on
 * and on.
 *
 *     open ─▶ (offsets, changelogs) ─▶ running ──close──▶ gone
 *       ▲────────── after a pause ───────┘ failed
 */
import { LogTruncationError, type OffsetOutOfRangeError } from "../../client/errors.ts";
import { partitionKey } from "../../client/group-protocol.ts";
import { asError } from "../../core/as-error.ts";
import { sleep } from "../../core/io.ts";
import type { SnapshotFigures } from "../../core/streams/live-application.ts";
import { partsOf, RUNNING, type TaskId } from "../assignor/index.ts";
import type { AnyStore } from "../stores/key-value-store.ts";
import type { ActiveTask } from "./active-task.ts";
import { type Entry, isPassing, TaskOpening, type TaskParts } from "./task-opening.ts";
import { partitionsOf } from "./task-partitions.ts";
import { freshStartsOf } from "./task-starts.ts";
import type { StoreSize } from "./task-stores.ts";

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

const RETRY_MS = 500;

/** See the head of the file. */
export class TaskTable {
  readonly #entries = new Map<TaskId, Entry>();
  /** By partition key. */
  readonly #readers = new Map<string, ActiveTask>();
  #running: ActiveTask[] = [];

  readonly #opening: TaskOpening;

  constructor(private readonly parts: TaskParts, events: TaskEvents) {
    this.#opening = new TaskOpening(parts, {
      began: (active) => {
        for (const { topic, partition } of active.partitions) {
          this.#readers.set(partitionKey(topic, partition), active);
        }
        this.#running = [...this.#running, active];
        events.opened();
      },
      notOpened: (id, error) => events.notOpened(id, error),
    });
  }

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
    if (entries.length > 0) void this.#opening.open(entries, delayMs);
  }

  /** Begins to keep copies of stores. */
  standBy(ids: readonly TaskId[]): void {
    for (const id of ids) void this.#opening.follow(this.#entry(id, true));
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
}
