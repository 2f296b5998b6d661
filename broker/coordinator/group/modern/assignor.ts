/**
 * What an assignor of the new protocols is: a pure function from members with their subscriptions
 * and present targets to new targets (Kafka's `PartitionAssignor`).
 */
import type { Assignment } from "./topic-partitions.ts";

/** A member as the assignor sees it. */
export interface AssignorMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  /** Ids of the topics that exist and that it subscribes to; best one set for equal members. */
  readonly topicIds: ReadonlySet<string>;
  /** Its present target. */
  readonly target: Assignment;
}

/** The members, ordered by id, and how many partitions each of their topics has. */
export interface AssignorInput {
  readonly members: readonly AssignorMember[];
  readonly partitionCount: (topicId: string) => number;
}

/** New targets by member id. */
export interface Assignor {
  readonly name: string;
  assign(input: AssignorInput): ReadonlyMap<string, Assignment>;
}

/** The topics of all members: sets that several share are gone through once. */
export function allTopicIds(members: readonly AssignorMember[]): Set<string> {
  const all = new Set<string>();
  let before: ReadonlySet<string> | null = null;
  for (const { topicIds } of members) {
    if (topicIds === before) continue;
    before = topicIds;
    for (const topicId of topicIds) all.add(topicId);
  }
  return all;
}

/** Whether all members subscribe to the same topics. */
export function isHomogeneous(members: readonly AssignorMember[]): boolean {
  const first = members[0];
  if (first === undefined) return true;
  return members.every(({ topicIds }) =>
    topicIds === first.topicIds ||
    (topicIds.size === first.topicIds.size && topicIds.isSubsetOf(first.topicIds))
  );
}
