/**
 * Snapshots of a member's stores (`state.snapshot.dir`): of the tasks that it processes they are taken now
 * and then, beside processing, one at a time; stores that have nothing begin with one. Whatever goes wrong
 * with them is told, and costs time alone: the changelog has everything.
 */
import type { Admin } from "../../client/admin.ts";
import { isRetriableError, TimeoutError } from "../../client/errors.ts";
import { asError } from "../../core/as-error.ts";
import { Backoff } from "../../core/backoff.ts";
import { type Clock, DiskError, type Random, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { Mutex } from "../../core/mutex.ts";
import type { ChangelogRange } from "./restorer.ts";
import { CorruptStoreError } from "../stores/log-structured/run-format.ts";
import type { StoreCopies } from "../stores/open-state.ts";
import type { SnapshotFigures } from "../../core/streams/live-application.ts";
import { loadSnapshot, type SnapshotTarget } from "../stores/snapshots/load-snapshot.ts";
import { pruneSnapshots } from "../stores/snapshots/prune-snapshots.ts";
import { snapshotsIn } from "../stores/snapshots/read-records.ts";
import type { SnapshotRecord } from "../stores/snapshots/snapshot-record.ts";
import type { SnapshotStore } from "../stores/snapshots/snapshot-store.ts";
import { takeSnapshot } from "../stores/snapshots/take-snapshot.ts";

export interface SnapshotsParts {
  readonly io: { readonly clock: Clock; readonly random: Random };
  readonly admin: Admin;
  readonly store: SnapshotStore;
  readonly intervalMs: number;
  /** Whether the application has a changelog of that name. */
  isChangelog(topic: string): boolean;
  readonly logger: Logger;
}

/** A store of a task, and its changelog. */
export interface StorePlace {
  readonly task: string;
  readonly store: string;
  readonly topic: string;
  readonly partition: number;
}

/** One that could be copied. */
export interface CopiedStore extends StorePlace {
  readonly copies: StoreCopies;
  /** As of the last commit. */
  readonly changelogOffset: bigint | null;
  /** Of the changelog; null: brokers before Kafka 2.8 give topics none, so there are no snapshots. */
  readonly topicId: string | null;
}

/** Of a topic that has an id. */
export type KnownRange = ChangelogRange & { readonly topicId: string };

interface Known {
  dueMs: number;
  /** Of the newest that there is; null: there is none. */
  offset: bigint | null;
  /** By the clock of who has taken it. */
  takenMs: number | null;
  isTold: boolean;
}

const FIRST_PAUSE_MS = 10_000;
const PAUSE_MAX_MS = 600_000;
/** A place that does not answer for so long is gone on without. */
const PATIENCE_MS = 30_000;
/** A snapshot that gets no further for so long is told of. */
const STUCK_MS = 120_000;
/**
 * Of the time for which changelogs keep that a key is gone: a store that is older could miss that, and
 * the rest is for restoring.
 */
const AGE_PART = 0.75;
const MINUTE_MS = 60_000;
/** What is left of changelogs that are none any more is looked for so often, a while after the start. */
const PRUNE_EVERY_MS = 86_400_000;
const PRUNE_FIRST_MS = 3_600_000;

/** See the head of the file. */
export class Snapshots {
  readonly #known = new Map<string, Known>();
  readonly #pauses: Backoff;
  readonly #ended = new AbortController();
  readonly #loading = new Mutex();
  #taking: { progressMs: number; isTold: boolean } | null = null;
  #pausedUntilMs = 0;
  #pruneDueMs: number;
  /** Of the last attempt to take one; null: it has gone well. */
  #failure: string | null = null;
  /** What was asked of the place and not answered: nothing else is asked for a store until it is. */
  #unanswered = 0;

  constructor(private readonly parts: SnapshotsParts) {
    this.#pauses = new Backoff(parts.io.random, FIRST_PAUSE_MS, PAUSE_MAX_MS);
    this.#pruneDueMs = this.#nowMs + PRUNE_FIRST_MS;
  }

  /** Of a changelog whose task is processed here. */
  figuresOf(topic: string, partition: number): SnapshotFigures {
    const takenMs = this.#known.get(keyOf({ topic, partition }))?.takenMs ?? null;
    const ageMs = takenMs === null ? null : Math.max(0, this.parts.io.clock.wallMs() - takenMs);
    return { ageMs, failure: this.#failure };
  }

  /** Begins to take one of a task's stores, if it is due. Throws nothing. */
  takeDue(stores: readonly CopiedStore[]): void {
    const nowMs = this.#nowMs;
    if (this.#taking !== null) return this.#tellIfStuck(this.#taking, nowMs);
    if (nowMs < this.#pausedUntilMs || this.#ended.signal.aborted) return;
    if (nowMs >= this.#pruneDueMs) return void this.#prune();
    const due = stores.find((each) => {
      if (each.topicId === null) return false;
      const known = this.#known.get(keyOf(each));
      if (known === undefined) return each.changelogOffset !== null;
      return nowMs >= known.dueMs && each.changelogOffset !== known.offset;
    });
    if (due !== undefined) void this.#take(due, due.topicId!);
  }

  /**
   * Brings the newest snapshot that will do into a store that is behind its changelog's beginning, or has
   * nothing. False: there is none. Rejects where the brokers cannot be asked now, with `DiskError` where the
   * store is to be opened again, and with the signal's reason.
   */
  async load(
    place: StorePlace,
    kind: string,
    range: KnownRange,
    target: SnapshotTarget,
    signal: AbortSignal,
  ): Promise<boolean> {
    // There is nothing to read.
    if (range.latest <= range.earliest) return false;
    return await this.#loading.run(async () => {
      signal.throwIfAborted();
      if (this.#unanswered > 0) return false;
      try {
        return await this.#load(place, kind, range, target, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (isBrokers(error) || error instanceof DiskError) throw error;
        this.#warn("no snapshot can be fetched", place, asError(error).message);
        return false;
      }
    });
  }

  /** What is being copied comes to nothing. */
  close(): void {
    this.#ended.abort(new Error("the member ends"));
  }

  get #nowMs(): number {
    return this.parts.io.clock.monotonicMs();
  }

  async #take(place: CopiedStore, topicId: string): Promise<void> {
    const { intervalMs, logger } = this.parts;
    const taking = this.#taking = { progressMs: this.#nowMs, isTold: false };
    const key = keyOf(place);
    try {
      const known = this.#known.get(key) ?? await this.#look(place, topicId);
      this.#known.set(key, known);
      if (this.#nowMs < known.dueMs) return;
      known.dueMs = this.#nowMs + intervalMs;
      await this.#copy(place, topicId, known, () => taking.progressMs = this.#nowMs);
      this.#pauses.reset();
      this.#failure = null;
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      this.#failure = asError(error).message;
      // One that is damaged is opened anew some time; others have their turn.
      const isDamaged = error instanceof CorruptStoreError;
      const pauseMs = isDamaged ? intervalMs : this.#pauses.nextMs();
      if (!isDamaged) this.#pausedUntilMs = this.#nowMs + pauseMs;
      const known = this.#known.get(key);
      if (known !== undefined) known.dueMs = this.#nowMs + pauseMs;
      const { task, store } = place;
      const { message } = asError(error);
      logger.warn("no snapshot is taken now", { task, store, error: message, pauseMs });
    } finally {
      this.#taking = null;
    }
  }

  /** Another member may have taken one lately. */
  async #look(place: CopiedStore, topicId: string): Promise<Known> {
    const { store, intervalMs, io } = this.parts;
    const folder = folderOf(place);
    const objects = await store.list(folder);
    for await (const { record } of snapshotsIn(store, folder, objects)) {
      if (record?.topicId !== topicId || record.kind !== place.copies.kind) continue;
      const { changelogOffset: offset, takenMs } = record;
      const ageMs = Math.max(0, io.clock.wallMs() - takenMs);
      const dueMs = this.#nowMs + Math.max(0, intervalMs - ageMs);
      return { dueMs, offset, takenMs, isTold: false };
    }
    return { dueMs: 0, offset: null, takenMs: null, isTold: false };
  }

  async #prune(): Promise<void> {
    const { store, io, logger, isChangelog } = this.parts;
    this.#pruneDueMs = this.#nowMs + PRUNE_EVERY_MS;
    this.#taking = { progressMs: this.#nowMs, isTold: false };
    try {
      const nowMs = io.clock.wallMs();
      const pruned = await pruneSnapshots(store, isChangelog, nowMs, this.#ended.signal);
      if (pruned.length === 0) return;
      logger.info("snapshots of stores that are no more removed", { changelogs: pruned.join(",") });
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      logger.warn("old snapshots are not removed", { error: asError(error).message });
    } finally {
      this.#taking = null;
    }
  }

  async #copy(
    place: CopiedStore,
    topicId: string,
    known: Known,
    onProgress: () => void,
  ): Promise<void> {
    const { io: { clock, random }, store, logger } = this.parts;
    const { task, copies } = place;
    // Its task may have been closed meanwhile.
    const pinned = copies.pin();
    if (pinned === null) return;
    const beganMs = this.#nowMs;
    const takenMs = clock.wallMs();
    try {
      const { bytes, copiedBytes } = await takeSnapshot(store, pinned, {
        ...{ folder: folderOf(place), kind: copies.kind, topicId, nowMs: takenMs },
        unique: Buffer.from(random.bytes(8)).toString("hex"),
        ...{ signal: this.#ended.signal, onProgress },
      });
      const offset = known.offset = pinned.changelogOffset;
      known.takenMs = takenMs;
      const tookMs = Math.round(this.#nowMs - beganMs);
      const level = known.isTold ? "debug" : "info";
      known.isTold = true;
      const what = { task, store: place.store, offset, bytes, copiedBytes, tookMs };
      logger[level]("snapshot taken", what);
    } finally {
      pinned.release();
    }
  }

  #tellIfStuck(taking: { progressMs: number; isTold: boolean }, nowMs: number): void {
    if (taking.isTold || nowMs - taking.progressMs < STUCK_MS) return;
    taking.isTold = true;
    this.parts.logger.warn("a snapshot gets no further: does the place answer?", {
      place: this.parts.store.place,
    });
  }

  async #load(
    place: StorePlace,
    kind: string,
    { topicId, earliest, latest }: KnownRange,
    target: SnapshotTarget,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { store, logger, io: { clock } } = this.parts;
    const folder = folderOf(place);
    const beganMs = this.#nowMs;
    const objects = await this.#answered(store.list(folder), signal);
    if (objects.length === 0) return false;
    const ageMaxMs = AGE_PART * await this.#tombstonesKeptMs(place.topic, signal);
    const wish = { kind, topicId, earliest, latest, nowMs: clock.wallMs(), ageMaxMs };
    const patient = { ...this.#patient(signal), place: store.place };
    const record = await loadSnapshot(patient, folder, objects, wish, target, {
      signal,
      refused: (name, why) => this.#warn(`snapshot ${name} is left`, place, why),
    });
    if (record === null) return false;
    const { changelogOffset: offset, takenMs } = record;
    logger.info(`store begins with a snapshot of ${agoText(wish.nowMs - takenMs)}`, {
      ...{ task: place.task, store: place.store, offset, left: BigInt(latest) - offset },
      bytes: sizeOf(record),
      tookMs: Math.round(this.#nowMs - beganMs),
    });
    return true;
  }

  /** For who cannot wait for ever. */
  #patient(signal: AbortSignal): SnapshotStore {
    const { store } = this.parts;
    const answered = <T>(work: Promise<T>) => this.#answered(work, signal);
    return {
      place: store.place,
      put: (name, pieces) => answered(store.put(name, pieces)),
      list: (folder) => answered(store.list(folder)),
      remove: (name) => answered(store.remove(name)),
      get: async function* (name) {
        const pieces = store.get(name)[Symbol.asyncIterator]();
        try {
          for (;;) {
            const next = await answered(pieces.next());
            if (next.done === true) return;
            yield next.value;
          }
        } finally {
          // It may hang as well.
          pieces.return?.()?.catch(() => {});
        }
      },
    };
  }

  async #answered<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    const over = new AbortController();
    const either = AbortSignal.any([over.signal, signal]);
    this.#unanswered++;
    const settled = () => void this.#unanswered--;
    work.then(settled, settled);
    const late = sleep(this.parts.io.clock, PATIENCE_MS, either).then(() => {
      throw new Error(`${this.parts.store.place} has not answered for ${PATIENCE_MS} ms`);
    });
    late.catch(() => {});
    try {
      return await Promise.race([work, late]);
    } finally {
      over.abort();
    }
  }

  async #tombstonesKeptMs(name: string, signal: AbortSignal): Promise<number> {
    const names = ["delete.retention.ms"];
    const [entry] = await this.parts.admin.describeConfigs({ type: "topic", name }, {
      ...{ names, signal },
    });
    const ms = Number(entry?.value ?? NaN);
    if (Number.isFinite(ms)) return ms;
    throw new Error(`the brokers do not tell ${names[0]} of ${name}`);
  }

  #warn(what: string, { task, store }: StorePlace, why: string): void {
    this.parts.logger.warn(`${what}: the changelog is read`, { task, store, why });
  }
}

function isBrokers(error: unknown): boolean {
  return isRetriableError(error) || error instanceof TimeoutError;
}

function keyOf({ topic, partition }: Pick<StorePlace, "topic" | "partition">): string {
  return `${topic}/${partition}`;
}

/** By the changelog: numbers of tasks are others when the topology changes. */
function folderOf(place: StorePlace): string {
  return `${keyOf(place)}/`;
}

function sizeOf({ files }: SnapshotRecord): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function agoText(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / MINUTE_MS));
  return minutes === 1 ? "a minute ago" : minutes === 0 ? "just now" : `${minutes} minutes ago`;
}
