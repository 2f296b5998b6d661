/**
 * Moves a member from what it has towards its target (KIP-848, Kafka's `CurrentAssignmentBuilder`).
 * No partition ever has two owners: a member gives up first, in its old epoch, and moves to the
 * epoch of the target when it has; partitions that others still have come as they become free.
 *
 *     STABLE ──target takes some──▶ UNREVOKED ──given up──▶ STABLE, or UNRELEASED until all are free
 */
import {
  type Assignment,
  type EpochedAssignment,
  NO_PARTITIONS,
} from "../modern/topic-partitions.ts";
import { inEpoch } from "../modern/modern-group.ts";
import { type ConsumerMember, MemberStates } from "./consumer-member.ts";

/** What decides where a member goes. */
export interface ReconcileInput {
  readonly member: ConsumerMember;
  readonly targetEpoch: number;
  readonly target: Assignment;
  /** The topics that exist and that the member subscribes to, by id. */
  readonly subscribedTopicIds: ReadonlySet<string>;
  /** The subscription has just changed, so that the member must not keep what it left. */
  readonly subscriptionChanged: boolean;
  /** What the member says that it has; null if it does not say. */
  readonly owned: Assignment | null;
  /** Whether no member has the partition. */
  readonly isFree: (topicId: string, partition: number) => boolean;
}

/** The member afterwards, or null if it is in a state that is not known and must join afresh. */
export function reconcile(input: ReconcileInput): ConsumerMember | null {
  const { member, targetEpoch, owned } = input;
  switch (member.state) {
    case MemberStates.STABLE:
      if (member.memberEpoch !== targetEpoch) return nextAssignment(input, member.memberEpoch);
      return input.subscriptionChanged ? dropUnsubscribed(input) : member;
    case MemberStates.UNREVOKED_PARTITIONS:
      if (owns(owned, member.pendingRevocation)) {
        return input.subscriptionChanged ? dropUnsubscribed(input) : member;
      }
      return nextAssignment(input, member.memberEpoch);
    case MemberStates.UNRELEASED_PARTITIONS:
      return nextAssignment(input, member.memberEpoch);
    default:
      if (owned === null || owned.size > 0) return null;
      return nextAssignment(input, targetEpoch);
  }
}

/** Whether the member still has one of the partitions, as far as it says. */
function owns(owned: Assignment | null, partitions: EpochedAssignment): boolean {
  if (owned === null) return true;
  for (const [topicId, own] of owned) {
    const epochs = partitions.get(topicId);
    if (epochs === undefined) continue;
    for (const partition of own) if (epochs.has(partition)) return true;
  }
  return false;
}

/** Takes from the member what it does not subscribe to any more. */
function dropUnsubscribed(input: ReconcileInput): ConsumerMember {
  const { member, subscribedTopicIds, owned } = input;
  const assigned = new Map<string, ReadonlyMap<number, number>>();
  const pendingRevocation = new Map(member.pendingRevocation);
  for (const [topicId, epochs] of member.assigned) {
    if (subscribedTopicIds.has(topicId)) assigned.set(topicId, epochs);
    else {
      pendingRevocation.set(topicId, new Map([...pendingRevocation.get(topicId) ?? [], ...epochs]));
    }
  }
  if (assigned.size === member.assigned.size) return member;
  if (pendingRevocation.size > 0 && owns(owned, pendingRevocation)) {
    return inEpoch(member, member.memberEpoch, {
      state: MemberStates.UNREVOKED_PARTITIONS,
      assigned,
      pendingRevocation,
    });
  }
  // They are given up already.
  return inEpoch(member, member.memberEpoch, { assigned });
}

/** What of the target the member has, has to give up, and can get now. */
interface Difference {
  readonly kept: Map<string, Map<number, number>>;
  readonly revoked: Map<string, Map<number, number>>;
  readonly free: Map<string, number[]>;
  readonly waits: boolean;
}

function difference(input: ReconcileInput): Difference {
  const { member, target, subscribedTopicIds, isFree } = input;
  const kept = new Map<string, Map<number, number>>();
  const revoked = new Map<string, Map<number, number>>();
  const free = new Map<string, number[]>();
  let waits = false;
  for (const topicId of new Set([...target.keys(), ...member.assigned.keys()])) {
    const wanted = subscribedTopicIds.has(topicId) ? target.get(topicId) : undefined;
    const assigned = member.assigned.get(topicId) ?? new Map<number, number>();
    for (const [partition, epoch] of assigned) {
      const side = wanted?.has(partition) ? kept : revoked;
      const epochs = side.get(topicId) ?? new Map<number, number>();
      side.set(topicId, epochs.set(partition, epoch));
    }
    for (const partition of wanted ?? []) {
      if (assigned.has(partition)) continue;
      // What the member itself is about to give up is its own, and so nobody else's.
      const own = member.pendingRevocation.get(topicId)?.has(partition) ?? false;
      if (own || isFree(topicId, partition)) {
        free.set(topicId, [...free.get(topicId) ?? [], partition]);
      } else waits = true;
    }
  }
  return { kept, revoked, free, waits };
}

function nextAssignment(input: ReconcileInput, memberEpoch: number): ConsumerMember {
  const { member, targetEpoch, owned } = input;
  const { kept, revoked, free, waits } = difference(input);
  if (revoked.size > 0 && owns(owned, revoked)) {
    return inEpoch(member, memberEpoch, {
      state: MemberStates.UNREVOKED_PARTITIONS,
      assigned: kept,
      pendingRevocation: revoked,
    });
  }
  for (const [topicId, partitions] of free) {
    const epochs = kept.get(topicId) ?? new Map<number, number>();
    for (const partition of partitions) epochs.set(partition, targetEpoch);
    kept.set(topicId, epochs);
  }
  return inEpoch(member, targetEpoch, {
    state: waits ? MemberStates.UNRELEASED_PARTITIONS : MemberStates.STABLE,
    assigned: kept,
    pendingRevocation: NO_PARTITIONS,
  });
}
