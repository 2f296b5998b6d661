/**
 * How far groups are behind in time: the seconds since the record was written that they read next.
 *
 * They come from the header of the batch that holds the committed offset: of the replica that is here,
 * else of the leader, from which one batch is fetched. What was looked up is remembered until the group
 * commits another offset. What may be looked up for one answer is bounded: then a group shows what was
 * true at its last lookup, which is more, or nothing if there was none.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Partition } from "../../broker/partition.ts";
import type { Connection } from "../../core/connection.ts";
import { groupBy } from "../../core/group-by.ts";
import { type Chunk, DiskError, sleep } from "../../core/io.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { baseTimestamp, BATCH_HEADER_BYTES } from "../../core/records/batch-header.ts";

/** How long lookups in replicas that are here may take for one answer. */
const LOCAL_MS_MAX = 50;
/** So long they hold the event loop at a time. */
const TURN_MS = 4;
/** Lookups at leaders elsewhere for one answer, and how long they may take: each is of a whole batch. */
const REMOTE_MAX = 32;
const REMOTE_MS_MAX = 500;
/** Offsets whose times are remembered. */
const REMEMBERED_MAX = 50_000;
/** Topics by name, not by id. */
const FETCH_VERSION_MAX = 12;

/** Where a group reads next. */
export interface Committed {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

interface Remembered {
  readonly offset: number;
  readonly timestampMs: number;
}

type OwnBroker = Pick<
  Broker,
  "cluster" | "io" | "metadata" | "nodeId" | "partitions" | "stopping"
>;

const ofBrokers = new WeakMap<OwnBroker, LagTimes>();

/** What is remembered of a broker, whoever asks. */
export function lagTimesOf(broker: OwnBroker): LagTimes {
  let times = ofBrokers.get(broker);
  if (times === undefined) ofBrokers.set(broker, times = new LagTimes(broker));
  return times;
}

/** See the head of the file. */
export class LagTimes {
  /** By group, topic and partition, the one that was asked for longest ago first. */
  readonly #remembered = new Map<string, Remembered>();

  constructor(private readonly broker: OwnBroker) {}

  /**
   * Seconds for each; 0: all is read, NaN: not known. `ends`: where the partitions end; null: that is
   * not known either.
   */
  async secondsBehind(
    all: readonly Committed[],
    ends: readonly (number | null)[],
  ): Promise<number[]> {
    const isBehind = (each: Committed, index: number) => (ends[index] ?? -1) > each.offset;
    const wanted = all.filter((each, index) => isBehind(each, index) && !this.#isKnown(each));
    await this.#lookUpRemote(await this.#lookUpLocal(wanted));
    const nowMs = this.broker.io.clock.wallMs();
    return all.map((each, index) => {
      const end = ends[index];
      if (end === null || end === undefined) return NaN;
      if (each.offset >= end) return 0;
      const known = this.#recall(each);
      return known === undefined ? NaN : Math.max(0, (nowMs - known.timestampMs) / 1000);
    });
  }

  #isKnown(committed: Committed): boolean {
    return this.#remembered.get(keyOf(committed))?.offset === committed.offset;
  }

  /** What it was at the last lookup, if not now. */
  #recall(committed: Committed): Remembered | undefined {
    const key = keyOf(committed);
    const known = this.#remembered.get(key);
    if (known !== undefined && this.#remembered.delete(key)) this.#remembered.set(key, known);
    return known;
  }

  #remember(committed: Committed, timestampMs: number): void {
    const key = keyOf(committed);
    this.#remembered.delete(key);
    this.#remembered.set(key, { offset: committed.offset, timestampMs });
    if (this.#remembered.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#remembered.keys()) {
      this.#remembered.delete(oldest);
      return;
    }
  }

  /** Gives back those of partitions that have no replica here. */
  async #lookUpLocal(wanted: readonly Committed[]): Promise<Committed[]> {
    const { io: { clock }, partitions } = this.broker;
    const beganMs = clock.monotonicMs();
    let turnBeganMs = beganMs;
    const elsewhere: Committed[] = [];
    for (const each of wanted) {
      const found = partitions.find(each.topic, each.partition);
      if (typeof found === "number") {
        elsewhere.push(each);
        continue;
      }
      const nowMs = clock.monotonicMs();
      if (nowMs - beganMs >= LOCAL_MS_MAX) continue;
      if (nowMs - turnBeganMs >= TURN_MS) {
        await sleep(clock, 0);
        turnBeganMs = clock.monotonicMs();
      }
      const timestampMs = await timestampHere(found, each.offset);
      if (timestampMs !== null) this.#remember(each, timestampMs);
    }
    return elsewhere;
  }

  async #lookUpRemote(elsewhere: readonly Committed[]): Promise<void> {
    const { cluster, io: { clock }, metadata, nodeId, stopping } = this.broker;
    if (cluster === null || elsewhere.length === 0) return;
    const leaderOf = ({ topic, partition }: Committed) =>
      metadata.topic(topic)?.partitions[partition]?.leader ?? -1;
    const byLeader = groupBy(elsewhere.slice(0, REMOTE_MAX), leaderOf);
    const enough = new AbortController();
    const signal = AbortSignal.any([stopping, enough.signal]);
    const rounds = Array.from(byLeader, async ([leader, wanted]) => {
      if (leader < 0 || leader === nodeId) return;
      // A connection of its own: one that comes too late is closed, and others must not suffer for it.
      const connection = await cluster.peers.connect(leader, "lag", signal);
      for (const each of wanted) {
        signal.throwIfAborted();
        const timestampMs = await timestampThere(connection, each, signal);
        if (timestampMs !== null) this.#remember(each, timestampMs);
      }
    });
    // What cannot be learnt now is not known.
    const all = Promise.allSettled(rounds);
    await Promise.race([all, sleep(clock, REMOTE_MS_MAX, enough.signal).catch(() => {})]);
    enough.abort();
  }
}

function keyOf({ group, topic, partition }: Committed): string {
  return `${group}\0${topic}\0${partition}`;
}

/** The first timestamp in the batch that holds the offset; null if it cannot be read or has none. */
async function timestampHere(partition: Partition, offset: number): Promise<number | null> {
  if (partition.closed || partition.failed) return null;
  // What retention has removed is not read any more: the group goes on at the start.
  const from = Math.max(offset, partition.logStartOffset);
  const located = await partition.fetch(from, 1, "log_end", true);
  if (!located.ok || located.records.length < BATCH_HEADER_BYTES) return null;
  try {
    return timeIn(await headerOf(located.records));
  } catch (error) {
    if (error instanceof DiskError) return null;
    throw error;
  }
}

/** The same of a leader elsewhere: one byte asks for one batch. */
async function timestampThere(
  connection: Connection,
  { topic, partition, offset }: Committed,
  signal: AbortSignal,
): Promise<number | null> {
  const partitions = [{ partition, fetchOffset: BigInt(offset), partitionMaxBytes: 1 }];
  const answer = await connection.request(fetch, {
    ...{ maxWaitMs: 0, minBytes: 0, maxBytes: 1, topics: [{ topic, partitions }] },
  }, { timeoutMs: REMOTE_MS_MAX, maxVersion: FETCH_VERSION_MAX, signal });
  const records = answer.responses[0]?.partitions[0]?.records ?? null;
  return records === null || records.length < BATCH_HEADER_BYTES ? null : timeIn(records);
}

function timeIn(batch: Uint8Array): number | null {
  const timestampMs = baseTimestamp(batch, 0);
  return timestampMs < 0 ? null : timestampMs;
}

async function headerOf(records: Chunk): Promise<Uint8Array> {
  if (records instanceof Uint8Array) return records;
  const { file, release } = records.open();
  try {
    const header = new Uint8Array(BATCH_HEADER_BYTES);
    await file.read(header, records.position);
    return header;
  } finally {
    release();
  }
}
