/**
 * Gives each member a run of partitions of every topic, in the order of members, so that members
 * with the same subscription get the same partitions of topics with equal counts (co-partitioning).
 * Kafka's `RangeAssignor`.
 */
import { allTopicIds, type Assignor, type AssignorMember } from "../modern/assignor.ts";
import type { Assignment } from "../modern/topic-partitions.ts";

/** See the header. */
export const rangeAssignor: Assignor = {
  name: "range",
  assign: ({ members, partitionCount }) => {
    const ordered = [...members].toSorted(byInstanceThenId);
    const shares = new Map<string, Share>();
    for (const topicId of allTopicIds(ordered)) {
      shares.set(topicId, { topicId, partitions: partitionCount(topicId), readers: 0, next: 0 });
    }
    const sharesOf = new Map<ReadonlySet<string>, Share[]>();
    for (const { topicIds } of ordered) {
      const mine = sharesOf.get(topicIds) ?? Array.from(topicIds, (id) => shares.get(id)!);
      sharesOf.set(topicIds, mine);
      for (const share of mine) share.readers++;
    }
    const targets = new Map<string, Assignment>();
    for (const { memberId, topicIds } of ordered) {
      const target = new Map<string, Set<number>>();
      for (const share of sharesOf.get(topicIds)!) {
        const range = nextRange(share);
        if (range !== null) target.set(share.topicId, range);
      }
      targets.set(memberId, target);
    }
    return targets;
  },
};

/** A topic that is dealt out; `next` is the index of the next of its readers. */
interface Share {
  readonly topicId: string;
  readonly partitions: number;
  readers: number;
  next: number;
}

/** The partitions of the next reader; the first ones get those that do not divide. */
function nextRange(share: Share): Set<number> | null {
  const { partitions, readers } = share;
  const index = share.next++;
  if (index >= partitions) return null;
  const quota = Math.floor(partitions / readers);
  const extra = partitions % readers;
  const start = quota * index + Math.min(index, extra);
  const end = start + quota + (index < extra ? 1 : 0);
  const range = new Set<number>();
  for (let partition = start; partition < end; partition++) range.add(partition);
  return range;
}

/** Static members first, by instance id, so that a new member id changes nothing. */
function byInstanceThenId(a: AssignorMember, b: AssignorMember): number {
  if (a.instanceId !== null && b.instanceId !== null) return compare(a.instanceId, b.instanceId);
  if (a.instanceId !== null) return -1;
  if (b.instanceId !== null) return 1;
  return compare(a.memberId, b.memberId);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
