/** What a topology is made of, as plain data: to be shown, saved, and compared with another one. */
import type { Serde } from "../serdes/serde.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import { subtopologiesOf } from "./subtopologies.ts";
import type { Topology, TopologyNode } from "./topology.ts";

/** Of descriptions that are saved: who reads one knows whether it can. */
export const DESCRIPTION_FORMAT = "kstream-topology-1";

/** How keys and values are written, by the names of serdes; null: the serde has none. */
export interface DescribedTypes {
  readonly key: string | null;
  readonly value: string | null;
}

interface DescribedStep {
  readonly name: string;
  readonly parents: readonly string[];
  readonly children: readonly string[];
}

export interface DescribedSource extends DescribedStep, DescribedTypes {
  readonly kind: "source";
  readonly topics: readonly string[];
  readonly offsetReset: "earliest" | "latest" | null;
}

export interface DescribedProcessor extends DescribedStep {
  readonly kind: "processor";
  readonly stores: readonly string[];
}

export interface DescribedSink extends DescribedStep, DescribedTypes {
  readonly kind: "sink";
  /** Null: each record says which. */
  readonly topic: string | null;
}

export type DescribedNode = DescribedSource | DescribedProcessor | DescribedSink;

export interface DescribedSubtopology {
  readonly id: number;
  /** It fills a store that every member has whole, and has no tasks. */
  readonly isGlobal: boolean;
  readonly nodes: readonly DescribedNode[];
}

export interface DescribedStore extends DescribedTypes {
  readonly name: string;
  readonly kind: string;
  /** What else its kind has: lengths, retention. */
  readonly shape: Readonly<Record<string, string | number | boolean>>;
  /** Every member has it whole, from its topic. */
  readonly isGlobal: boolean;
  readonly isCached: boolean;
  /** Its topic, without the application's id; null: its changes are not logged. */
  readonly changelog: string | null;
  readonly changelogConfigs: Readonly<Record<string, string>>;
}

export interface DescribedRepartition extends DescribedTypes {
  /** Without the application's id. */
  readonly name: string;
  /** Null: as many as the topics have that its records come from. */
  readonly partitions: number | null;
}

/** See the head of the file. */
export interface TopologyDescription {
  readonly format: typeof DESCRIPTION_FORMAT;
  readonly subtopologies: readonly DescribedSubtopology[];
  readonly stores: readonly DescribedStore[];
  readonly repartitionTopics: readonly DescribedRepartition[];
}

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
        ...{ kind, name, topics: node.topics, ...typesOf(node) },
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
