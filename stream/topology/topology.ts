/**
 * The graph of an application (Kafka's `Topology`): sources, processors and sinks by name, the stores
 * that processors are connected with, and topics that the application makes for itself.
 */
import type { ProcessorSupplier } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { Serde } from "../serdes/serde.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import type { TimestampExtractor } from "../task/timestamp-extractor.ts";

/** Of a record between nodes, whatever its types. */
type AnyRecord = StreamRecord<unknown, unknown>;

/** Reads topics. */
export interface SourceNode {
  readonly kind: "source";
  readonly name: string;
  /** Names as they are in the cluster, or of internal topics, which get the application's id. */
  readonly topics: readonly string[];
  /** Instead of `topics`: all topics of the cluster whose names match, those that come to be later, too. */
  readonly pattern?: RegExp;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly timestampExtractor: TimestampExtractor | null;
  /** Where to begin in topics without committed offsets. Null: as the application is set. */
  readonly offsetReset: "earliest" | "latest" | null;
}

/** Does something with records. */
export interface ProcessorNode {
  readonly kind: "processor";
  readonly name: string;
  readonly parents: readonly string[];
  readonly supplier: ProcessorSupplier;
  readonly stores: readonly string[];
}

/** The topic that a record is for. */
export type TopicNameOf = (record: AnyRecord) => string;
/** The partition that a record is for, of so many; null: by the hash of its key. */
export type Partitioner = (record: AnyRecord, topic: string, count: number) => number | null;

/** Writes a topic. */
export interface SinkNode {
  readonly kind: "sink";
  readonly name: string;
  readonly parents: readonly string[];
  readonly topic: string | TopicNameOf;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  /** Null: by the hash of the key. */
  readonly partitioner: Partitioner | null;
  /** So many bytes at the end of the key are not hashed. */
  readonly unhashedBytes: number;
}

export type TopologyNode = SourceNode | ProcessorNode | SinkNode;

/** A topic through which records come to the task of their new key. */
export interface RepartitionTopic {
  /** Without the application's id: `by-country-repartition`. */
  readonly name: string;
  /** Null: as many as the topics that it is joined with or comes from. */
  readonly partitions: number | null;
}

/** A store that is the same in all members: a topic, in all its partitions, fills it. */
export interface GlobalStore {
  /** Never logged, for its topic is its log; nor cached. */
  readonly spec: StoreSpec;
  readonly source: SourceNode;
  readonly processor: ProcessorNode;
}

/** The application is wrong: said where it is defined, before anything runs. */
export class TopologyError extends Error {
  override readonly name = "TopologyError";
}

const NAME = /^[A-Za-z0-9._-]{1,200}$/;

/** Whether a source reads a topic of that name. */
export function reads(
  { topics, pattern }: Pick<SourceNode, "topics" | "pattern">,
  topic: string,
): boolean {
  return pattern === undefined ? topics.includes(topic) : pattern.test(topic);
}

/** The topics that a source reads; `present`: those that may match a pattern. */
export function topicsOf(
  source: Pick<SourceNode, "topics" | "pattern">,
  present: readonly string[],
): readonly string[] {
  return source.pattern === undefined
    ? source.topics
    : present.filter((each) => reads(source, each));
}

/** See the head of the file. */
export class Topology {
  /** In the order in which they were added: parents stand before children. */
  readonly nodes = new Map<string, TopologyNode>();
  readonly stores = new Map<string, StoreSpec>();
  readonly repartitionTopics = new Map<string, RepartitionTopic>();
  /** Names of sources whose records are joined: their topics have equally many partitions. */
  readonly copartitionedSources: string[][] = [];
  /** Stores that every task reads, and no task writes: whole topics. */
  readonly globalStores = new Map<string, GlobalStore>();
  /** Names of the nodes that fill those. */
  readonly globalNodes = new Set<string>();

  /** Throws `TopologyError`, as all of these. */
  addSource(node: Omit<SourceNode, "kind">): void {
    for (const other of this.nodes.values()) {
      if (other.kind !== "source") continue;
      const topic = node.topics.find((each) => reads(other, each)) ??
        other.topics.find((each) => reads(node, each));
      if (topic !== undefined) {
        throw new TopologyError(`topic "${topic}" is read twice: use what "${other.name}" gives`);
      }
    }
    this.#add({ ...node, kind: "source" });
  }

  addProcessor(node: Omit<ProcessorNode, "kind">): void {
    this.#requireParents(node.name, node.parents);
    for (const store of node.stores) this.#requireStore(node.name, store);
    this.#add({ ...node, kind: "processor" });
  }

  addSink(node: Omit<SinkNode, "kind">): void {
    this.#requireParents(node.name, node.parents);
    this.#add({ ...node, kind: "sink" });
  }

  addStore(spec: StoreSpec): void {
    requireName("store", spec.name);
    if (this.stores.has(spec.name)) {
      throw new TopologyError(`there are two stores of the name "${spec.name}"`);
    }
    this.stores.set(spec.name, spec);
  }

  addRepartitionTopic(topic: RepartitionTopic): void {
    requireName("repartition topic", topic.name);
    if (this.repartitionTopics.has(topic.name)) {
      throw new TopologyError(`there are two repartition topics of the name "${topic.name}"`);
    }
    const { name, partitions } = topic;
    if (partitions !== null && !(Number.isSafeInteger(partitions) && partitions > 0)) {
      throw new TopologyError(
        `"${name}" has a whole number of partitions from 1 on, not ${partitions}`,
      );
    }
    this.repartitionTopics.set(topic.name, topic);
  }

  /** `processor` fills the store of `spec`, which all nodes may read; the only one behind `source`. */
  addGlobalStore(
    spec: StoreSpec,
    source: Omit<SourceNode, "kind">,
    processor: { readonly name: string; readonly supplier: ProcessorSupplier },
  ): void {
    this.addStore(spec);
    this.addSource(source);
    this.addProcessor({ ...processor, parents: [source.name], stores: [spec.name] });
    for (const name of [source.name, processor.name]) this.globalNodes.add(name);
    this.globalStores.set(spec.name, {
      spec,
      source: { ...source, kind: "source" },
      processor: { ...processor, kind: "processor", parents: [source.name], stores: [spec.name] },
    });
  }

  copartition(sources: readonly string[]): void {
    if (sources.length > 1) this.copartitionedSources.push([...sources]);
  }

  /** Whether which topics it reads depends on those that there are. */
  get hasPatterns(): boolean {
    return [...this.nodes.values()].some((node) => {
      return node.kind === "source" && node.pattern !== undefined;
    });
  }

  /** Whether a topic of the cluster matches a pattern and is none that the application makes. */
  matches(topic: string, internalTopic: (name: string) => string): boolean {
    const isOwn =
      [...this.repartitionTopics.keys()].some((name) => internalTopic(name) === topic) ||
      [...this.stores.keys()].some((name) => internalTopic(`${name}-changelog`) === topic);
    return !isOwn && [...this.nodes.values()].some((node) => {
      return node.kind === "source" && node.pattern !== undefined && reads(node, topic);
    });
  }

  /** A topic as it is called in the cluster; `internalTopic` names those that the application makes. */
  fullName(topic: string, internalTopic: (name: string) => string): string {
    return this.repartitionTopics.has(topic) ? internalTopic(topic) : topic;
  }

  /** Names of the nodes right behind one. */
  childrenOf(name: string): string[] {
    return [...this.nodes.values()].flatMap((node) => {
      return node.kind !== "source" && node.parents.includes(name) ? [node.name] : [];
    });
  }

  #add(node: TopologyNode): void {
    if (this.nodes.has(node.name)) {
      throw new TopologyError(`there are two steps of the name "${node.name}"`);
    }
    this.nodes.set(node.name, node);
  }

  #requireParents(name: string, parents: readonly string[]): void {
    if (parents.length === 0) throw new TopologyError(`"${name}" gets records from nowhere`);
    for (const parent of parents) {
      const known = this.nodes.get(parent);
      if (known === undefined) throw new TopologyError(`"${name}" is behind "${parent}": unknown`);
      if (this.globalNodes.has(parent)) {
        throw new TopologyError(
          `"${name}" cannot be behind "${parent}", which fills a global store`,
        );
      }
      if (known.kind === "sink") {
        throw new TopologyError(`"${name}" cannot be behind "${parent}", which writes a topic`);
      }
    }
  }

  #requireStore(node: string, store: string): void {
    if (this.stores.has(store)) return;
    throw new TopologyError(`"${node}" asks for store "${store}", which there is not`);
  }
}

function requireName(what: string, name: string): void {
  if (NAME.test(name)) return;
  throw new TopologyError(
    `the ${what} "${name}" cannot be called so: letters, digits, ".", "_" and "-", 200 at most`,
  );
}
