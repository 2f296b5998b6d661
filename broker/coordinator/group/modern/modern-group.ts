/**
 * What groups of the new protocols have in common (Kafka's `ModernGroup`): members with epochs, a
 * group epoch that moves when subscriptions or their topics change, a target assignment that is
 * computed for a group epoch, and the hash of the topics' metadata. All of it is the fold of
 * records; how members get from what they have to their target is up to the kind of group.
 */
import type { Topics } from "../group.ts";
import { metadataHash } from "./metadata-hash.ts";
import { type Assignment, NO_PARTITIONS } from "./topic-partitions.ts";

/** The member epochs that mean something else: a member joins, leaves, or leaves for a while. */
export const JOIN_EPOCH = 0;
export const LEAVE_EPOCH = -1;
export const STATIC_LEAVE_EPOCH = -2;

/** What members of all these kinds have. A member is replaced as a whole, never changed. */
export interface ModernMember {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly previousMemberEpoch: number;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly subscribedTopicNames: ReadonlySet<string>;
}

/** The member in the next epoch; the one that it leaves is remembered. */
export function inEpoch<
  M extends { readonly memberEpoch: number; readonly previousMemberEpoch: number },
>(member: M, memberEpoch: number, change: Partial<M>): M {
  return { ...member, ...change, previousMemberEpoch: member.memberEpoch, memberEpoch };
}

/** See the header. */
export abstract class ModernGroup<M extends ModernMember> {
  /** A new group is in epoch 1 with a target of nothing, so that its first member has an epoch. */
  groupEpoch = 1;
  metadataHash = 0n;
  /** The group epoch that the target assignment is for; −1 once it is removed. */
  assignmentEpoch = 1;
  /** Wall time at which the target was computed; 0 if it is not known. */
  assignmentTimestampMs = 0;
  protected readonly memberMap = new Map<string, M>();
  protected readonly targets = new Map<string, Assignment>();
  #subscribed: ReadonlySet<string> | null = null;
  #refreshedForEpoch: number | null = null;

  constructor(readonly groupId: string) {}

  /** By member id, in the order of joining. */
  get members(): ReadonlyMap<string, M> {
    return this.memberMap;
  }

  /** The target assignments by member id. */
  get targetAssignment(): ReadonlyMap<string, Assignment> {
    return this.targets;
  }

  target(memberId: string): Assignment {
    return this.targets.get(memberId) ?? NO_PARTITIONS;
  }

  setTarget(memberId: string, assignment: Assignment | null): void {
    if (assignment === null) this.targets.delete(memberId);
    else this.targets.set(memberId, assignment);
  }

  /** The names of all topics that members subscribe to. */
  get subscribedTopics(): ReadonlySet<string> {
    return this.#subscribed ??= this.subscribedTopicsOf(this.members.values());
  }

  isSubscribedTo(topic: string): boolean {
    return this.subscribedTopics.has(topic);
  }

  /** The names of all topics that these members, of this group, subscribe to. */
  subscribedTopicsOf(members: Iterable<M>): ReadonlySet<string> {
    const names = new Set<string>();
    for (const member of members) for (const name of member.subscribedTopicNames) names.add(name);
    return names;
  }

  /** To be called whenever a subscription has changed. */
  protected subscriptionsChanged(): void {
    this.#subscribed = null;
  }

  /** The hash of the metadata of these topics as they are now. */
  hashOf(topicNames: Iterable<string>, topics: Topics): bigint {
    return metadataHash(topicNames, topics);
  }

  /** Topics may have changed, so the next heartbeat computes the hash anew. */
  requestMetadataRefresh(): void {
    this.#refreshedForEpoch = null;
  }

  /** The hash is that of the topics now, once the group has reached this epoch. */
  metadataRefreshed(groupEpoch: number): void {
    this.#refreshedForEpoch = groupEpoch;
  }

  /** Whether the hash has to be computed anew. If a write failed, its epoch was never reached. */
  get needsMetadataRefresh(): boolean {
    return this.#refreshedForEpoch === null || this.groupEpoch < this.#refreshedForEpoch;
  }
}
