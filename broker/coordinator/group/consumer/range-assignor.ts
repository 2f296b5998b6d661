/**
 * Gives each member a run of partitions of every topic, in the order of members, so that members
 * with the same subscription get the same partitions of topics with equal counts (co-partitioning).
 * Kafka's `RangeAssignor`.
 */
import type { Assignor, AssignorMember } from "../modern/assignor.ts";
import type { Assignment } from "../modern/topic-partitions.ts";

/** See the header. */
export const rangeAssignor: Assignor = {
  name: "range",
  assign: ({ members, partitionCount }) => {
    const ordered = [...members].toSorted(byInstanceThenId);
    const subscribers = new Map<string, number>();
    for (const { topicIds } of ordered) {
      for (const topicId of topicIds) subscribers.set(topicId, (subscribers.get(topicId) ?? 0) + 1);
    }
    const served = new Map<string, number>();
    const targets = new Map<string, Assignment>();
    for (const { memberId, topicIds } of ordered) {
      const target = new Map<string, Set<number>>();
      for (const topicId of topicIds) {
        const index = served.get(topicId) ?? 0;
        served.set(topicId, index + 1);
        const range = rangeOf(partitionCount(topicId), subscribers.get(topicId) ?? 1, index);
        if (range.length > 0) target.set(topicId, new Set(range));
      }
      targets.set(memberId, target);
    }
    return targets;
  },
};

/** The partitions of the member at `index`; the first members get those that do not divide. */
function rangeOf(partitions: number, members: number, index: number): number[] {
  const quota = Math.floor(partitions / members);
  const extra = partitions % members;
  const start = quota * index + Math.min(index, extra);
  return Array.from({ length: quota + (index < extra ? 1 : 0) }, (_, each) => start + each);
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
