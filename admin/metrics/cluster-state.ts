/** One walk over the metadata, for all metrics about the state of partitions and brokers. */
import type { Broker } from "../../broker/broker.ts";

/** Counts over all partitions of the cluster, or, where it says so, of those led from here. */
export interface ClusterState {
  readonly topics: number;
  readonly partitions: number;
  /** Without a leader. */
  readonly offline: number;
  /** Led by another replica than the first one in their list. */
  readonly notPreferred: number;
  /** Replicas of this broker, and how many of them lead. */
  readonly replicasHere: number;
  readonly ledHere: number;
  /** Led from here, with replicas that are not in the ISR. */
  readonly underReplicated: number;
  /** Led from here, with a smaller or just as large an ISR as `min.insync.replicas` asks for. */
  readonly underMinIsr: number;
  readonly atMinIsr: number;
  readonly brokers: number;
  readonly fencedBrokers: number;
}

/** Walks over the image. */
export function clusterState(
  { metadata, nodeId }: Pick<Broker, "metadata" | "nodeId">,
): ClusterState {
  const { image } = metadata;
  const state = {
    topics: image.topics.size,
    partitions: 0,
    offline: 0,
    notPreferred: 0,
    replicasHere: 0,
    ledHere: 0,
    underReplicated: 0,
    underMinIsr: 0,
    atMinIsr: 0,
    brokers: Math.max(1, image.brokers.size),
    fencedBrokers: 0,
  };
  for (const broker of image.brokers.values()) {
    if (broker.state === "fenced") state.fencedBrokers++;
  }
  for (const [, topic] of image.topics) {
    let minIsr: number | null = null;
    state.partitions += topic.partitions.length;
    for (const { leader, replicas, isr } of topic.partitions) {
      if (leader < 0) state.offline++;
      else if (leader !== replicas[0]) state.notPreferred++;
      if (replicas.includes(nodeId)) state.replicasHere++;
      if (leader !== nodeId) continue;
      state.ledHere++;
      if (isr.length < replicas.length) state.underReplicated++;
      if (replicas.length === 1) continue;
      minIsr ??= metadata.topicConfig(topic).get("min.insync.replicas");
      const least = Math.min(minIsr, replicas.length);
      if (isr.length < least) state.underMinIsr++;
      else if (isr.length === least) state.atMinIsr++;
    }
  }
  return state;
}
