/**
 * The consumers' side of the classic group protocol: what a member tells of itself in JoinGroup, how
 * the leader spreads partitions over members, and what each gets in SyncGroup (Kafka's
 * `ConsumerProtocol`, `RangeAssignor`, `RoundRobinAssignor`; `sticky-assignor.ts` has the others).
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

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A member as an assignor sees it. */
export interface AssignableMember {
  readonly memberId: string;
  /** Sorts before the member id, so that static members keep their place (KIP-345). */
  readonly groupInstanceId: string | null;
  readonly topics: readonly string[];
  /** What it says it has (KIP-429); empty where an assignor does not look at it. */
  readonly owned?: readonly TopicPartitions[];
  /** The generation in which it got `owned`; the larger one is right where two have the same. */
  readonly generation?: number;
}

/** Spreads the partitions of the topics that members subscribe to: by member id. */
export type Assignor = (
  members: readonly AssignableMember[],
  partitionCounts: ReadonlyMap<string, number>,
) => Map<string, TopicPartitions[]>;

/** The assignors that this client has, by the names that members agree on. */
export type AssignorName = "range" | "roundrobin" | "sticky" | "cooperative-sticky";

const SUBSCRIPTION_VERSION = 3;
const ASSIGNMENT_VERSION = 1;

/** What a member tells of itself when it joins. */
export interface Subscription {
  readonly topics: readonly string[];
  readonly owned: readonly TopicPartitions[];
  /** In which it got what it owns; −1 for none. */
  readonly generation: number;
  readonly rackId: string | null;
}

/** The metadata of a member that wants these topics; `userData` is for one assignor alone. */
export function encodeSubscription(
  topics: readonly string[],
  more: Partial<Omit<Subscription, "topics">> & { readonly userData?: Uint8Array } = {},
): Uint8Array {
  return encodeVersioned(consumerProtocolSubscription, SUBSCRIPTION_VERSION, {
    topics: [...topics].sort(),
    userData: more.userData ?? null,
    ownedPartitions: more.owned ?? [],
    generationId: more.generation ?? -1,
    rackId: more.rackId ?? null,
  });
}

/** What a member tells of itself, and what it tells this assignor alone. */
export function decodeSubscription(
  bytes: Uint8Array,
): Subscription & { readonly userData: Uint8Array | null } {
  const { topics, ownedPartitions, generationId, rackId, userData } = decodeVersioned(
    consumerProtocolSubscription,
    bytes,
    "latest",
  );
  return { topics, owned: ownedPartitions, generation: generationId, rackId, userData };
}

/** An assignment as the leader sends it; `userData` is for one assignor alone. */
export function encodeAssignment(
  assigned: readonly TopicPartitions[],
  userData: Uint8Array | null = null,
): Uint8Array {
  return encodeVersioned(consumerProtocolAssignment, ASSIGNMENT_VERSION, {
    assignedPartitions: assigned,
    userData,
  });
}

/** An assignment; empty bytes, as of a member that waits for one, are none. */
export function decodeAssignment(bytes: Uint8Array): readonly TopicPartitions[] {
  if (bytes.length === 0) return [];
  return decodeVersioned(consumerProtocolAssignment, bytes, "latest").assignedPartitions;
}

/** What the leader tells this assignor's members alone; null: nothing. */
export function assignmentUserData(bytes: Uint8Array): Uint8Array | null {
  if (bytes.length === 0) return null;
  return decodeVersioned(consumerProtocolAssignment, bytes, "latest").userData;
}

/** Partitions one by one. */
export function eachPartition(assigned: readonly TopicPartitions[]): TopicPartition[] {
  return assigned.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition }))
  );
}

/** Partitions by topic, topics in order of their names and partitions of their numbers. */
export function byTopic(partitions: Iterable<TopicPartition>): TopicPartitions[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const list = topics.get(topic);
    if (list === undefined) topics.set(topic, [partition]);
    else list.push(partition);
  }
  return [...topics]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([topic, list]) => ({ topic, partitions: list.sort((a, b) => a - b) }));
}

/** One name for a partition, as a key of maps. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
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
