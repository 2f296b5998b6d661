import { type ErrorCode, Errors } from "../core/errors.ts";
import type { Chunk, Clock } from "../core/io.ts";
import { diverges } from "../cluster/replication/divergence.ts";
import type { FollowerFetch } from "../cluster/replication/leader-replicas.ts";
import type { AbortedTransaction, LocateResult } from "../storage/partition-log.ts";
import { waitForData, type Watch } from "./delayed.ts";
import type { FetchSession, FetchTarget, SessionPartition } from "./fetch-session.ts";
import type { Isolation, Partition } from "./partition.ts";
import type { ReplicaSelector } from "./replica-selector.ts";

/** What one partition of a fetch came to. */
export interface FetchEntry {
  readonly session: SessionPartition;
  readonly partition: Partition | null;
  readonly error: ErrorCode;
  /** Whole batches; empty if there is nothing to read or an error. */
  readonly records: Chunk;
  /** Where the client's log and this one part (KIP-595); null if they agree or it did not ask. */
  readonly diverging: { readonly leaderEpoch: number; readonly endOffset: number } | null;
  /** What a read_committed reader has to leave out of the records; null for other readers. */
  readonly aborted: readonly AbortedTransaction[] | null;
  /** `partition.visibleBytes` at the read. */
  readonly visibleBytes: number;
  /** The broker that the client had better fetch from; −1: this one. */
  readonly preferredReplica: number;
}

/** Holds back a follower that is not in sync. */
export interface FollowerThrottle {
  holdsBack(partition: Partition): boolean;
  record(partition: Partition, bytes: number): void;
}

/** How a fetch reads and waits. */
export interface FetchParams {
  readonly isolation: Isolation;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly deadlineMs: number;
  /** Aborted when the connection goes. */
  readonly signal: AbortSignal;
  /** Aborted when the broker stops: what is there is answered then. */
  readonly stopping: AbortSignal;
  /** Of a follower: its end ends the waiting. */
  readonly session: Pick<FetchSession, "waiting"> | null;
  /** Who fetches as a follower, so that what is asked for counts as what it has; null: a client. */
  readonly follower: Pick<FollowerFetch, "brokerId" | "brokerEpoch"> | null;
  /** Whether this broker answers also where it only follows (KIP-392). */
  readonly fromFollowers: boolean;
  /** What of it a follower may get at the moment (KIP-73); null: everything. */
  readonly throttle: FollowerThrottle | null;
  /** Sends consumers to nearer replicas; null: it does not. */
  readonly select: ReplicaSelector | null;
  /** Whether a high watermark that the session's client does not know is reason enough to answer. */
  readonly tellsHighWatermarks: boolean;
  /** Finds the partition of a target, or says why it is not served. */
  readonly find: (target: FetchTarget) => Partition | ErrorCode;
}

const NOTHING = new Uint8Array(0);

/**
 * Reads the partitions in turn within the bounds of the request and, while there is less than
 * `minBytes`, waits for more until the deadline. Answers at once, without a promise, where the
 * data is there and in memory. As Kafka's `ReplicaManager.fetchMessages`:
 *
 * - the first batch found is returned even if it is larger than every bound, so that a consumer
 *   cannot get stuck on it;
 * - an error, a diverging epoch or a nearer replica of any partition ends the waiting.
 */
export function runFetch(
  clock: Clock,
  partitions: readonly SessionPartition[],
  params: FetchParams,
): readonly FetchEntry[] | Promise<readonly FetchEntry[]> {
  const round = readRound(partitions, params);
  if (!(round instanceof Promise)) {
    if (isDone(clock, round, params)) return round;
  }
  return waitAndRead(clock, partitions, params, round);
}

async function waitAndRead(
  clock: Clock,
  partitions: readonly SessionPartition[],
  params: FetchParams,
  first: readonly FetchEntry[] | Promise<readonly FetchEntry[]>,
): Promise<readonly FetchEntry[]> {
  let entries = await first;
  while (!isDone(clock, entries, params)) {
    const wake = await waitForData(
      clock,
      watchesOf(entries, params.isolation),
      params.minBytes,
      params.deadlineMs,
      params.signal,
      params.stopping,
      params.session,
    );
    if (wake === "aborted") return entries;
    // The same fetch as before: it says no more now than it did then.
    entries = await readRound(partitions, { ...params, follower: null, select: null });
    // What was counted while waiting may be more than the bounds let through: that is enough then.
    if (wake === "deadline" || totalBytes(entries) > 0) return entries;
  }
  return entries;
}

function isDone(clock: Clock, entries: readonly FetchEntry[], params: FetchParams): boolean {
  if (totalBytes(entries) >= params.minBytes || entries.length === 0) return true;
  for (const entry of entries) {
    if (entry.error !== Errors.NONE || entry.diverging !== null) return true;
    if (entry.preferredReplica >= 0) return true;
    if (params.tellsHighWatermarks && knowsLess(entry)) return true;
  }
  return params.signal.aborted || params.stopping.aborted ||
    clock.monotonicMs() >= params.deadlineMs;
}

function knowsLess({ partition, session }: FetchEntry): boolean {
  return partition !== null && session.sentHighWatermark !== partition.highWatermark;
}

function totalBytes(entries: readonly FetchEntry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.records.length;
  return bytes;
}

function watchesOf(entries: readonly FetchEntry[], isolation: Isolation): Watch[] {
  const watches: Watch[] = [];
  for (const { partition, records, visibleBytes, session } of entries) {
    if (partition === null) continue;
    const maxBytes = session.target.maxBytes;
    watches.push({ partition, readBytes: records.length, visibleBytes, maxBytes, isolation });
  }
  return watches;
}

/** Reads every partition once, without waiting for new data. */
function readRound(
  partitions: readonly SessionPartition[],
  params: FetchParams,
): FetchEntry[] | Promise<FetchEntry[]> {
  const entries: FetchEntry[] = [];
  const budget = { remainingBytes: params.maxBytes, minOneBatch: true };
  for (let i = 0; i < partitions.length; i++) {
    const entry = readOne(partitions[i], params, budget);
    if (entry instanceof Promise) return readRest(entry, entries, partitions, params, budget);
    entries.push(entry);
  }
  return entries;
}

async function readRest(
  first: Promise<FetchEntry>,
  entries: FetchEntry[],
  partitions: readonly SessionPartition[],
  params: FetchParams,
  budget: ReadBudget,
): Promise<FetchEntry[]> {
  entries.push(await first);
  for (let i = entries.length; i < partitions.length; i++) {
    entries.push(await readOne(partitions[i], params, budget));
  }
  return entries;
}

/** What is left for the partitions to come. */
interface ReadBudget {
  remainingBytes: number;
  minOneBatch: boolean;
}

function readOne(
  session: SessionPartition,
  params: FetchParams,
  budget: ReadBudget,
): FetchEntry | Promise<FetchEntry> {
  const target = session.target;
  const found = params.find(target);
  if (typeof found === "number") return failure(session, null, found);
  const error = params.fromFollowers
    ? found.checkReplica(target.currentLeaderEpoch)
    : found.checkLeader(target.currentLeaderEpoch);
  if (error !== Errors.NONE) return failure(session, found, error);
  if (target.lastFetchedEpoch >= 0) {
    const end = found.epochEndOffset(target.lastFetchedEpoch);
    if (end.leaderEpoch < 0) return failure(session, found, Errors.OFFSET_OUT_OF_RANGE);
    if (diverges(end, target.fetchOffset, target.lastFetchedEpoch)) {
      return { ...failure(session, found, Errors.NONE), diverging: end };
    }
  }
  const preferred = params.select?.(found, target.fetchOffset) ?? null;
  if (preferred !== null) {
    return { ...failure(session, found, Errors.NONE), preferredReplica: preferred };
  }
  const visibleBytes = found.visibleBytes(params.isolation);
  const maxBytes = Math.min(target.maxBytes, budget.remainingBytes);
  const result = found.fetch(target.fetchOffset, maxBytes, params.isolation, budget.minOneBatch);
  if (result instanceof Promise) {
    return result.then((result) => take(session, found, visibleBytes, result, budget, params));
  }
  return take(session, found, visibleBytes, result, budget, params);
}

function take(
  session: SessionPartition,
  partition: Partition,
  visibleBytes: number,
  result: LocateResult,
  budget: ReadBudget,
  { isolation, follower, throttle }: FetchParams,
): FetchEntry {
  if (!result.ok) {
    partition.noteRefusal(session.target.fetchOffset, result.error);
    return failure(session, partition, result.error);
  }
  if (follower !== null) {
    const { fetchOffset, logStartOffset } = session.target;
    const isNoted = partition.noteFetch({ ...follower, fetchOffset, logStartOffset });
    if (!isNoted) return failure(session, partition, Errors.NOT_LEADER_OR_FOLLOWER);
  }
  const { nextOffset } = result;
  const records = throttle?.holdsBack(partition) === true ? NOTHING : result.records;
  throttle?.record(partition, records.length);
  const aborted = isolation !== "read_committed"
    ? null
    : records.length === 0
    ? []
    : partition.abortedTransactions(session.target.fetchOffset, nextOffset);
  if (aborted === null && isolation === "read_committed") {
    return failure(session, partition, Errors.KAFKA_STORAGE_ERROR);
  }
  if (records.length > 0) {
    budget.remainingBytes = Math.max(0, budget.remainingBytes - records.length);
    budget.minOneBatch = false;
  }
  return {
    session,
    partition,
    error: Errors.NONE,
    records,
    diverging: null,
    aborted,
    visibleBytes,
    preferredReplica: -1,
  };
}

function failure(
  session: SessionPartition,
  partition: Partition | null,
  error: ErrorCode,
): FetchEntry {
  return {
    session,
    partition,
    error,
    records: NOTHING,
    diverging: null,
    aborted: null,
    visibleBytes: 0,
    preferredReplica: -1,
  };
}
