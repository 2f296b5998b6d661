/**
 * How far groups are behind: records, and seconds since the record was written that they read next.
 *
 * Records are the high watermark less what is committed, of partitions that are here; of others the
 * leader is asked (`remote-ends.ts`). Seconds come from the header of the batch that holds the committed
 * offset, which is looked up once and remembered until the group commits another one. What may be
 * looked up at once is bounded: then a group shows what was true at its last lookup, which is more.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Partition } from "../../broker/partition.ts";
import { baseTimestamp, BATCH_HEADER_BYTES } from "../../core/records/batch-header.ts";
import { type Chunk, DiskError } from "../../core/io.ts";
import { Slots } from "./slots.ts";

/** Lookups of timestamps for one answer, and how long they may take together. */
const LOOKUPS_MAX = 500;
const LOOKUPS_MS_MAX = 50;
/** Committed offsets whose timestamps are remembered. */
const REMEMBERED_MAX = 50_000;

/** What a group has committed in a topic, summed over its partitions. */
export interface GroupLag {
  readonly group: string;
  readonly topic: string;
  /** Partitions with a committed offset. */
  partitions: number;
  /** Records behind, of all partitions. */
  records: number;
  /** Of the partition that is furthest behind; 0: nobody is; NaN: not known. */
  seconds: number;
}

/** A partition of a group, for who wants each. */
export interface PartitionLag {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly committed: number;
  /** −1: not known. */
  readonly lag: number;
  readonly seconds: number;
}

/** Gives the end of a partition that is not here; null while it is not known. */
export type RemoteEnd = (topic: string, partition: number) => number | null;

/** What is there at a moment. */
export interface GroupsState {
  /** Groups by type and state, tab between. */
  readonly counts: ReadonlyMap<string, number>;
  /** At most as many pairs of group and topic as are to be shown, then the others as one. */
  readonly lags: readonly GroupLag[];
  /** All partitions, if they were asked for. */
  readonly partitions: readonly PartitionLag[];
}

interface Remembered {
  readonly offset: number;
  readonly timestampMs: number;
}

interface Committed {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Keeps what it has looked up. */
export class GroupLags {
  readonly #slots = new Slots();
  /** By group, topic and partition, the one that was asked for longest ago first. */
  readonly #remembered = new Map<string, Remembered>();

  constructor(private readonly broker: Pick<Broker, "groups" | "partitions" | "io">) {}

  /** Looks at all groups; `max`: pairs of group and topic that are shown by name. */
  async look(max: number, remoteEnd: RemoteEnd, withPartitions: boolean): Promise<GroupsState> {
    const counts = new Map<string, number>();
    const all: Committed[] = [];
    this.broker.groups.visit((group, offsets) => {
      const key = `${group.kind}\t${group.state}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      for (const [topic, partitions] of offsets.all(group.groupId)) {
        for (const [partition, { offset }] of partitions) {
          all.push({ group: group.groupId, topic, partition, offset: Number(offset) });
        }
      }
    });
    this.#slots.update(new Set(all.map(pairOf)), max);
    const ends = all.map((each) => this.#endOf(each, remoteEnd));
    const seconds = await this.#secondsOf(all, ends);
    const partitions = withPartitions
      ? all.map((each, index) => ({
        group: each.group,
        topic: each.topic,
        partition: each.partition,
        committed: each.offset,
        lag: ends[index] === null ? -1 : Math.max(0, ends[index]! - each.offset),
        seconds: seconds[index]!,
      }))
      : [];
    return { counts, lags: this.#sum(all, ends, seconds), partitions };
  }

  #sum(
    all: readonly Committed[],
    ends: readonly (number | null)[],
    seconds: readonly number[],
  ): GroupLag[] {
    const sums = new Map<string, GroupLag>();
    all.forEach((each, index) => {
      const pair = pairOf(each);
      const isShown = this.#slots.shows(pair);
      const { group, topic } = isShown ? each : { group: "other", topic: "other" };
      const key = isShown ? pair : "";
      let sum = sums.get(key);
      if (sum === undefined) {
        sums.set(key, sum = { group, topic, partitions: 0, records: 0, seconds: 0 });
      }
      const end = ends[index];
      sum.partitions++;
      if (end === null || end === undefined) return;
      sum.records += Math.max(0, end - each.offset);
      // An unknown time must not hide behind the known ones of other partitions, nor they behind it.
      const known = seconds[index]!;
      if (!Number.isNaN(known)) sum.seconds = Math.max(sum.seconds, known);
    });
    return [...sums.values()];
  }

  #endOf({ topic, partition }: Committed, remoteEnd: RemoteEnd): number | null {
    const found = this.broker.partitions.find(topic, partition);
    if (typeof found !== "number" && found.isLeader) return found.highWatermark;
    const remote = remoteEnd(topic, partition);
    if (remote !== null) return remote;
    return typeof found === "number" ? null : found.highWatermark;
  }

  async #secondsOf(
    all: readonly Committed[],
    ends: readonly (number | null)[],
  ): Promise<number[]> {
    const { clock } = this.broker.io;
    const nowMs = clock.wallMs();
    const untilMs = clock.monotonicMs() + LOOKUPS_MS_MAX;
    let lookups = LOOKUPS_MAX;
    const seconds: number[] = [];
    for (let index = 0; index < all.length; index++) {
      const each = all[index]!;
      const end = ends[index];
      if (end === null || end === undefined) {
        seconds.push(NaN);
        continue;
      }
      if (each.offset >= end) {
        seconds.push(0);
        continue;
      }
      const key = `${pairOf(each)}\0${each.partition}`;
      let known = this.#remembered.get(key);
      const isOld = known === undefined || known.offset !== each.offset;
      if (isOld && lookups > 0 && clock.monotonicMs() < untilMs) {
        lookups--;
        known = await this.#lookUp(each) ?? known;
      }
      this.#remember(key, known);
      seconds.push(known === undefined ? NaN : Math.max(0, (nowMs - known.timestampMs) / 1000));
    }
    return seconds;
  }

  #remember(key: string, known: Remembered | undefined): void {
    if (known === undefined) return;
    this.#remembered.delete(key);
    this.#remembered.set(key, known);
    if (this.#remembered.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#remembered.keys()) {
      this.#remembered.delete(oldest);
      return;
    }
  }

  async #lookUp({ topic, partition, offset }: Committed): Promise<Remembered | undefined> {
    const found = this.broker.partitions.find(topic, partition);
    if (typeof found === "number" || found.closed || found.failed) return undefined;
    // What retention has removed is not read any more: the group goes on at the start.
    const from = Math.max(offset, found.logStartOffset);
    const timestampMs = await timestampAt(found, from);
    return timestampMs === null ? undefined : { offset, timestampMs };
  }
}

function pairOf({ group, topic }: Committed): string {
  return `${group}\0${topic}`;
}

/** The first timestamp in the batch that holds the offset; null if it cannot be read or has none. */
async function timestampAt(partition: Partition, offset: number): Promise<number | null> {
  const located = await partition.fetch(offset, 1, "log_end", true);
  if (!located.ok || located.records.length < BATCH_HEADER_BYTES) return null;
  try {
    const timestampMs = baseTimestamp(await headerOf(located.records), 0);
    return timestampMs < 0 ? null : timestampMs;
  } catch (error) {
    if (error instanceof DiskError) return null;
    throw error;
  }
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
