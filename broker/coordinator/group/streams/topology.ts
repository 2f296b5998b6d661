/**
 * The topology that the members of a streams group run, as one of them has sent it (KIP-1071,
 * Kafka's `StreamsTopology`): subtopologies with the topics that they read and write.
 */
import { Errors } from "../../../../core/errors.ts";
import type { streamsGroupTopologyRecord } from "../../../../core/protocol/records/streams-group-records.ts";
import type { DataOf } from "../../../../core/protocol/schema.ts";
import { type Refusal, refuse } from "../../../outcome.ts";
import type { StreamsGroupRecord } from "./streams-records.ts";

/** A topology in a record; that of a heartbeat has the same form. */
export type TopologyValue = DataOf<(typeof streamsGroupTopologyRecord)["value"]>;

/** A part of a topology that runs as one task per partition. */
export type Subtopology = TopologyValue["subtopologies"][number];

/** A topic that exists for the application alone; 0 partitions or replicas are for the broker. */
export type TopicInfo = Subtopology["stateChangelogTopics"][number];

/** See the header. */
export class StreamsTopology {
  readonly epoch: number;
  /** In the order of their ids. */
  readonly subtopologies: readonly Subtopology[];
  readonly #bySource = new Map<string, Subtopology>();
  readonly #required = new Set<string>();

  constructor(value: TopologyValue) {
    this.epoch = value.epoch;
    this.subtopologies = value.subtopologies.map(plain)
      .toSorted((a, b) => a.subtopologyId < b.subtopologyId ? -1 : 1);
    for (const subtopology of this.subtopologies) {
      for (const topic of sourcesOf(subtopology)) {
        this.#bySource.set(topic, subtopology);
        this.#required.add(topic);
      }
      for (const { name } of subtopology.stateChangelogTopics) this.#required.add(name);
    }
  }

  /** The subtopology that reads the topic. */
  bySource(topic: string): Subtopology | undefined {
    return this.#bySource.get(topic);
  }

  /** The names of all topics that have to exist before a task can run. */
  get requiredTopics(): ReadonlySet<string> {
    return this.#required;
  }

  equals(other: StreamsTopology): boolean {
    return this.epoch === other.epoch &&
      JSON.stringify(this.subtopologies) === JSON.stringify(other.subtopologies);
  }

  record(groupId: string): StreamsGroupRecord {
    const { epoch, subtopologies } = this;
    return {
      type: "StreamsGroupTopology",
      key: { groupId },
      value: { epoch, subtopologies: [...subtopologies] },
    };
  }
}

/** The names of all topics that a subtopology reads. */
export function sourcesOf({ sourceTopics, repartitionSourceTopics }: Subtopology): string[] {
  return [...sourceTopics, ...repartitionSourceTopics.map((topic) => topic.name)];
}

/** All names in a topology, those that nobody reads too. */
export function topicNamesOf(topology: TopologyValue): Set<string> {
  return new Set(topology.subtopologies.flatMap((subtopology) => [
    ...sourcesOf(subtopology),
    ...subtopology.repartitionSinkTopics,
    ...subtopology.stateChangelogTopics.map((topic) => topic.name),
  ]));
}

/** What is wrong with a topology by itself, or null. */
export function topologyProblem({ epoch, subtopologies }: TopologyValue): Refusal | null {
  if (epoch < 0) {
    const why = `Topology epoch is ${epoch}, but must not be negative.`;
    return refuse(Errors.STREAMS_INVALID_TOPOLOGY_EPOCH, why);
  }
  const ids = new Set<string>();
  for (const subtopology of subtopologies) {
    const { subtopologyId } = subtopology;
    if (ids.has(subtopologyId)) return invalid(`Subtopology ${subtopologyId} is there twice.`);
    ids.add(subtopologyId);
    const problem = subtopologyProblem(subtopology);
    if (problem !== null) return invalid(problem);
  }
  return null;
}

function subtopologyProblem(subtopology: Subtopology): string | null {
  for (const { name, partitions } of subtopology.stateChangelogTopics) {
    if (partitions !== 0) {
      return `Changelog topic ${name} must have an undefined partition count, but it is set to ` +
        `${partitions}.`;
    }
  }
  for (const { name, partitions } of subtopology.repartitionSourceTopics) {
    if (partitions < 0) return `Repartition topic ${name} has a negative number of partitions.`;
  }
  const { sourceTopics, repartitionSourceTopics, subtopologyId } = subtopology;
  const within = (indexes: readonly number[], { length }: { readonly length: number }) =>
    indexes.every((index) => index >= 0 && index < length);
  const groupsFit = subtopology.copartitionGroups.every((group) =>
    within(group.sourceTopics, sourceTopics) && group.sourceTopicRegex.length === 0 &&
    within(group.repartitionSourceTopics, repartitionSourceTopics)
  );
  return groupsFit
    ? null
    : `A copartition group of subtopology ${subtopologyId} names a topic that is not there.`;
}

/** The refusal of a topology that cannot run. */
export function invalid(message: string): Refusal {
  return refuse(Errors.STREAMS_INVALID_TOPOLOGY, message);
}

/** A copy with fields in one order and without what is not known here, so that two can be compared. */
function plain(subtopology: Subtopology): Subtopology {
  const topicInfo = (info: TopicInfo): TopicInfo => ({
    name: info.name,
    partitions: info.partitions,
    replicationFactor: info.replicationFactor,
    topicConfigs: info.topicConfigs.map(({ key, value }) => ({ key, value })),
  });
  return {
    subtopologyId: subtopology.subtopologyId,
    sourceTopics: [...subtopology.sourceTopics],
    sourceTopicRegex: [...subtopology.sourceTopicRegex],
    stateChangelogTopics: subtopology.stateChangelogTopics.map(topicInfo),
    repartitionSinkTopics: [...subtopology.repartitionSinkTopics],
    repartitionSourceTopics: subtopology.repartitionSourceTopics.map(topicInfo),
    copartitionGroups: subtopology.copartitionGroups.map((group) => ({
      sourceTopics: [...group.sourceTopics],
      sourceTopicRegex: [...group.sourceTopicRegex],
      repartitionSourceTopics: [...group.repartitionSourceTopics],
    })),
  };
}
