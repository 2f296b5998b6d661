/**
 * The brokers of the cluster as the clients of a listener see them: each at its address of the listener
 * with the same name, this one at the address that the client came in on (`advertisedAddress`).
 */
import {
  type BrokerImage,
  isActive,
  type MetadataImage,
  type PartitionImage,
} from "../cluster/metadata-image.ts";
import { type ErrorCode, Errors } from "../core/errors.ts";
import type { HostPort } from "../core/io.ts";
import type { Broker } from "./broker.ts";
import { advertisedAddress, type ArrivalContext } from "./listeners.ts";

/** A broker at its address. */
export interface Node extends HostPort {
  readonly nodeId: number;
  readonly rack: string | null;
  readonly isFenced: boolean;
}

/** What is looked at of this broker. */
type Here = Pick<Broker, "nodeId"> & { readonly metadata: { readonly image: MetadataImage } };

/** The broker, if it is registered and has such a listener. Fenced ones are found, too. */
export function findNode(context: ArrivalContext, broker: Here, nodeId: number): Node | null {
  const known = broker.metadata.image.brokers.get(nodeId);
  const address = addressOf(context, broker, nodeId, known);
  if (address === null) return null;
  return {
    nodeId,
    host: address.host,
    port: address.port,
    rack: known?.rack ?? null,
    isFenced: known?.state === "fenced",
  };
}

function addressOf(
  context: ArrivalContext,
  broker: Here,
  nodeId: number,
  known: BrokerImage | undefined,
): HostPort | null {
  if (nodeId === broker.nodeId) return advertisedAddress(context);
  const { name } = context.listener;
  return known?.endpoints.find((endpoint) => endpoint.name === name) ?? null;
}

/** All brokers that have such a listener, in the order of their ids. */
export function allNodes(context: ArrivalContext, broker: Here): Node[] {
  return [...broker.metadata.image.brokers.keys()].sort((a, b) => a - b)
    .flatMap((nodeId) => findNode(context, broker, nodeId) ?? []);
}

/** Those of them that are not fenced: what clients are told of. */
export function liveNodes(context: ArrivalContext, broker: Here): Node[] {
  return allNodes(context, broker).filter(({ isFenced }) => !isFenced);
}

/** The replicas that are on no live broker, or in a data directory that has failed. */
export function offlineReplicas(
  image: MetadataImage,
  { replicas, offline }: Pick<PartitionImage, "replicas" | "offline">,
): number[] {
  const isLive = (id: number) =>
    offline?.includes(id) !== true &&
    (isActive(image, id) || image.brokers.get(id)?.state === "stopping");
  return replicas.every(isLive) ? [] : replicas.filter((id) => !isLive(id));
}

/**
 * A partition's leader where clients of this listener can reach it, else −1 and why not: no answer
 * names a leader whose address is not in it (`KRaftMetadataCache.partitionMetadata`).
 */
export function reachableLeader(
  context: ArrivalContext,
  broker: Here,
  leader: number,
): { readonly leaderId: number; readonly errorCode: ErrorCode } {
  const found = { leaderId: leader, errorCode: Errors.NONE };
  if (leader === broker.nodeId) return found;
  const node = leader < 0 ? null : findNode(context, broker, leader);
  if (node !== null && !node.isFenced) return found;
  const isThere = node === null && broker.metadata.image.brokers.has(leader);
  return {
    leaderId: -1,
    errorCode: isThere ? Errors.LISTENER_NOT_FOUND : Errors.LEADER_NOT_AVAILABLE,
  };
}
