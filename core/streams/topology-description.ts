/** What a topology is made of, as plain data: to be shown, saved, and compared with another one. */

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
