/**
 * How far groups are behind: records, and seconds since the record was written that they read next.
 *
 * Records are the high watermark less what is committed, of partitions that are here; of others the
 * leader is asked (`remote-ends.ts`). Seconds come from `lag-times.ts`.
 */
import type { Broker } from "../../broker/broker.ts";
import { type Committed, lagTimesOf } from "./lag-times.ts";
import { Slots } from "./slots.ts";

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

/** Keeps what it has looked up. */
export class GroupLags {
  readonly #slots = new Slots();

  constructor(private readonly broker: Broker) {}

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
    const seconds = await lagTimesOf(this.broker).secondsBehind(all, ends);
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
        sums.set(key, sum = { group, topic, partitions: 0, records: 0, seconds: NaN });
      }
      const end = ends[index];
      sum.partitions++;
      if (end === null || end === undefined) return;
      sum.records += Math.max(0, end - each.offset);
      // One that is not known must not hide what is known of other partitions.
      const known = seconds[index]!;
      if (Number.isNaN(known)) return;
      sum.seconds = Number.isNaN(sum.seconds) ? known : Math.max(sum.seconds, known);
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
}

function pairOf({ group, topic }: Committed): string {
  return `${group}\0${topic}`;
}
