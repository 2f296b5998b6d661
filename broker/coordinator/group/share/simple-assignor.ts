/**
 * The assignor of share groups (Kafka's `SimpleAssignor`): members may share a partition, so every
 * partition has a member and every member a partition, evenly; who has a partition keeps it as far
 * as that goes.
 */
import { LeastFirst } from "../modern/least-first.ts";
import type { Assignment } from "../modern/topic-partitions.ts";

/** A member with the ids of the topics that it subscribes to. */
export interface SharingMember {
  readonly memberId: string;
  readonly topicIds: ReadonlySet<string>;
  /** What it is to have now. */
  readonly target: Assignment;
}

interface Slot {
  readonly topicId: string;
  readonly partition: number;
  /** How many members are to share it at most, as long as there are others. */
  readonly quota: number;
  members: number;
}

interface Load {
  readonly member: SharingMember;
  readonly quota: number;
  readonly slots: Set<Slot>;
}

/** New targets by member id. `assignable` are the partitions that may be assigned, by topic id. */
export function assignSimply(
  members: readonly SharingMember[],
  assignable: ReadonlyMap<string, ReadonlySet<number>>,
): Map<string, Assignment> {
  const ordered = members.toSorted((a, b) => a.memberId < b.memberId ? -1 : 1);
  const subscribers = subscribersOf(ordered, assignable);
  const slots = slotsOf(subscribers, assignable);
  const loads = new Map(ordered.map((member) => [member, loadOf(member, slots, subscribers)]));
  for (const load of loads.values()) keepTargets(load, slots);
  for (const [topicId, ofTopic] of slots) {
    const unread = ofTopic.filter((slot) => slot.members === 0);
    if (unread.length === 0) continue;
    const readers = subscribers.get(topicId)!.map((member) => loads.get(member)!);
    const least = new LeastFirst(readers, (load) => load.slots.size);
    for (const slot of unread) take(least.next(), slot);
  }
  for (const load of loads.values()) {
    if (load.slots.size > 0) continue;
    const wanted = [...load.member.topicIds].flatMap((topicId) => slots.get(topicId) ?? []);
    const least = leastOf(wanted, (slot) => slot.members);
    if (least !== undefined) take(load, least);
  }
  return new Map([...loads.values()].map((load) => [load.member.memberId, assignmentOf(load)]));
}

type Subscribers = ReadonlyMap<string, readonly SharingMember[]>;

/** Who may read each topic, in the order of members. */
function subscribersOf(
  members: readonly SharingMember[],
  assignable: ReadonlyMap<string, unknown>,
): Subscribers {
  const subscribers = new Map<string, SharingMember[]>();
  for (const topicId of assignable.keys()) subscribers.set(topicId, []);
  for (const member of members) {
    for (const topicId of member.topicIds) subscribers.get(topicId)?.push(member);
  }
  return subscribers;
}

function slotsOf(
  subscribers: Subscribers,
  assignable: ReadonlyMap<string, ReadonlySet<number>>,
): ReadonlyMap<string, readonly Slot[]> {
  const slots = new Map<string, Slot[]>();
  for (const topicId of [...assignable.keys()].toSorted()) {
    const partitions = [...assignable.get(topicId) ?? []].toSorted((a, b) => a - b);
    const readers = subscribers.get(topicId)?.length ?? 0;
    if (readers === 0 || partitions.length === 0) continue;
    const quota = Math.ceil(readers / partitions.length);
    slots.set(
      topicId,
      partitions.map((partition) => ({ topicId, partition, quota, members: 0 })),
    );
  }
  return slots;
}

/** How many partitions a member is to have: its share of each topic that it subscribes to. */
function loadOf(
  member: SharingMember,
  slots: ReadonlyMap<string, readonly Slot[]>,
  subscribers: Subscribers,
): Load {
  let share = 0;
  for (const topicId of member.topicIds) {
    const ofTopic = slots.get(topicId);
    if (ofTopic !== undefined) share += ofTopic.length / subscribers.get(topicId)!.length;
  }
  return { member, quota: Math.max(1, Math.ceil(share)), slots: new Set() };
}

function keepTargets(load: Load, slots: ReadonlyMap<string, readonly Slot[]>): void {
  const { member } = load;
  for (const [topicId, partitions] of member.target) {
    if (!member.topicIds.has(topicId)) continue;
    for (const slot of slots.get(topicId) ?? []) {
      if (load.slots.size >= load.quota) return;
      if (partitions.has(slot.partition) && slot.members < slot.quota) take(load, slot);
    }
  }
}

function take(load: Load, slot: Slot): void {
  if (load.slots.has(slot)) return;
  load.slots.add(slot);
  slot.members++;
}

/** The first with the least. */
function leastOf<T>(items: readonly T[], measure: (item: T) => number): T | undefined {
  let least: T | undefined;
  for (const item of items) {
    if (least === undefined || measure(item) < measure(least)) least = item;
  }
  return least;
}

function assignmentOf({ slots }: Load): Assignment {
  const assignment = new Map<string, Set<number>>();
  for (const { topicId, partition } of slots) {
    const known = assignment.get(topicId) ?? new Set<number>();
    assignment.set(topicId, known.add(partition));
  }
  return assignment;
}
