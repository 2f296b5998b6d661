/**
 * The parts of a topology that only topics join: nodes that are neighbours, or share a store, are in
 * the same one (Kafka's `InternalTopologyBuilder.nodeGroups`). They are numbered in the order of their
 * first nodes.
 */
import { Sets } from "./sets.ts";
import type { Topology } from "./topology.ts";

/** A part whose tasks are independent of those of others. */
export interface Subtopology {
  /** From 0. */
  readonly id: number;
  /** Names of nodes, parents before children. */
  readonly nodes: readonly string[];
  /** Topics that its sources read. */
  readonly sourceTopics: readonly string[];
  readonly stores: readonly string[];
}

/** See the head of the file. */
export function subtopologiesOf(topology: Topology): Subtopology[] {
  const groups = new Sets();
  for (const node of topology.nodes.values()) {
    if (topology.globalNodes.has(node.name)) continue;
    groups.add(`node ${node.name}`);
    if (node.kind === "source") continue;
    for (const parent of node.parents) groups.join(`node ${node.name}`, `node ${parent}`);
    if (node.kind !== "processor") continue;
    for (const store of node.stores) groups.join(`node ${node.name}`, `store ${store}`);
  }
  const byRoot = new Map<string, string[]>();
  for (const name of topology.nodes.keys()) {
    if (topology.globalNodes.has(name)) continue;
    const root = groups.rootOf(`node ${name}`);
    byRoot.set(root, [...byRoot.get(root) ?? [], name]);
  }
  return [...byRoot.values()].map((nodes, id) => ({
    id,
    nodes,
    sourceTopics: nodes.flatMap((name) => {
      const node = topology.nodes.get(name);
      return node?.kind === "source" ? node.topics : [];
    }),
    stores: [
      ...new Set(nodes.flatMap((name) => {
        const node = topology.nodes.get(name);
        return node?.kind === "processor" ? node.stores : [];
      })),
    ],
  }));
}
