/**
 * The parts of a topology that only topics join: nodes that are neighbours, or share a store, are in
 * the same one (Kafka's `InternalTopologyBuilder.nodeGroups`). They are numbered in the order of their
 * first nodes.
 */
import { Sets } from "./sets.ts";
import { reads, topicsOf, type Topology, TopologyError } from "./topology.ts";

/** A part whose tasks are independent of those of others. */
export interface Subtopology {
  /** From 0. */
  readonly id: number;
  /** Names of nodes, parents before children. */
  readonly nodes: readonly string[];
  /** Topics that its sources read. */
  readonly sourceTopics: readonly string[];
  /** The same, by the name of the source. */
  readonly topicsOfSources: ReadonlyMap<string, readonly string[]>;
  readonly stores: readonly string[];
}

/**
 * See the head of the file. `present`: topics that match patterns of sources; throws `TopologyError`
 * where two match the same.
 */
export function subtopologiesOf(
  topology: Topology,
  present: readonly string[] = [],
): Subtopology[] {
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
  const sources = [...topology.nodes.values()].filter((node) => node.kind === "source");
  for (const topic of present) {
    const [one, other] = sources.filter((source) => reads(source, topic));
    if (other === undefined) continue;
    throw new TopologyError(`topic "${topic}" is read by "${one!.name}" and by "${other.name}"`);
  }
  return [...byRoot.values()].map((nodes, id) => {
    const topicsOfSources = new Map(nodes.flatMap((name) => {
      const node = topology.nodes.get(name);
      return node?.kind === "source" ? [[name, topicsOf(node, present)] as const] : [];
    }));
    const sourceTopics = [...topicsOfSources.values()].flat();
    return { id, nodes, topicsOfSources, sourceTopics, stores: storesOf(topology, nodes) };
  });
}

/** What nodes are connected with. */
function storesOf(topology: Topology, nodes: readonly string[]): string[] {
  return [
    ...new Set(nodes.flatMap((name) => {
      const node = topology.nodes.get(name);
      return node?.kind === "processor" ? node.stores : [];
    })),
  ];
}
