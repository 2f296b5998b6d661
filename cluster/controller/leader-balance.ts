/**
 * Changes of leaders that nobody has asked for, found by going over all partitions now and then: the
 * preferred replica takes the lead back (Kafka's `maybeBalancePartitionLeaders`), and where it is
 * configured so, any replica takes one that nobody has (`maybeElectUncleanLeaders`).
 */
import type { Steps } from "../../core/steps.ts";
import { type MetadataImage, partitionRecord } from "../metadata-image.ts";
import type { MetadataRecord } from "../metadata-records.ts";
import type { ElectionContext } from "./broker-changes.ts";
import { changePartition, imageOf, stateOf } from "./partition-change.ts";

/** Most leaders that change at once (Kafka's `MAX_ELECTIONS_PER_IMBALANCE`). */
export const ELECTIONS_MAX = 1000;

/** The records that give partitions the leader which they should have, `ELECTIONS_MAX` at most. */
export function* leaderChanges(
  image: MetadataImage,
  election: "preferred" | "unclean",
  context: ElectionContext,
): Steps<MetadataRecord[]> {
  const records: MetadataRecord[] = [];
  for (const topic of image.topics.values()) {
    if (election === "unclean" && !context.electsUncleanly(topic)) continue;
    for (const [index, partition] of topic.partitions.entries()) {
      const { leader, replicas } = partition;
      if (election === "preferred" ? leader === replicas[0] : leader >= 0) continue;
      const next = changePartition(stateOf(partition), {
        election,
        minInsync: context.minInsync(topic),
        isAlive: (id) => context.isAlive(id),
      });
      if (next === null) continue;
      records.push(partitionRecord(topic.id, index, imageOf(next)));
      if (records.length === ELECTIONS_MAX) return records;
    }
    yield;
  }
  return records;
}
