/** Describes topologies as plain data: see `core/streams/topology-description.ts`. */
import {
  type DescribedNode,
  type DescribedStore,
  type DescribedTypes,
  DESCRIPTION_FORMAT,
  type TopologyDescription,
} from "../../core/streams/topology-description.ts";
import type { Serde } from "../serdes/serde.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import { subtopologiesOf } from "./subtopologies.ts";
import type { SourceNode, Topology, TopologyNode } from "./topology.ts";

/** Always the same for the same topology. */
export function describeTopology(topology: Topology): TopologyDescription {
  const children = childrenOf(topology);
  const parts = subtopologiesOf(topology).map(({ nodes }) => ({ isGlobal: false, nodes }));
  const globals = [...topology.globalStores.values()].map(({ source, processor }) => ({
    isGlobal: true,
    nodes: [source.name, processor.name],
  }));
  const subtopologies = [...parts, ...globals].map(({ isGlobal, nodes }, id) => ({
    id,
    isGlobal,
    nodes: nodes.map((name) => describeNode(topology.nodes.get(name)!, children.get(name) ?? [])),
  }));
  const sources = [...topology.nodes.values()].filter((node) => node.kind === "source");
  const repartitionTopics = [...topology.repartitionTopics.values()].map((topic) => {
    const source = sources.find(({ topics }) => topics.includes(topic.name));
    return { name: topic.name, partitions: topic.partitions, ...typesOf(source) };
  });
  return {
    format: DESCRIPTION_FORMAT,
    subtopologies,
    stores: [...topology.stores.values()].map((spec) => describeStore(topology, spec)),
    repartitionTopics,
  };
}

function childrenOf(topology: Topology): Map<string, string[]> {
  const children = new Map<string, string[]>();
  for (const node of topology.nodes.values()) {
    if (node.kind === "source") continue;
    for (const parent of node.parents) {
      children.set(parent, [...children.get(parent) ?? [], node.name]);
    }
  }
  return children;
}

function describeNode(node: TopologyNode, children: readonly string[]): DescribedNode {
  const { kind, name } = node;
  switch (kind) {
    case "source":
      return {
        ...{ kind, name, topics: shownTopics(node), ...typesOf(node) },
        ...{ offsetReset: node.offsetReset, parents: [], children },
      };
    case "processor":
      return { kind, name, stores: node.stores, parents: node.parents, children };
    case "sink": {
      const topic = typeof node.topic === "string" ? node.topic : null;
      return { kind, name, topic, ...typesOf(node), parents: node.parents, children: [] };
    }
  }
}

/** A pattern stands for what it matches, as its author has written it: not for whole names alone. */
export function shownTopics(
  { topics, pattern }: Pick<SourceNode, "topics" | "pattern">,
): readonly string[] {
  return pattern === undefined ? topics : [String(pattern).replace(/\^\(\?:(.*)\)\$/s, "$1")];
}

function describeStore(topology: Topology, spec: StoreSpec): DescribedStore {
  const { name, kind, keySerde, valueSerde, isLogged, isCached, changelogConfigs, ...rest } = spec;
  // What a kind of store has of its own are numbers and flags that say how entries are kept.
  const shape = Object.fromEntries(
    Object.entries(rest).filter(([, value]) => typeof value === "number" || value === true),
  );
  return {
    ...{ name, kind, shape, ...typesOf({ keySerde, valueSerde }) },
    ...{ isGlobal: topology.globalStores.has(name), isCached },
    ...{ changelog: isLogged ? `${name}-changelog` : null, changelogConfigs },
  };
}

function typesOf(
  has: { readonly keySerde: Serde<unknown>; readonly valueSerde: Serde<unknown> } | undefined,
): DescribedTypes {
  return { key: has?.keySerde.name ?? null, value: has?.valueSerde.name ?? null };
}
