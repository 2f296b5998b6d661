/**
 * The consumers' side of the classic group protocol: what a member tells of itself in JoinGroup, how
 * the leader spreads partitions over members, and what each gets in SyncGroup (Kafka's
 * `ConsumerProtocol`, `RangeAssignor`, `RoundRobinAssignor`).
 */
import { decodeVersioned, encodeVersioned } from "../core/protocol/codec.ts";
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from "../core/protocol/records/consumer-protocol.ts";

/** Some partitions of a topic. */
export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/** A member as an assignor sees it. */
export interface AssignableMember {
  readonly memberId: string;
  /** Sorts before the member id, so that static members keep their place (KIP-345). */
  readonly groupInstanceId: string | null;
  readonly topics: readonly string[];
}

/** Spreads the partitions of the topics that members subscribe to: by member id. */
export type Assignor = (
  members: readonly AssignableMember[],
  partitionCounts: ReadonlyMap<string, number>,
) => Map<string, TopicPartitions[]>;

const SUBSCRIPTION_VERSION = 1;
const ASSIGNMENT_VERSION = 1;

/** The metadata of a member that wants these topics. */
export function encodeSubscription(topics: readonly string[]): Uint8Array {
  return encodeVersioned(consumerProtocolSubscription, SUBSCRIPTION_VERSION, {
    topics: [...topics].sort(),
  });
}

/** The topics that a member wants. */
export function decodeSubscription(bytes: Uint8Array): readonly string[] {
  return decodeVersioned(consumerProtocolSubscription, bytes, "latest").topics;
}

/** An assignment as the leader sends it. */
export function encodeAssignment(assigned: readonly TopicPartitions[]): Uint8Array {
  return encodeVersioned(consumerProtocolAssignment, ASSIGNMENT_VERSION, {
    assignedPartitions: assigned,
  });
}

/** An assignment; empty bytes, as of a member that waits for one, are none. */
export function decodeAssignment(bytes: Uint8Array): readonly TopicPartitions[] {
  if (bytes.length === 0) return [];
  return decodeVersioned(consumerProtocolAssignment, bytes, "latest").assignedPartitions;
}

/**
 * Topic by topic: each subscriber gets a run of neighbouring partitions, the first ones one more
 * where they don't divide evenly.
 */
export const rangeAssignor: Assignor = (members, partitionCounts) => {
  const assigned = emptyAssignment(members);
  for (const topic of topicsOf(members)) {
    const count = partitionCounts.get(topic) ?? 0;
    const subscribers = inOrder(members).filter(({ topics }) => topics.includes(topic));
    let next = 0;
    subscribers.forEach(({ memberId }, i) => {
      const share = Math.floor(count / subscribers.length) +
        (i < count % subscribers.length ? 1 : 0);
      if (share === 0) return;
      const partitions = Array.from({ length: share }, (_, k) => next + k);
      next += share;
      assigned.get(memberId)!.push({ topic, partitions });
    });
  }
  return assigned;
};

/** Partitions of all topics in a row, dealt out in turn to those who subscribe to the topic. */
export const roundRobinAssignor: Assignor = (members, partitionCounts) => {
  const byMember = new Map<string, Map<string, number[]>>();
  const order = inOrder(members);
  let turn = 0;
  for (const topic of topicsOf(members)) {
    for (let partition = 0; partition < (partitionCounts.get(topic) ?? 0); partition++) {
      while (!order[turn % order.length]!.topics.includes(topic)) turn++;
      const { memberId } = order[turn++ % order.length]!;
      const topics = byMember.get(memberId) ?? new Map<string, number[]>();
      byMember.set(memberId, topics);
      const list = topics.get(topic) ?? [];
      topics.set(topic, list);
      list.push(partition);
    }
  }
  const assigned = emptyAssignment(members);
  for (const [memberId, topics] of byMember) {
    for (const [topic, partitions] of topics) assigned.get(memberId)!.push({ topic, partitions });
  }
  return assigned;
};

/** The assignors at hand under the names that members agree on. */
export const ASSIGNORS: Readonly<Record<string, Assignor>> = {
  range: rangeAssignor,
  roundrobin: roundRobinAssignor,
};

function emptyAssignment(members: readonly AssignableMember[]): Map<string, TopicPartitions[]> {
  return new Map(members.map(({ memberId }) => [memberId, []]));
}

function topicsOf(members: readonly AssignableMember[]): string[] {
  return [...new Set(members.flatMap(({ topics }) => topics))].sort();
}

/** Static members first, by instance id; then the others by member id (`MemberInfo.compareTo`). */
function inOrder(members: readonly AssignableMember[]): AssignableMember[] {
  return [...members].sort((a, b) => {
    if (a.groupInstanceId !== null && b.groupInstanceId !== null) {
      return a.groupInstanceId < b.groupInstanceId ? -1 : 1;
    }
    if (a.groupInstanceId !== null) return -1;
    if (b.groupInstanceId !== null) return 1;
    return a.memberId < b.memberId ? -1 : 1;
  });
}
