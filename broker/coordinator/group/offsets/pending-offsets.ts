/**
 * Offsets that were committed in transactions which are still open (KIP-98): they count once the
 * marker is there, and not if it says abort. Kafka's `OffsetMetadataManager` and its
 * `pendingTransactionalOffsets`.
 */
import type { CommittedOffset, OffsetCommitRecord } from "./offset-records.ts";
import { OffsetStore } from "./offset-store.ts";

/** See the header. */
export class PendingOffsets {
  readonly #byProducer = new Map<number, OffsetStore>();

  set(producerId: number, record: OffsetCommitRecord, offset: CommittedOffset): void {
    let store = this.#byProducer.get(producerId);
    if (store === undefined) this.#byProducer.set(producerId, store = new OffsetStore());
    store.set(record.groupId, record.topic, record.partition, offset);
  }

  /** Whether an open transaction may still change the offset. */
  has(groupId: string, topic: string, partition: number): boolean {
    for (const store of this.#byProducer.values()) {
      if (store.get(groupId, topic, partition) !== undefined) return true;
    }
    return false;
  }

  /** Whether an open transaction has an offset of the group. */
  hasGroup(groupId: string): boolean {
    for (const store of this.#byProducer.values()) if (store.has(groupId)) return true;
    return false;
  }

  /** Topics and partitions of a group that open transactions have offsets of. */
  *ofGroup(groupId: string): Iterable<{ readonly topic: string; readonly partition: number }> {
    for (const store of this.#byProducer.values()) {
      for (const [topic, partitions] of store.ofGroup(groupId)) {
        for (const partition of partitions.keys()) yield { topic, partition };
      }
    }
  }

  /** The offset has been removed since: it does not come back with the transaction. */
  delete(groupId: string, topic: string, partition: number): void {
    for (const [producerId, store] of this.#byProducer) {
      store.delete(groupId, topic, partition);
      if (store.isEmpty) this.#byProducer.delete(producerId);
    }
  }

  /** What the transaction of the producer has; nothing of it is pending any more. */
  take(producerId: number): {
    readonly groupId: string;
    readonly topic: string;
    readonly partition: number;
    readonly offset: CommittedOffset;
  }[] {
    const store = this.#byProducer.get(producerId);
    this.#byProducer.delete(producerId);
    const taken = [];
    for (const groupId of store?.groupIds() ?? []) {
      for (const [topic, partitions] of store?.ofGroup(groupId) ?? []) {
        for (const [partition, offset] of partitions) {
          taken.push({ groupId, topic, partition, offset });
        }
      }
    }
    return taken;
  }
}
