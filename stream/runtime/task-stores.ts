/** The stores of a task: opened, filled from their changelogs, then used. */
import type { CacheBudget } from "../stores/cache-budget.ts";
import type { StoreEngine } from "../stores/engine.ts";
import type { AnyStore } from "../stores/key-value-store.ts";
import type { ChangeListener } from "../stores/logged-engine.ts";
import { openStoreOf, restoreRecord } from "../stores/open-store.ts";
import type { StoreCopies } from "../stores/open-state.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import { RecordContext } from "../task/record-context.ts";
import type { RestorableStore } from "./restorer.ts";
import type { CopiedStore, Snapshots, StorePlace } from "./snapshots.ts";
import type { PlannedSubtopology } from "./topic-plan.ts";

/** What holds a store, with the offset up to which its changelog is in it. */
export interface StateStore {
  readonly engine: StoreEngine;
  /** Null: nothing of it is. */
  readonly changelogOffset: bigint | null;
  /** The id of the topic that the offset is of; null: nobody has told. */
  readonly changelogId: string | null;
  /** In memory, until the next commit. */
  readonly uncommittedBytes: number;
  /** What it takes on disk; null: it is in memory. */
  readonly sizeBytes: number | null;
  /** What was put is kept, and with it this offset; what is put later is not before the next time. */
  commit(changelogOffset: bigint | null): void;
  /** What it has, and what is put from now on, is of the topic with that id. */
  setChangelogId(topicId: string): void;
  /** Begins with nothing. */
  wipe(): void;
  /** Null: there are none of what is in memory. */
  readonly copies: StoreCopies | null;
}

/** Where stores are kept. */
export interface StateProvider {
  /** Closing its engine closes it. */
  open(taskId: string, spec: StoreSpec): StateStore;
  /**
   * By task that is kept and that no thread of this process has open: the sum of the offsets up to which
   * the changelogs of these stores are in them.
   */
  restingPositions(storesOf: (taskId: string) => readonly string[]): ReadonlyMap<string, bigint>;
}

/** How much is in a store. */
export interface StoreSize {
  readonly store: string;
  /** About; those that wait in the record cache are not counted. */
  readonly entries: number;
  /** On disk; null: it is in memory. */
  readonly bytes: number | null;
  /** Null: it is not logged. */
  readonly changelog: string | null;
}

/** What a task has of a store that it does not process with. */
export interface StoreView {
  readonly store: AnyStore;
  /** Null: it is not logged. */
  readonly changelog: string | null;
  readonly partition: number;
}

interface Opened {
  readonly spec: StoreSpec;
  readonly state: StateStore;
  /** Null: it is not logged. */
  readonly changelog: string | null;
  /** The offset behind what is in it of its changelog. */
  offset: number | null;
  /** What was restored since it was looked how much of it is in memory. */
  unseenBytes: number;
}

function offsetOf({ changelogOffset }: StateStore): number | null {
  return changelogOffset === null ? null : Number(changelogOffset);
}

function commit({ state, offset }: Opened): void {
  state.commit(offset === null ? null : BigInt(offset));
}

/** So much of a store is held in memory before it is committed as it is restored. */
export const RESTORED_BYTES_MAX = 16 * 1024 * 1024;
/** Of what is restored, before it is looked whether that is so much. */
const LOOK_EVERY_BYTES = 1024 * 1024;
/** What a record takes besides its bytes. */
const RECORD_BYTES = 32;

/** See the head of the file. */
export class TaskStores {
  readonly #opened = new Map<string, Opened>();

  constructor(
    private readonly taskId: string,
    specs: ReadonlyMap<string, StoreSpec>,
    { subtopology, changelogs }: PlannedSubtopology,
    private readonly partition: number,
    provider: StateProvider,
  ) {
    try {
      for (const name of subtopology.stores) {
        const spec = specs.get(name)!;
        const state = provider.open(taskId, spec);
        const changelog = changelogs.get(name) ?? null;
        const offset = offsetOf(state);
        this.#opened.set(name, { spec, state, changelog, offset, unseenBytes: 0 });
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether it has stores that somebody else would have to restore. */
  get isStateful(): boolean {
    return [...this.#opened.values()].some(({ changelog }) => changelog !== null);
  }

  /** The sum of the offsets up to which changelogs are in them. */
  get position(): bigint {
    let sum = 0n;
    for (const { offset } of this.#opened.values()) sum += BigInt(offset ?? 0);
    return sum;
  }

  /** Ids of changelogs with their names, where they are known. */
  changelogIds(): [id: string, topic: string][] {
    return [...this.#opened.values()].flatMap(({ changelog, state: { changelogId } }) =>
      changelog === null || changelogId === null ? [] : [[changelogId, changelog]]
    );
  }

  /** Those that have a changelog, for the restorer. */
  restorable(snapshots: Snapshots | null): RestorableStore[] {
    return [...this.#opened.values()].flatMap((opened) => {
      const { spec, state, changelog: topic } = opened;
      if (topic === null) return [];
      return [{
        topic,
        partition: this.partition,
        get offset() {
          return opened.offset;
        },
        get topicId() {
          return state.changelogId;
        },
        setTopicId: (topicId) => state.setChangelogId(topicId),
        put: (key, value, timestampMs, next) => {
          restoreRecord(spec, state.engine, key, value, timestampMs);
          opened.offset = next;
          opened.unseenBytes += RECORD_BYTES + key.length + (value?.length ?? 0);
          if (opened.unseenBytes < LOOK_EVERY_BYTES) return;
          opened.unseenBytes = 0;
          if (state.uncommittedBytes > RESTORED_BYTES_MAX) commit(opened);
        },
        wipe: () => {
          state.wipe();
          opened.offset = null;
        },
        load: async (range, signal) => {
          const { copies } = state;
          if (snapshots === null || copies === null || range.topicId === null) return false;
          const place = this.#placeOf(opened, topic);
          const { topicId } = range;
          return await snapshots.load(place, copies.kind, { ...range, topicId }, {
            incoming: () => copies.incoming(),
            adopt: (incoming, changelogOffset) => {
              try {
                copies.adopt(incoming, changelogOffset);
                state.setChangelogId(topicId);
              } finally {
                opened.offset = offsetOf(state);
              }
            },
          }, signal);
        },
      }];
    });
  }

  /** Those of which there can be snapshots. */
  copied(): CopiedStore[] {
    return [...this.#opened.values()].flatMap((opened) => {
      const { state: { copies, changelogOffset, changelogId: topicId }, changelog } = opened;
      if (copies === null || changelog === null) return [];
      return [{ ...this.#placeOf(opened, changelog), copies, changelogOffset, topicId }];
    });
  }

  #placeOf({ spec: { name: store } }: Opened, topic: string): StorePlace {
    return { task: this.taskId, store, topic, partition: this.partition };
  }

  /** The store as nodes have it. */
  open(
    spec: StoreSpec,
    topic: string,
    onChange: ChangeListener | null,
    context: RecordContext,
    budget: CacheBudget,
  ): AnyStore {
    const { engine } = this.#opened.get(spec.name)!.state;
    return openStoreOf(spec, { engine, topic, onChange, context, budget });
  }

  /** All that was put is safe in changelogs, up to what `endOf` says of each. */
  commit(endOf: (topic: string, partition: number) => bigint | null): void {
    for (const opened of this.#opened.values()) {
      if (opened.changelog !== null) {
        const [before, end] = [opened.offset, endOf(opened.changelog, this.partition)];
        if (end !== null && (before === null || end > before)) opened.offset = Number(end);
      }
      commit(opened);
    }
  }

  /** What was restored is kept. Not for a task that runs: what it puts may come to nothing. */
  keepRestored(): void {
    for (const opened of this.#opened.values()) commit(opened);
  }

  sizes(): StoreSize[] {
    return [...this.#opened].map(([store, { state, changelog }]) => {
      const entries = state.engine.approximateCount;
      return { store, entries, bytes: state.sizeBytes, changelog };
    });
  }

  /** In memory, until the next commit. */
  get uncommittedBytes(): number {
    let bytes = 0;
    for (const { state } of this.#opened.values()) bytes += state.uncommittedBytes;
    return bytes;
  }

  /** A store to look into, beside who fills it; null: it has none of that name. It is not to be closed. */
  view(name: string, budget: CacheBudget): StoreView | null {
    const opened = this.#opened.get(name);
    if (opened === undefined) return null;
    const { state: { engine }, changelog } = opened;
    const spec = { ...opened.spec, isCached: false };
    const topic = changelog ?? `${name}-changelog`;
    const place = { engine, topic, onChange: null, context: new RecordContext(), budget };
    return { store: openStoreOf(spec, place), changelog, partition: this.partition };
  }

  /** Of a task that was never begun; the stores of one that was are closed with it. */
  close(): void {
    for (const { state } of this.#opened.values()) state.engine.close();
  }
}
