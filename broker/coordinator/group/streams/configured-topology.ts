/**
 * A topology over the topics that exist: how many tasks each subtopology has, and which topics the
 * application needs for itself, with how many partitions (Kafka's `InternalTopicManager`).
 *
 * - A repartition topic has as many partitions as it asks for, else as the largest source of the
 *   subtopologies that write it, else as those that it is joined with (copartition groups).
 * - A changelog has as many as its subtopology has tasks.
 */
import { accept, type Outcome } from "../../../outcome.ts";
import type { Topics } from "../group.ts";
import {
  invalid,
  sourcesOf,
  type StreamsTopology,
  type Subtopology,
  type TopicInfo,
} from "./topology.ts";

/** What a heartbeat says besides its error; the codes of `StreamsGroupHeartbeatResponse.Status`. */
export const StatusCodes = {
  STALE_TOPOLOGY: 0,
  MISSING_SOURCE_TOPICS: 1,
  INCORRECTLY_PARTITIONED_TOPICS: 2,
  MISSING_INTERNAL_TOPICS: 3,
  SHUTDOWN_APPLICATION: 4,
  ASSIGNMENT_DELAYED: 5,
} as const;

/** A status of a heartbeat. */
export interface Status {
  readonly statusCode: number;
  readonly statusDetail: string;
}

/** A subtopology whose partition counts are known. */
export interface ConfiguredSubtopology {
  readonly id: string;
  readonly taskCount: number;
  /** Whether it keeps state, so that a standby has something to keep. */
  readonly isStateful: boolean;
  /** All topics that it reads. */
  readonly sources: readonly string[];
  readonly subtopology: Subtopology;
}

/** See the header. */
export interface ConfiguredTopology {
  readonly topology: StreamsTopology;
  /** The hash of the metadata that this rests on. */
  readonly metadataHash: bigint;
  /** In the order of their ids; null where the sources do not allow to tell. */
  readonly subtopologies: readonly ConfiguredSubtopology[] | null;
  /** Internal topics that are to be created. */
  readonly missing: readonly TopicInfo[];
  /** Why no task can run yet, or null. */
  readonly problem: Status | null;
}

/** A problem with the topics, found on the way. */
class TopicProblem extends Error {
  override readonly name = "TopicProblem";
  constructor(readonly statusCode: number, message: string) {
    super(message);
  }
}

/** A topology that no topics would make run. */
class InvalidTopology extends Error {
  override readonly name = "InvalidTopology";
}

/** The topology over the topics as they are now; a refusal if it can never run. */
export function configureTopology(
  topology: StreamsTopology,
  metadataHash: bigint,
  topics: Topics,
): Outcome<ConfiguredTopology> {
  const base = { topology, metadataHash };
  try {
    throwOnMissingSources(topology, topics);
    const counts = new PartitionCounts(topology, topics);
    const subtopologies = topology.subtopologies.map((subtopology) => ({
      id: subtopology.subtopologyId,
      taskCount: counts.taskCount(subtopology),
      isStateful: subtopology.stateChangelogTopics.length > 0,
      sources: sourcesOf(subtopology),
      subtopology: counts.withCounts(subtopology),
    }));
    const missing = missingTopics(subtopologies.map((each) => each.subtopology), topics);
    const problem = missing.length === 0 ? null : {
      statusCode: StatusCodes.MISSING_INTERNAL_TOPICS,
      statusDetail: `Internal topics are missing: ${summary(missing.map(({ name }) => name))}`,
    };
    return accept({ ...base, subtopologies, missing, problem });
  } catch (error) {
    if (error instanceof InvalidTopology) return invalid(error.message);
    if (!(error instanceof TopicProblem)) throw error;
    const problem = { statusCode: error.statusCode, statusDetail: error.message };
    return accept({ ...base, subtopologies: null, missing: [], problem });
  }
}

function throwOnMissingSources({ subtopologies }: StreamsTopology, topics: Topics): void {
  const missing = new Set(
    subtopologies.flatMap((each) => each.sourceTopics)
      .filter((name) => topics.byName(name) === undefined),
  );
  if (missing.size === 0) return;
  throw new TopicProblem(
    StatusCodes.MISSING_SOURCE_TOPICS,
    `Source topics ${summary([...missing].toSorted())} are missing.`,
  );
}

/** How many partitions every topic of a topology has or is to have. */
class PartitionCounts {
  readonly #decided = new Map<string, number>();

  constructor(readonly topology: StreamsTopology, readonly topics: Topics) {
    this.#decideRepartitionTopics();
    const asked = topology.subtopologies.flatMap((each) => each.repartitionSourceTopics)
      .filter((topic) => topic.partitions !== 0);
    const fixed = new Set(asked.map((topic) => topic.name));
    for (const subtopology of topology.subtopologies) {
      for (const names of copartitionGroups(subtopology)) this.#align(names, fixed);
    }
    for (const subtopology of topology.subtopologies) {
      const count = this.taskCount(subtopology);
      for (const { name } of subtopology.stateChangelogTopics) this.#decided.set(name, count);
    }
  }

  /** One task for each partition of the largest topic that it reads. */
  taskCount(subtopology: Subtopology): number {
    const counts = sourcesOf(subtopology).map((topic) => this.#countOf(topic));
    if (counts.length === 0) {
      throw new InvalidTopology(
        `No source topics found for subtopology ${subtopology.subtopologyId}`,
      );
    }
    return Math.max(...counts);
  }

  /** The subtopology with a number of partitions for each of its internal topics. */
  withCounts(subtopology: Subtopology): Subtopology {
    const counted = (topic: TopicInfo): TopicInfo =>
      topic.partitions === 0
        ? { ...topic, partitions: this.#decided.get(topic.name) ?? this.#countOf(topic.name) }
        : topic;
    return {
      ...subtopology,
      repartitionSourceTopics: subtopology.repartitionSourceTopics.map(counted),
      stateChangelogTopics: subtopology.stateChangelogTopics.map(counted),
    };
  }

  #countOf(topic: string): number {
    const count = this.topics.byName(topic)?.partitions.length ?? this.#decided.get(topic);
    if (count === undefined) throw new InvalidTopology(`Topic ${topic} has no partition count.`);
    return count;
  }

  /** Kafka's `RepartitionTopics`: from sources to sinks, until nothing is left to be decided. */
  #decideRepartitionTopics(): void {
    const { subtopologies } = this.topology;
    const sources = subtopologies.flatMap((each) => each.repartitionSourceTopics);
    for (const { name, partitions } of sources) {
      if (partitions !== 0) this.#decided.set(name, partitions);
    }
    let open = subtopologies.filter((each) => each.repartitionSinkTopics.length > 0);
    while (open.length > 0) {
      const before = open.length;
      open = open.filter((each) => !this.#decideSinks(each));
      if (open.length < before) continue;
      throw new InvalidTopology(
        "Failed to compute number of partitions for all repartition topics. " +
          "There may be loops in the topology that cannot be resolved.",
      );
    }
    if (sources.every(({ name }) => this.#decided.has(name))) return;
    throw new InvalidTopology(
      "Failed to compute number of partitions for all repartition topics, because a " +
        "repartition source topic is never used as a sink topic.",
    );
  }

  /** Whether all sinks of the subtopology have a number of partitions now. */
  #decideSinks(subtopology: Subtopology): boolean {
    const open = subtopology.repartitionSinkTopics.filter((name) => !this.#decided.has(name));
    if (open.length === 0) return true;
    const counts = [
      ...subtopology.repartitionSourceTopics.map(({ name }) => this.#decided.get(name) ?? 0),
      ...subtopology.sourceTopics.map((name) => this.topics.byName(name)?.partitions.length ?? 0),
    ];
    const count = Math.max(0, ...counts);
    if (count === 0) return false;
    for (const name of open) this.#decided.set(name, count);
    return true;
  }

  /**
   * Kafka's `CopartitionedTopicsEnforcer`: topics that are joined have the same number of
   * partitions; those of the application follow the others.
   */
  #align(names: readonly string[], fixed: ReadonlySet<string>): void {
    const internal = names.filter((name) => this.#decided.has(name));
    const external = names.filter((name) => !this.#decided.has(name));
    const inGroup = internal.filter((name) => fixed.has(name));
    const leading = external.length > 0 ? external : inGroup;
    for (const name of leading) {
      if (this.#countOf(name) === this.#countOf(leading[0]!)) continue;
      const list = leading.toSorted().map((each) => `${each}=${this.#countOf(each)}`);
      throw incorrect(
        `Following topics do not have the same number of partitions: [{${list.join(", ")}}]`,
      );
    }
    const count = leading.length > 0
      ? this.#countOf(leading[0]!)
      : Math.max(...internal.map((name) => this.#countOf(name)));
    for (const name of inGroup) {
      const own = this.#decided.get(name);
      if (own === count) continue;
      throw incorrect(
        `Number of partitions [${own}] of repartition topic [${name}] doesn't match number of ` +
          `partitions [${count}] of the source topic.`,
      );
    }
    for (const name of internal) this.#decided.set(name, count);
  }
}

function incorrect(message: string): TopicProblem {
  return new TopicProblem(StatusCodes.INCORRECTLY_PARTITIONED_TOPICS, message);
}

function copartitionGroups(subtopology: Subtopology): string[][] {
  const { sourceTopics, repartitionSourceTopics } = subtopology;
  return subtopology.copartitionGroups.map((group) => [
    ...group.sourceTopics.map((index) => sourceTopics[index]!),
    ...group.repartitionSourceTopics.map((index) => repartitionSourceTopics[index]!.name),
  ]).filter((names) => names.length > 0);
}

function missingTopics(subtopologies: readonly Subtopology[], topics: Topics): TopicInfo[] {
  const missing = new Map<string, TopicInfo>();
  for (const { repartitionSourceTopics, stateChangelogTopics } of subtopologies) {
    for (const topic of [...repartitionSourceTopics, ...stateChangelogTopics]) {
      const found = topics.byName(topic.name)?.partitions.length;
      if (found === undefined) missing.set(topic.name, topic);
      else if (found !== topic.partitions) {
        throw incorrect(
          `Existing topic ${topic.name} has different number of partitions: expected ` +
            `${topic.partitions}, found ${found}`,
        );
      }
    }
  }
  return [...missing.values()];
}

function summary(names: readonly string[]): string {
  const more = names.length - 3;
  return names.slice(0, 3).join(", ") + (more > 0 ? ` and ${more} additional topics` : "");
}
