/**
 * The persisted state of all share partitions in one partition of `__share_group_state` (Kafka's
 * `ShareCoordinatorShard`). A share partition's log is a snapshot and updates that count from it:
 *
 *     snapshot 0 · update · update · … · snapshot 1 · update · …
 *
 * Who reads or writes has to know an epoch that is not older than the last one heard of: the state
 * epoch is the group's, which grows with each initialization, the leader epoch the partition
 * leader's. An epoch of −1 is not checked.
 */
import { type ErrorCode, errorName, Errors } from "../../../core/errors.ts";
import type { Clock } from "../../../core/io.ts";
import type { CoordinatorResult, CoordinatorShard, CoordinatorTimers } from "../shard.ts";
import {
  type ShareKey,
  shareKeyString,
  type ShareRecord,
  type ShareState,
  type StateBatch,
} from "./share-records.ts";
import { combineStateBatches } from "./state-batches.ts";

/** Share partitions in one shard. With 50 shards that is five million. */
export const SHARE_PARTITIONS_PER_SHARD_MAX = 100_000;

/** What a shard is made of. */
export interface ShareShardOptions {
  readonly clock: Clock;
  readonly timers: CoordinatorTimers<ShareRecord>;
  /** share.coordinator.snapshot.update.records.per.snapshot */
  readonly updatesPerSnapshot: () => number;
  /** How many partitions the topic of this id has; undefined if there is none. */
  readonly partitionCount: (topicId: string) => number | undefined;
}

/** How it went for one share partition. */
export interface ShareOutcome {
  readonly errorCode: ErrorCode;
  readonly errorMessage: string | null;
}

/** What a partition leader reads. */
export interface ShareRead extends ShareOutcome {
  readonly stateEpoch: number;
  readonly startOffset: number;
  readonly stateBatches: readonly StateBatch[];
}

/** What the group coordinator reads to describe a group. */
export interface ShareSummary extends ShareOutcome {
  readonly stateEpoch: number;
  readonly leaderEpoch: number;
  readonly startOffset: number;
  readonly deliveryCompleteCount: number;
}

/** What a partition leader writes; −1 as an epoch, offset or count leaves it as it is. */
export interface ShareWrite {
  readonly stateEpoch: number;
  readonly leaderEpoch: number;
  readonly startOffset: number;
  readonly deliveryCompleteCount: number;
  readonly stateBatches: readonly StateBatch[];
}

type Result<T> = CoordinatorResult<ShareRecord, T>;

const DONE: ShareOutcome = { errorCode: Errors.NONE, errorMessage: null };
const WRITE_UNINITIALIZED = "Write operation on uninitialized share partition not allowed.";
const READ_UNINITIALIZED = "Read operation on uninitialized share partition not allowed.";

/** The answer that says `errorCode`, in these or in its own words. */
export function shareFailure(errorCode: ErrorCode, message?: string): ShareOutcome {
  return { errorCode, errorMessage: message ?? errorName(errorCode) };
}

/** A share partition as it is kept in memory. */
interface Kept {
  readonly key: ShareKey;
  state: ShareState;
  updatesSinceSnapshot: number;
}

/** See the header. */
export class ShareShard implements CoordinatorShard<ShareRecord> {
  readonly #options: ShareShardOptions;
  readonly #kept = new Map<string, Kept>();

  constructor(options: ShareShardOptions) {
    this.#options = options;
  }

  // ---- The log's view of the state.

  replay(record: ShareRecord): void {
    const id = shareKeyString(record.key);
    if (record.type === "ShareSnapshot") {
      if (record.value === null) this.#kept.delete(id);
      else this.#kept.set(id, { key: record.key, state: record.value, updatesSinceSnapshot: 0 });
      return;
    }
    const kept = this.#kept.get(id);
    // An update without its snapshot says too little; Kafka never writes one.
    if (kept === undefined) return;
    kept.state = updated(kept.state, record.value);
    kept.updatesSinceSnapshot++;
  }

  written(record: ShareRecord): void {
    this.replay(record);
  }

  stateKeys(): string[] {
    return [...this.#kept.keys()];
  }

  stateOf(id: string): ShareRecord[] {
    const kept = this.#kept.get(id);
    if (kept === undefined) return [];
    const snapshotEpoch = kept.state.snapshotEpoch + 1;
    return [{ type: "ShareSnapshot", key: kept.key, value: { ...kept.state, snapshotEpoch } }];
  }

  onLoaded(): void {
    this.#options.timers.schedule("drop deleted topics", 0, () => this.dropDeleted());
  }

  onUnloaded(): void {
    this.#kept.clear();
  }

  // ---- Operations, one per API.

  /** Begins anew at `startOffset`, with nothing delivered. */
  initialize(key: ShareKey, stateEpoch: number, startOffset: number): Result<ShareOutcome> {
    const kept = this.#kept.get(shareKeyString(key));
    if (key.partition < 0) return nothing(shareFailure(Errors.INVALID_REQUEST, NEGATIVE_PARTITION));
    if (isStale(stateEpoch, kept?.state.stateEpoch)) {
      return nothing(shareFailure(Errors.FENCED_STATE_EPOCH));
    }
    if (!this.#exists(key)) return nothing(shareFailure(Errors.UNKNOWN_TOPIC_OR_PARTITION));
    if (kept === undefined && this.#kept.size >= SHARE_PARTITIONS_PER_SHARD_MAX) {
      return nothing(shareFailure(Errors.COORDINATOR_NOT_AVAILABLE));
    }
    const nowMs = this.#options.clock.wallMs();
    const value: ShareState = {
      snapshotEpoch: kept === undefined ? 0 : kept.state.snapshotEpoch + 1,
      stateEpoch,
      leaderEpoch: kept?.state.leaderEpoch ?? 0,
      startOffset,
      deliveryCompleteCount: startOffset === -1 ? -1 : 0,
      createTimestampMs: nowMs,
      writeTimestampMs: nowMs,
      stateBatches: [],
    };
    return { records: [{ type: "ShareSnapshot", key, value }], response: DONE };
  }

  /** Everything that is known; a newer leader epoch is noted, so that older leaders are fenced. */
  read(key: ShareKey, leaderEpoch: number): Result<ShareRead> {
    const kept = this.#kept.get(shareKeyString(key));
    const problem = this.#problem(key, kept, leaderEpoch, READ_UNINITIALIZED);
    if (problem !== null || kept === undefined) {
      return nothing({
        ...(problem ?? shareFailure(Errors.INVALID_REQUEST, READ_UNINITIALIZED)),
        stateEpoch: 0,
        startOffset: 0,
        stateBatches: [],
      });
    }
    const { stateEpoch, startOffset, stateBatches, deliveryCompleteCount } = kept.state;
    const response = { ...DONE, stateEpoch, startOffset, stateBatches };
    if (leaderEpoch <= kept.state.leaderEpoch) return nothing(response);
    const write = { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount, stateBatches: [] };
    return { records: [this.#recordOf(kept, write)], response };
  }

  /** Changes what the write names. */
  write(key: ShareKey, write: ShareWrite): Result<ShareOutcome> {
    const kept = this.#kept.get(shareKeyString(key));
    const problem = this.#problem(key, kept, write.leaderEpoch, WRITE_UNINITIALIZED);
    if (problem !== null) return nothing(problem);
    if (kept === undefined) return nothing(shareFailure(Errors.INVALID_REQUEST));
    if (isStale(write.stateEpoch, kept.state.stateEpoch)) {
      return nothing(shareFailure(Errors.FENCED_STATE_EPOCH));
    }
    // The epoch of the leader is noted when it reads, which every leader does first.
    const { leaderEpoch } = kept.state;
    return { records: [this.#recordOf(kept, { ...write, leaderEpoch })], response: DONE };
  }

  /** Forgets the share partition; one that is not known is no error. */
  delete(key: ShareKey): Result<ShareOutcome> {
    if (key.partition < 0) return nothing(shareFailure(Errors.INVALID_REQUEST, NEGATIVE_PARTITION));
    if (!this.#exists(key)) return nothing(shareFailure(Errors.UNKNOWN_TOPIC_OR_PARTITION));
    if (!this.#kept.has(shareKeyString(key))) return nothing(DONE);
    return { records: [{ type: "ShareSnapshot", key, value: null }], response: DONE };
  }

  /** The state without its batches; of a share partition that is not known, −1 as its start. */
  summary(key: ShareKey): ShareSummary {
    const unknown = { stateEpoch: 0, leaderEpoch: 0, startOffset: -1, deliveryCompleteCount: -1 };
    if (key.partition < 0) {
      return { ...shareFailure(Errors.INVALID_REQUEST, NEGATIVE_PARTITION), ...unknown };
    }
    if (!this.#exists(key)) {
      return { ...shareFailure(Errors.UNKNOWN_TOPIC_OR_PARTITION), ...unknown };
    }
    const kept = this.#kept.get(shareKeyString(key));
    if (kept === undefined) return { ...DONE, ...unknown };
    const { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount } = kept.state;
    return { ...DONE, stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount };
  }

  /** Forgets the share partitions of topics that do not exist, or not any more. */
  dropDeleted(): Result<void> {
    const records: ShareRecord[] = [];
    for (const { key } of this.#kept.values()) {
      if (this.#options.partitionCount(key.topicId) === undefined) {
        records.push({ type: "ShareSnapshot", key, value: null });
      }
    }
    return { records, response: undefined, atomic: false };
  }

  // ---- Inside.

  #exists({ topicId, partition }: ShareKey): boolean {
    const count = this.#options.partitionCount(topicId);
    return count !== undefined && partition < count;
  }

  /** Why a leader may neither read nor write, in Kafka's order; null if it may. */
  #problem(
    key: ShareKey,
    kept: Kept | undefined,
    leaderEpoch: number,
    uninitialized: string,
  ): ShareOutcome | null {
    if (key.partition < 0) return shareFailure(Errors.INVALID_REQUEST, NEGATIVE_PARTITION);
    if (kept === undefined) return shareFailure(Errors.INVALID_REQUEST, uninitialized);
    if (isStale(leaderEpoch, kept.state.leaderEpoch)) {
      return shareFailure(Errors.FENCED_LEADER_EPOCH);
    }
    return this.#exists(key) ? null : shareFailure(Errors.UNKNOWN_TOPIC_OR_PARTITION);
  }

  /** An update, or a snapshot when enough of them have come since the last. */
  #recordOf(kept: Kept, write: ShareWrite): ShareRecord {
    const { key, state } = kept;
    const update = { ...write, snapshotEpoch: state.snapshotEpoch };
    if (kept.updatesSinceSnapshot < this.#options.updatesPerSnapshot()) {
      const { startOffset, leaderEpoch, deliveryCompleteCount } = write;
      const stateBatches = combineStateBatches([], write.stateBatches, startOffset);
      const value = { ...update, leaderEpoch, startOffset, deliveryCompleteCount, stateBatches };
      return { type: "ShareUpdate", key, value };
    }
    const nowMs = this.#options.clock.wallMs();
    return {
      type: "ShareSnapshot",
      key,
      value: {
        ...updated(state, update),
        snapshotEpoch: state.snapshotEpoch + 1,
        createTimestampMs: nowMs,
        writeTimestampMs: nowMs,
      },
    };
  }
}

const NEGATIVE_PARTITION = "The partition id cannot be a negative number.";

function nothing<T>(response: T): Result<T> {
  return { records: [], response };
}

/** Whether an epoch is older than the known one; −1 is not checked. */
function isStale(epoch: number, known: number | undefined): boolean {
  return epoch !== -1 && known !== undefined && epoch < known;
}

function updated(
  state: ShareState,
  update: Pick<
    ShareWrite,
    "leaderEpoch" | "startOffset" | "deliveryCompleteCount" | "stateBatches"
  >,
): ShareState {
  const startOffset = update.startOffset === -1 ? state.startOffset : update.startOffset;
  return {
    ...state,
    startOffset,
    leaderEpoch: update.leaderEpoch === -1 ? state.leaderEpoch : update.leaderEpoch,
    deliveryCompleteCount: update.deliveryCompleteCount,
    stateBatches: combineStateBatches(state.stateBatches, update.stateBatches, startOffset),
  };
}
