/**
 * Assignors that leave partitions where they are (Kafka's `StickyAssignor`, KIP-54, and
 * `CooperativeStickyAssignor`, KIP-429): as even as the subscriptions allow, with few moves. Their
 * members say what they own in forms that Java's members read and write too.
 */
import {
  type AssignableMember,
  type Assignor,
  byTopic,
  eachPartition,
  partitionKey,
  type TopicPartition,
  type TopicPartitions,
} from "./group-protocol.ts";

/** A member while partitions are spread. */
interface Holder {
  readonly memberId: string;
  readonly topics: ReadonlySet<string>;
  /** By topic. */
  readonly held: Map<string, number[]>;
  count: number;
}

/** What members have stays theirs unless the balance demands it. */
export const stickyAssignor: Assignor = (members, partitionCounts) => {
  const holders = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1)).map(
    ({ memberId, topics }): Holder => ({
      memberId,
      topics: new Set(topics),
      held: new Map(),
      count: 0,
    }),
  );
  const owners = ownersOf(members);
  const byId = new Map(holders.map((holder) => [holder.memberId, holder]));
  const free: TopicPartition[] = [];
  for (const [topic, count] of [...partitionCounts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (let partition = 0; partition < count; partition++) {
      const owner = byId.get(owners.get(partitionKey(topic, partition)) ?? "");
      if (owner?.topics.has(topic)) hold(owner, topic, partition);
      else free.push({ topic, partition });
    }
  }
  for (const { topic, partition } of free) {
    const taker = leastLoaded(holders, topic);
    if (taker !== null) hold(taker, topic, partition);
  }
  balance(holders);
  return new Map(holders.map(({ memberId, held }) => [
    memberId,
    byTopic(eachPartition([...held].map(([topic, partitions]) => ({ topic, partitions })))),
  ]));
};

/**
 * As `stickyAssignor`, but what goes from one member to another is given to nobody at first: its
 * owner gives it up, joins again, and then the other gets it. All others read on meanwhile.
 */
export const cooperativeStickyAssignor: Assignor = (members, partitionCounts) => {
  const target = stickyAssignor(members, partitionCounts);
  const owned = new Map<string, Set<string>>();
  for (const { memberId, owned: partitions = [] } of members) {
    for (const { topic, partition } of eachPartition(partitions)) {
      const key = partitionKey(topic, partition);
      owned.set(key, (owned.get(key) ?? new Set()).add(memberId));
    }
  }
  for (const [memberId, assigned] of target) {
    const now = eachPartition(assigned).filter(({ topic, partition }) => {
      const has = owned.get(partitionKey(topic, partition));
      return has === undefined || (has.size === 1 && has.has(memberId));
    });
    target.set(memberId, byTopic(now));
  }
  return target;
};

/** The owner of each partition: of two, the one of the later generation; of equals, nobody. */
function ownersOf(members: readonly AssignableMember[]): Map<string, string> {
  const claims = new Map<string, { memberId: string; generation: number }>();
  for (const { memberId, owned = [], generation = -1 } of members) {
    for (const { topic, partition } of eachPartition(owned)) {
      const key = partitionKey(topic, partition);
      const claim = claims.get(key);
      if (claim === undefined || claim.generation < generation) {
        claims.set(key, { memberId, generation });
      } else if (claim.generation === generation) claims.set(key, { memberId: "", generation });
    }
  }
  return new Map([...claims].map(([key, { memberId }]) => [key, memberId]));
}

function hold(holder: Holder, topic: string, partition: number): void {
  const list = holder.held.get(topic);
  if (list === undefined) holder.held.set(topic, [partition]);
  else list.push(partition);
  holder.count++;
}

function leastLoaded(holders: readonly Holder[], topic: string): Holder | null {
  let least: Holder | null = null;
  for (const holder of holders) {
    if (holder.topics.has(topic) && (least === null || holder.count < least.count)) least = holder;
  }
  return least;
}

/**
 * Moves single partitions from who has more to who has less by two or more, as long as there are
 * such. Each move makes the sum of the squares of the counts smaller, so it ends.
 */
function balance(holders: readonly Holder[]): void {
  for (;;) {
    const order = [...holders].sort((a, b) => b.count - a.count);
    if (!order.some((giver) => giveOne(giver, holders))) return;
  }
}

function giveOne(giver: Holder, holders: readonly Holder[]): boolean {
  for (const [topic, partitions] of giver.held) {
    if (partitions.length === 0) continue;
    const taker = leastLoaded(holders, topic);
    if (taker === null || giver.count - taker.count < 2) continue;
    const partition = partitions.pop();
    if (partition === undefined) continue;
    giver.count--;
    hold(taker, topic, partition);
    return true;
  }
  return false;
}

/** What `CooperativeStickyAssignor` says of itself: the generation, int32. */
export function encodeCooperativeUserData(generation: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, generation);
  return bytes;
}

/**
 * What `StickyAssignor` says of itself: a count, then each topic (int16 length, name; count,
 * partitions), then the generation; all integers int32 but the length of a name.
 */
export function encodeStickyUserData(
  owned: readonly TopicPartitions[],
  generation: number,
): Uint8Array {
  const names = owned.map(({ topic }) => new TextEncoder().encode(topic));
  const size = owned.reduce((sum, { partitions }, i) => {
    return sum + 2 + names[i]!.length + 4 + 4 * partitions.length;
  }, 8);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 4;
  view.setInt32(0, owned.length);
  owned.forEach(({ partitions }, i) => {
    view.setInt16(at, names[i]!.length);
    bytes.set(names[i]!, at + 2);
    at += 2 + names[i]!.length;
    view.setInt32(at, partitions.length);
    for (const partition of partitions) view.setInt32(at += 4, partition);
    at += 4;
  });
  view.setInt32(at, generation);
  return bytes;
}

/** The reverse of `encodeStickyUserData`; bytes that say nothing sensible say nothing. */
export function decodeStickyUserData(
  bytes: Uint8Array | null,
): { owned: TopicPartitions[]; generation: number } {
  const nothing = { owned: [], generation: -1 };
  if (bytes === null) return nothing;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const owned: TopicPartitions[] = [];
    let at = 4;
    for (let left = view.getInt32(0); left > 0; left--) {
      const length = view.getInt16(at);
      const topic = new TextDecoder().decode(bytes.subarray(at + 2, at + 2 + length));
      at += 2 + length;
      const count = view.getInt32(at);
      at += 4;
      const partitions: number[] = [];
      for (let i = 0; i < count; i++, at += 4) partitions.push(view.getInt32(at));
      owned.push({ topic, partitions });
    }
    // The first version had no generation.
    return { owned, generation: at < bytes.length ? view.getInt32(at) : -1 };
  } catch (error) {
    if (error instanceof RangeError) return nothing;
    throw error;
  }
}
