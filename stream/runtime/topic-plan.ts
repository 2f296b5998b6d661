/**
 * What topics an application needs, and what tasks come of them (Kafka's `RepartitionTopics`,
 * `ChangelogTopics`): pure, of the topology and the partition counts of the topics that there are.
 */
import { OperatorError } from "../../core/operator-error.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import type { Subtopology } from "../topology/subtopologies.ts";
import { partitionCounts } from "../topology/partition-counts.ts";
import { subtopologiesOf } from "../topology/subtopologies.ts";
import type { Topology } from "../topology/topology.ts";

/** A topic that the application makes for itself. */
export interface InternalTopic {
  /** With the application's id. */
  readonly name: string;
  readonly partitions: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** A subtopology with its topics as they are called in the cluster. */
export interface PlannedSubtopology {
  readonly subtopology: Subtopology;
  /** How many tasks it has: the most partitions that a topic of it has. */
  readonly tasks: number;
  readonly sourceTopics: readonly string[];
  /** By store, of those that have one. */
  readonly changelogs: ReadonlyMap<string, string>;
}

/** See the head of the file. */
export interface TopicPlan {
  readonly subtopologies: readonly PlannedSubtopology[];
  readonly internalTopics: readonly InternalTopic[];
  /** Of all topics that are read, those that the application makes included. */
  readonly partitionCounts: ReadonlyMap<string, number>;
  /** Topics that match patterns, in order. */
  readonly matching: readonly string[];
}

/** What the plan depends on besides the topology. */
export interface PlanSettings {
  readonly applicationId: string;
  /** How much longer changelogs of windows are kept than the windows. */
  readonly windowChangelogExtraMs: number;
  /** Of all internal topics; they give way to those of a store. */
  readonly topicConfigs: Readonly<Record<string, string>>;
}

/** A topic of the application, as it is called in the cluster. */
export function internalName(applicationId: string, name: string): string {
  return `${applicationId}-${name}`;
}

/** Topics of global tables: all members read the whole of them. */
export function globalTopics(topology: Topology): string[] {
  return [...topology.globalStores.values()].flatMap(({ source }) => source.topics);
}

/** Topics that have to be there before the application runs. */
export function outerSourceTopics(topology: Topology): string[] {
  const topics = subtopologiesOf(topology).flatMap(({ sourceTopics }) =>
    sourceTopics.filter((topic) => !topology.repartitionTopics.has(topic))
  );
  return [...topics, ...globalTopics(topology)];
}

/** Topics of sinks that always write the same one, and are not the application's own. */
export function outerSinkTopics(topology: Topology): string[] {
  const names = [...topology.nodes.values()].flatMap((node) =>
    node.kind === "sink" && typeof node.topic === "string" &&
      !topology.repartitionTopics.has(node.topic)
      ? [node.topic]
      : []
  );
  return [...new Set(names)];
}

/**
 * `counts`: partitions of the topics that are there, by name; 0 or nothing for one that is not. Where no
 * topic matches a pattern, there are no tasks and no topics for them yet. Throws `OperatorError` where a
 * source topic is missing.
 */
export function planTopics(
  topology: Topology,
  counts: ReadonlyMap<string, number>,
  settings: PlanSettings,
): TopicPlan {
  const missing = outerSourceTopics(topology).filter((topic) => (counts.get(topic) ?? 0) === 0);
  if (missing.length > 0) throw missingTopics(missing);
  const full = (name: string) => internalName(settings.applicationId, name);
  const matching = [...counts.keys()].filter((topic) => {
    return counts.get(topic)! > 0 && topology.matches(topic, full);
  }).sort();
  const subtopologies = subtopologiesOf(topology, matching);
  const countOf = (topic: string) => counts.get(topic) ?? null;
  const repartitionCounts = partitionCounts(topology, countOf, matching);
  const internalTopics: InternalTopic[] = [];
  const allCounts = new Map<string, number>();
  for (const name of topology.repartitionTopics.keys()) {
    const partitions = repartitionCounts.get(name);
    if (partitions === undefined) continue;
    internalTopics.push({ name: full(name), partitions, configs: repartitionConfigs(settings) });
    allCounts.set(full(name), partitions);
  }
  const planned = subtopologies.map((subtopology): PlannedSubtopology => {
    const sourceTopics = subtopology.sourceTopics.map((topic) => topology.fullName(topic, full));
    subtopology.sourceTopics.forEach((topic, i) => {
      if (!topology.repartitionTopics.has(topic)) {
        allCounts.set(sourceTopics[i]!, counts.get(topic)!);
      }
    });
    const tasks = Math.max(0, ...sourceTopics.map((topic) => allCounts.get(topic) ?? 0));
    const specs = subtopology.stores.map((name) => topology.stores.get(name)!);
    const changelogs = new Map(
      specs.filter(({ isLogged }) => isLogged).map((spec) => {
        const name = full(`${spec.name}-changelog`);
        const configs = changelogConfigs(spec, settings);
        if (tasks > 0) internalTopics.push({ name, partitions: tasks, configs });
        return [spec.name, name];
      }),
    );
    return { subtopology, tasks, sourceTopics, changelogs };
  });
  return { subtopologies: planned, internalTopics, partitionCounts: allCounts, matching };
}

/** Records are gone when they are processed, not before (`RepartitionTopicConfig`). */
export function repartitionConfigs(
  { topicConfigs }: PlanSettings,
): Record<string, string> {
  return {
    "cleanup.policy": "delete",
    "message.timestamp.type": "CreateTime",
    "retention.ms": "-1",
    "segment.bytes": String(50 * 1024 * 1024),
    ...topicConfigs,
  };
}

/** `WindowedChangelogTopicConfig`, `UnwindowedUnversionedChangelogTopicConfig`, `VersionedChangelogTopicConfig`. */
export function changelogConfigs(
  spec: StoreSpec,
  { topicConfigs, windowChangelogExtraMs }: PlanSettings,
): Record<string, string> {
  const own = ownConfigs(spec, windowChangelogExtraMs);
  return {
    ...own,
    "message.timestamp.type": "CreateTime",
    ...topicConfigs,
    ...spec.changelogConfigs,
  };
}

function ownConfigs(spec: StoreSpec, extraMs: number): Readonly<Record<string, string>> {
  // Of records of a join each has a key of its own: there is nothing to compact.
  const policy = spec.kind === "join-window" ? "delete" : "compact,delete";
  const aged = (ms: number) => ({ "cleanup.policy": policy, "retention.ms": String(ms + extraMs) });
  switch (spec.kind) {
    case "key-value":
      return spec.ttlMs === undefined ? { "cleanup.policy": "compact" } : aged(spec.ttlMs);
    case "suppression":
      return { "cleanup.policy": "compact" };
    case "versioned":
      return {
        "cleanup.policy": "compact",
        // Versions of before are of the history, until they are too old for it.
        "min.compaction.lag.ms": String(spec.historyRetentionMs + extraMs),
      };
    case "window":
    case "join-window":
    case "session":
      return aged(spec.retentionMs);
  }
}

export function missingTopics(names: readonly string[]): OperatorError {
  const quoted = names.map((name) => `"${name}"`).join(", ");
  const what = names.length === 1
    ? `topic ${quoted} does not exist`
    : `topics ${quoted} do not exist`;
  const whatToDo = `create with: kstream topic create ${names[0]}`;
  return new OperatorError(what, "the application reads it", whatToDo);
}
