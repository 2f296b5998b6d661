/**
 * How many partitions the topics have that an application makes for itself, and whether those that are
 * joined have equally many (Kafka's `RepartitionTopics` and `CopartitionedTopicsEnforcer`).
 */
import { OperatorError } from "../../core/operator-error.ts";
import { Sets } from "./sets.ts";
import { subtopologiesOf } from "./subtopologies.ts";
import { topicsOf, type Topology } from "./topology.ts";

/**
 * Partitions of each repartition topic, by its name without the application's id. `countOf`: of other
 * topics, as the cluster has them; null: there is no such topic. `present`: topics that match patterns; a
 * repartition topic behind such sources alone has none while nothing matches. Throws `OperatorError`.
 */
export function partitionCounts(
  topology: Topology,
  countOf: (topic: string) => number | null,
  present: readonly string[] = [],
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { name, partitions } of topology.repartitionTopics.values()) {
    if (partitions !== null) counts.set(name, partitions);
  }
  const known = (topic: string): number | null => {
    if (topology.repartitionTopics.has(topic)) return counts.get(topic) ?? null;
    const count = countOf(topic);
    if (count === null) {
      throw new OperatorError(
        `topic "${topic}" does not exist`,
        "the application reads it",
        `create with: kstream topic create ${topic}`,
      );
    }
    return count;
  };
  spread(topology, present, counts, known);
  for (const group of joinedTopics(topology, present)) makeEqual(topology, group, counts, known);
  return counts;
}

/** A topic has as many as the largest of those that its records come from. */
function spread(
  topology: Topology,
  present: readonly string[],
  counts: Map<string, number>,
  known: (topic: string) => number | null,
): void {
  const subtopologies = subtopologiesOf(topology, present);
  const upstream = new Map([...topology.repartitionTopics.keys()].map((topic) => {
    const writers = subtopologies.filter(({ nodes }) =>
      nodes.some((name) => {
        const node = topology.nodes.get(name);
        return node?.kind === "sink" && node.topic === topic;
      })
    );
    return [topic, writers.flatMap(({ sourceTopics }) => sourceTopics)] as const;
  }));
  // Topics may come from one another in turn (those of a join by foreign key): what is known will do.
  for (let isDone = false; !isDone;) {
    isDone = true;
    for (const [topic, sources] of upstream) {
      if (counts.has(topic)) continue;
      const candidates = sources.map(known).filter((count) => count !== null);
      if (candidates.length === 0) continue;
      counts.set(topic, Math.max(...candidates));
      isDone = false;
    }
  }
}

/** Topics that records are joined of: two groups that share one are one. */
export function joinedTopics(topology: Topology, present: readonly string[] = []): string[][] {
  const sets = new Sets();
  for (const sources of topology.copartitionedSources) {
    const topics = sources.flatMap((name) => {
      const node = topology.nodes.get(name);
      return node?.kind === "source" ? topicsOf(node, present) : [];
    });
    for (const topic of topics) sets.join(topics[0]!, topic);
  }
  return sets.all();
}

function makeEqual(
  topology: Topology,
  topics: readonly string[],
  counts: Map<string, number>,
  known: (topic: string) => number | null,
): void {
  const isFree = (topic: string) => topology.repartitionTopics.get(topic)?.partitions === null;
  const fixed = topics.filter((topic) => !isFree(topic)).map((topic) => ({
    topic,
    count: known(topic),
  }));
  const free = topics.filter(isFree);
  const other = fixed.find(({ count }) => count !== fixed[0]?.count);
  if (other !== undefined) {
    const all = fixed.map(({ topic, count }) => `"${topic}" has ${count}`).join(", ");
    throw new OperatorError(
      "topics that are joined have to have as many partitions",
      all,
      "make them equal, or send one through repartition() before the join",
    );
  }
  const count = fixed[0]?.count ?? Math.max(...free.map((topic) => known(topic) ?? 1));
  for (const topic of free) counts.set(topic, count);
}
