/**
 * What becomes of partitions when brokers come, go or begin anew, as records for the metadata log. Pure
 * functions of an image, in steps. After Kafka's `ReplicationControlManager.handleBroker*`.
 */
import type { Steps } from "../../core/steps.ts";
import { type MetadataImage, partitionRecord, type TopicImage } from "../metadata-image.ts";
import type { MetadataRecord } from "../metadata-records.ts";
import { changePartition, imageOf, stateOf } from "./partition-change.ts";

/** What happens to brokers, all at once. */
export interface BrokerChange {
  /** They may lead nothing and be in no ISR from now on. */
  readonly leaving?: readonly number[];
  /** They have come back from an unclean stop, and may have lost what they had. */
  readonly unclean?: readonly number[];
  /** They have begun anew: none of their data directories counts as failed any more. */
  readonly restarted?: readonly number[];
  /** They may lead again. */
  readonly returning?: readonly number[];
}

/** What the plan has to know besides the image. */
export interface ElectionContext {
  /** After the change: who may lead. */
  isAlive(brokerId: number): boolean;
  /** `min.insync.replicas` of the topic. */
  minInsync(topic: TopicImage): number;
  /** `unclean.leader.election.enable` of the topic. */
  electsUncleanly(topic: TopicImage): boolean;
}

/** The records that change partitions. */
export function* partitionsAfter(
  image: MetadataImage,
  change: BrokerChange,
  context: ElectionContext,
): Steps<MetadataRecord[]> {
  const { leaving = [], unclean = [], restarted = [], returning = [] } = change;
  const gone = [...leaving, ...unclean];
  const records: MetadataRecord[] = [];
  for (const topic of image.topics.values()) {
    for (const [index, partition] of topic.partitions.entries()) {
      const { elr, isr, leader, offline, replicas } = partition;
      const loses = gone.some((id) => isr.includes(id) || elr?.includes(id) === true);
      const mayBeLed = leader < 0 && returning.some((id) => replicas.includes(id));
      const isMended = restarted.some((id) => offline?.includes(id) === true);
      if (!loses && !mayBeLed && !isMended) continue;
      const next = changePartition(stateOf(partition), {
        election: context.electsUncleanly(topic) ? "unclean" : "online",
        minInsync: context.minInsync(topic),
        isAlive: (id) => context.isAlive(id),
        leaving,
        unclean,
        online: restarted,
      });
      if (next !== null) records.push(partitionRecord(topic.id, index, imageOf(next)));
    }
    yield;
  }
  return records;
}

/** Whether the broker leads any partition. */
export function leadsAny(image: MetadataImage, brokerId: number): boolean {
  for (const { partitions } of image.topics.values()) {
    if (partitions.some(({ leader }) => leader === brokerId)) return true;
  }
  return false;
}
