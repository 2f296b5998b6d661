/** Committed offsets by group, topic and partition. */
import type { CommittedOffset } from "./offset-records.ts";

type ByPartition = Map<number, CommittedOffset>;
type ByTopic = Map<string, ByPartition>;

/** See the header. Empty maps are not kept. */
export class OffsetStore {
  readonly #groups = new Map<string, ByTopic>();

  get(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(groupId)?.get(topic)?.get(partition);
  }

  /** Whether anything is committed for the group. */
  has(groupId: string): boolean {
    return this.#groups.has(groupId);
  }

  /** All offsets of a group, by topic and partition. */
  ofGroup(groupId: string): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> {
    return this.#groups.get(groupId) ?? NOTHING;
  }

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  groupIds(): Iterable<string> {
    return this.#groups.keys();
  }

  set(groupId: string, topic: string, partition: number, offset: CommittedOffset): void {
    let topics = this.#groups.get(groupId);
    if (topics === undefined) this.#groups.set(groupId, topics = new Map());
    let partitions = topics.get(topic);
    if (partitions === undefined) topics.set(topic, partitions = new Map());
    partitions.set(partition, offset);
  }

  delete(groupId: string, topic: string, partition: number): void {
    const topics = this.#groups.get(groupId);
    const partitions = topics?.get(topic);
    if (topics === undefined || partitions === undefined) return;
    partitions.delete(partition);
    if (partitions.size === 0) topics.delete(topic);
    if (topics.size === 0) this.#groups.delete(groupId);
  }
}

const NOTHING: ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> = new Map();
