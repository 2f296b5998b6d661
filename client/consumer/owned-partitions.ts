/** The partitions that a member has, and what an assignment changes in them. */
import {
  byTopic,
  partitionKey,
  type TopicPartition,
  type TopicPartitions,
} from "../group-protocol.ts";

/** A set of partitions. */
export class OwnedPartitions {
  readonly #partitions = new Map<string, TopicPartition>();

  get size(): number {
    return this.#partitions.size;
  }

  list(): TopicPartition[] {
    return [...this.#partitions.values()];
  }

  byTopic(): TopicPartitions[] {
    return byTopic(this.#partitions.values());
  }

  add(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) {
      this.#partitions.set(partitionKey(each.topic, each.partition), each);
    }
  }

  remove(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      this.#partitions.delete(partitionKey(topic, partition));
    }
  }

  /** What of these is not in the set. */
  missing(partitions: readonly TopicPartition[]): TopicPartition[] {
    return partitions.filter(({ topic, partition }) =>
      !this.#partitions.has(partitionKey(topic, partition))
    );
  }

  /** What of the set is not among these. */
  beside(partitions: readonly TopicPartition[]): TopicPartition[] {
    const keys = new Set(partitions.map((each) => partitionKey(each.topic, each.partition)));
    return this.list().filter(({ topic, partition }) => !keys.has(partitionKey(topic, partition)));
  }
}
