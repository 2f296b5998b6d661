/**
 * What the controller gives to those who follow its metadata: changes by their positions, with a long
 * poll, and snapshots of the image for who is further behind than `RecentChanges` goes. Nothing is read
 * from the log for them: who has the image in force has all that they lack.
 */
import type { ControllerElection } from "../../cluster/controller-election.ts";
import { encodeChangeSteps, encodeSnapshotSteps } from "../../cluster/metadata-batches.ts";
import type { MetadataImage } from "../../cluster/metadata-image.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import type { Clock, Timer } from "../../core/io.ts";
import { setBaseOffset, setPartitionLeaderEpoch } from "../../core/records/batch-header.ts";
import { inTurns } from "../../core/steps.ts";
import type { Controller } from "../controller.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { RecentChange, RecentChanges } from "./recent-changes.ts";

/** What it is built from. */
export interface MetadataSourceOptions {
  readonly clock: Clock;
  readonly metadata: Pick<MetadataCache, "image">;
  readonly recent: RecentChanges;
  readonly controller: Pick<Controller, "isActive">;
  readonly election: Pick<ControllerElection, "controller" | "term" | "onChange">;
  /** Aborted when the broker begins to stop. */
  readonly stopping: AbortSignal;
}

/** Whom to ask, as far as this node knows; −1: nobody. */
export interface Leader {
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

/** An image at a position, as those who ask for it name it. */
export interface SnapshotId {
  readonly endOffset: number;
  readonly epoch: number;
}

/** A broker that follows, as its fetches tell. Times are wall clock. */
export interface FollowerState {
  readonly brokerId: number;
  readonly position: number;
  readonly fetchedMs: number;
  /** When it had everything the last time; −1: never. */
  readonly caughtUpMs: number;
}

/** Where a follower is, and how long it waits for more. */
export interface ChangesRequest {
  /** −1: it does not say. */
  readonly brokerId: number;
  readonly leaderEpoch: number;
  readonly position: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  /** Aborted when the follower has gone. */
  readonly signal: AbortSignal;
}

/** Whole batches; or the snapshot to begin with instead; or why there is neither. */
export interface ChangesAnswer {
  readonly error: ErrorCode;
  readonly leader: Leader;
  /** Where the log ends. */
  readonly end: number;
  readonly start: number;
  readonly batches: readonly Uint8Array[];
  readonly snapshot: SnapshotId | null;
}

/** A part of a snapshot, of which all the bytes are as `encodeSnapshot` makes them. */
export interface SnapshotRequest {
  readonly leaderEpoch: number;
  readonly id: SnapshotId;
  readonly position: number;
  readonly maxBytes: number;
}

export interface SnapshotAnswer {
  readonly error: ErrorCode;
  readonly leader: Leader;
  readonly sizeBytes: number;
  readonly bytes: Uint8Array;
}

interface Snapshot {
  readonly id: SnapshotId;
  readonly image: MetadataImage;
  /** Once somebody has asked. */
  bytes: Promise<Uint8Array> | null;
  usedMs: number;
}

/** Most that one answer holds, but for a single change that is larger. */
const ANSWER_BYTES_MAX = 1024 * 1024;
/** So many snapshots are kept, of different positions; */
const SNAPSHOTS_MAX = 2;
/** for so long after somebody has asked for a part. */
const SNAPSHOT_KEPT_MS = 60_000;
const NOTHING = new Uint8Array(0);

/** See the head of the file. `close` it. */
export class MetadataSource {
  readonly #options: MetadataSourceOptions;
  readonly #encoded = new WeakMap<RecentChange, Promise<Uint8Array>>();
  #snapshots: Snapshot[] = [];
  readonly #followers = new Map<number, FollowerState>();
  /** The term that they were heard of in. */
  #followersTerm = -1;
  #expiry: Timer | null = null;

  constructor(options: MetadataSourceOptions) {
    this.#options = options;
  }

  /** Who is controller, by what this node knows. */
  get leader(): Leader {
    const { controller } = this.#options.election;
    return { leaderId: controller?.nodeId ?? -1, leaderEpoch: controller?.term ?? -1 };
  }

  /** Who has followed in this term, and where they are. */
  get followers(): Iterable<FollowerState> {
    return this.#followers.values();
  }

  async changes(request: ChangesRequest): Promise<ChangesAnswer> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + request.maxWaitMs;
    for (;;) {
      const refused = this.#refusal(request.leaderEpoch);
      if (refused !== null) return this.#answer(refused);
      const { recent } = this.#options;
      this.#note(request, recent.end);
      if (request.position > recent.end) return this.#answer(Errors.OFFSET_OUT_OF_RANGE);
      if (request.position < recent.start) return this.#answer(Errors.NONE, [], this.#offer());
      if (request.position < recent.end) {
        const batches = await this.#batches(request);
        return this.#answer(this.#refusal(request.leaderEpoch) ?? Errors.NONE, batches);
      }
      if (!await this.#hasNews(deadlineMs, request.signal)) return this.#answer(Errors.NONE);
    }
  }

  async snapshot(request: SnapshotRequest): Promise<SnapshotAnswer> {
    const refuse = (error: ErrorCode) => ({
      error,
      leader: this.leader,
      sizeBytes: 0,
      bytes: NOTHING,
    });
    const refused = this.#refusal(request.leaderEpoch);
    if (refused !== null) return refuse(refused);
    const { id, position } = request;
    const snapshot = this.#snapshots.find((each) =>
      each.id.endOffset === id.endOffset && each.id.epoch === id.epoch
    );
    if (snapshot === undefined) return refuse(Errors.SNAPSHOT_NOT_FOUND);
    this.#use(snapshot);
    const bytes = await (snapshot.bytes ??= this.#encode(snapshot.image));
    if (position < 0 || position >= bytes.length) return refuse(Errors.POSITION_OUT_OF_RANGE);
    const maxBytes = Math.max(1, Math.min(request.maxBytes, ANSWER_BYTES_MAX));
    return {
      error: Errors.NONE,
      leader: this.leader,
      sizeBytes: bytes.length,
      bytes: bytes.subarray(position, position + maxBytes),
    };
  }

  close(): void {
    this.#expiry?.cancel();
    this.#snapshots = [];
  }

  #note({ brokerId, position }: ChangesRequest, end: number): void {
    const { clock, metadata } = this.#options;
    const term = this.#options.election.term ?? -1;
    if (this.#followersTerm !== term) this.#followers.clear();
    this.#followersTerm = term;
    // Nobody else can follow for long, so there are no more than brokers.
    if (!metadata.image.brokers.has(brokerId)) return;
    const fetchedMs = clock.wallMs();
    const caughtUpMs = position >= end
      ? fetchedMs
      : this.#followers.get(brokerId)?.caughtUpMs ?? -1;
    this.#followers.set(brokerId, { brokerId, position, fetchedMs, caughtUpMs });
  }

  /** Why this node answers nothing about this epoch, or null (`KafkaRaftClient`). */
  #refusal(leaderEpoch: number): ErrorCode | null {
    const { controller, election } = this.#options;
    const { leaderEpoch: known } = this.leader;
    const term = election.term ?? known;
    if (leaderEpoch < term) return Errors.FENCED_LEADER_EPOCH;
    if (leaderEpoch > term) return Errors.UNKNOWN_LEADER_EPOCH;
    const isLeader = election.term !== null && controller.isActive;
    return isLeader ? null : Errors.NOT_LEADER_OR_FOLLOWER;
  }

  #answer(
    error: ErrorCode,
    batches: readonly Uint8Array[] = [],
    snapshot: SnapshotId | null = null,
  ): ChangesAnswer {
    const { recent } = this.#options;
    const { leader } = this;
    if (error !== Errors.NONE) {
      return { error, leader, end: -1, start: -1, batches: [], snapshot: null };
    }
    return { error, leader, end: recent.end, start: recent.start, batches, snapshot };
  }

  async #batches(request: ChangesRequest): Promise<Uint8Array[]> {
    const { recent, election } = this.#options;
    const maxBytes = Math.min(request.maxBytes, ANSWER_BYTES_MAX);
    const batches: Uint8Array[] = [];
    let sizeBytes = 0;
    for (let position = request.position;;) {
      const change = recent.at(position);
      if (change === null) return batches;
      const batch = await this.#batchOf(change, election.term ?? request.leaderEpoch);
      if (batches.length > 0 && sizeBytes + batch.length > maxBytes) return batches;
      batches.push(batch);
      sizeBytes += batch.length;
      position = change.end;
    }
  }

  /** The same bytes for everybody who asks. */
  #batchOf(change: RecentChange, epoch: number): Promise<Uint8Array> {
    let encoded = this.#encoded.get(change);
    if (encoded === undefined) {
      const { clock } = this.#options;
      encoded = inTurns(clock, encodeChangeSteps(change.records, clock.wallMs())).then((batch) => {
        setBaseOffset(batch, 0, change.start);
        setPartitionLeaderEpoch(batch, 0, epoch);
        return batch;
      });
      this.#encoded.set(change, encoded);
    }
    return encoded;
  }

  /** A snapshot to begin with: one that somebody else takes already, if it is not too old. */
  #offer(): SnapshotId {
    const { metadata, recent, election } = this.#options;
    const { image } = metadata;
    let snapshot = this.#snapshots.find(({ id }) => id.endOffset >= recent.start);
    if (snapshot === undefined) {
      const id = { endOffset: image.position, epoch: election.term ?? 0 };
      snapshot = { id, image, bytes: null, usedMs: 0 };
      this.#snapshots = [snapshot, ...this.#snapshots].slice(0, SNAPSHOTS_MAX);
    }
    this.#use(snapshot);
    return snapshot.id;
  }

  #encode(image: MetadataImage): Promise<Uint8Array> {
    const { clock } = this.#options;
    return inTurns(clock, snapshotSteps(image, clock.wallMs()));
  }

  #use(snapshot: Snapshot): void {
    snapshot.usedMs = this.#options.clock.monotonicMs();
    this.#expiry ??= this.#options.clock.setTimer(SNAPSHOT_KEPT_MS, () => this.#expire());
  }

  #expire(): void {
    const { clock } = this.#options;
    const sinceMs = clock.monotonicMs() - SNAPSHOT_KEPT_MS;
    this.#snapshots = this.#snapshots.filter(({ usedMs }) => usedMs > sinceMs);
    this.#expiry = this.#snapshots.length === 0
      ? null
      : clock.setTimer(SNAPSHOT_KEPT_MS, () => this.#expire());
  }

  /** Resolves when there may be more to say: true, or false when it is time to say that there is not. */
  #hasNews(deadlineMs: number, signal: AbortSignal): Promise<boolean> {
    const { clock, recent, election, stopping } = this.#options;
    return new Promise((resolve) => {
      const settle = (hasNews: boolean) => {
        timer.cancel();
        for (const end of ends) end();
        resolve(hasNews);
      };
      const over = () => settle(false);
      const ends = [
        recent.onChange(() => settle(true)),
        election.onChange(() => settle(true)),
        () => signal.removeEventListener("abort", over),
        () => stopping.removeEventListener("abort", over),
      ];
      const timer = clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), over);
      if (signal.aborted || stopping.aborted) return over();
      for (const each of [signal, stopping]) each.addEventListener("abort", over, { once: true });
    });
  }
}

function* snapshotSteps(image: MetadataImage, wallMs: number) {
  const records = yield* image.toRecordsSteps();
  return yield* encodeSnapshotSteps(image.position, records, wallMs);
}
