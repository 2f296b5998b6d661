/**
 * Which replica a consumer had better fetch from (KIP-392): with `replica.selector.class` set to Kafka's
 * RackAwareReplicaSelector one in its rack, if one of the ISR has what it asks for.
 */
import type { Broker } from "./broker.ts";
import { RACK_AWARE_SELECTOR } from "./config/broker-config.ts";
import type { ArrivalContext } from "./listeners.ts";
import { findNode } from "./nodes.ts";
import type { Partition } from "./partition.ts";

/** Gives the broker to fetch from, or null for this one, which leads. */
export type ReplicaSelector = (partition: Partition, fetchOffset: number) => number | null;

/** For consumers of this rack; null where all are to fetch from leaders. */
export function replicaSelector(
  context: ArrivalContext,
  broker: Broker,
  rackId: string,
): ReplicaSelector | null {
  if (rackId === "" || !selectsReplicas(broker)) return null;
  const isNear = (brokerId: number) => {
    const node = findNode(context, broker, brokerId);
    return node !== null && !node.isFenced && node.rack === rackId;
  };
  return (partition, fetchOffset) =>
    isNear(broker.nodeId) ? null : partition.inSyncFollowers(fetchOffset).find(isNear) ?? null;
}

/** Whether there are such consumers, so that followers have to hear of high watermarks soon. */
export function selectsReplicas(broker: Broker): boolean {
  return broker.config.get("replica.selector.class") === RACK_AWARE_SELECTOR;
}
