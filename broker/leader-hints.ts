/**
 * Where to find the leaders that a response names, because the client has asked another broker (KIP-951).
 */
import type { Broker } from "./broker.ts";
import type { ArrivalContext } from "./listeners.ts";
import { findNode, type Node } from "./nodes.ts";
import type { Leadership, Partition } from "./partition.ts";

/** Collects the brokers of one response. */
export class LeaderHints {
  readonly #nodes = new Map<number, Node>();

  constructor(
    private readonly context: ArrivalContext,
    private readonly broker: Pick<Broker, "nodeId" | "metadata">,
  ) {}

  /** Who leads, as this broker knows it; null if it knows nothing of the partition. */
  of(topicId: string | undefined, index: number, partition: Partition | null): Leadership | null {
    const { metadata } = this.broker;
    const state = topicId === undefined
      ? undefined
      : metadata.topicById(topicId)?.partitions[index];
    const leadership = partition?.leadership ??
      (state === undefined ? null : { leaderId: state.leader, leaderEpoch: state.leaderEpoch });
    if (leadership === null) return null;
    const { leaderId } = leadership;
    const node = leaderId < 0 || this.#nodes.has(leaderId)
      ? null
      : findNode(this.context, this.broker, leaderId);
    if (node !== null && !node.isFenced) this.#nodes.set(leaderId, node);
    return leadership;
  }

  /** The brokers that were named, for `nodeEndpoints`. */
  get nodeEndpoints(): Node[] {
    return [...this.#nodes.values()];
  }
}
