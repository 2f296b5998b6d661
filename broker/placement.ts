import type { PartitionImage } from "../cluster/metadata-image.ts";

/**
 * Where new partitions go: replicas on consecutive brokers (by id), beginning with another broker
 * for each partition, so that leaders spread. `start` is the first one's place in the list.
 */
export function placeReplicas(
  brokerIds: readonly number[],
  partitions: number,
  replicationFactor: number,
  start: number,
): number[][] {
  const sorted = [...brokerIds].sort((a, b) => a - b);
  return Array.from({ length: partitions }, (_, partition) =>
    Array.from(
      { length: replicationFactor },
      (_, replica) => sorted[(start + partition + replica) % sorted.length] ?? -1,
    ));
}

/** A partition at its birth: the first replica leads, all are in sync. */
export function newPartition(replicas: readonly number[]): PartitionImage {
  return {
    replicas,
    isr: replicas,
    leader: replicas[0] ?? -1,
    leaderEpoch: 0,
    partitionEpoch: 0,
  };
}
