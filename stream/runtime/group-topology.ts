/**
 * A topology as a broker has to know it that shares tasks out (KIP-1071; Kafka's `StreamsRebalanceData`):
 * subtopologies with what they read, and the topics that it is to make. All in one order, for members
 * that say something else are refused.
 */
import type { streamsGroupHeartbeat } from "../../core/protocol/88-streams-group-heartbeat.ts";
import type { DataOf } from "../../core/protocol/schema.ts";
import { joinedTopics } from "../topology/partition-counts.ts";
import { subtopologiesOf, type Subtopology } from "../topology/subtopologies.ts";
import type { Topology } from "../topology/topology.ts";
import {
  changelogConfigs,
  internalName,
  type PlanSettings,
  repartitionConfigs,
} from "./topic-plan.ts";

/** As it is in a heartbeat. */
export type GroupTopology = NonNullable<DataOf<typeof streamsGroupHeartbeat.request>["topology"]>;
type GroupSubtopology = GroupTopology["subtopologies"][number];
type TopicInfo = GroupSubtopology["stateChangelogTopics"][number];

/** What it depends on besides the topology. */
export interface GroupTopologySettings extends PlanSettings {
  /** −1: the brokers'. */
  readonly replicationFactor: number;
}

/** Kafka Streams knows no other yet: who changes a topology needs a new group. */
const TOPOLOGY_EPOCH = 0;
/** The broker decides. */
const ANY_COUNT = 0;

/** See the head of the file. */
export function groupTopology(topology: Topology, settings: GroupTopologySettings): GroupTopology {
  const joined = joinedTopics(topology);
  return {
    epoch: TOPOLOGY_EPOCH,
    subtopologies: subtopologiesOf(topology)
      .map((each) => groupSubtopology(topology, each, joined, settings))
      .sort((a, b) => order(a.subtopologyId, b.subtopologyId)),
  };
}

function groupSubtopology(
  topology: Topology,
  subtopology: Subtopology,
  joined: readonly (readonly string[])[],
  settings: GroupTopologySettings,
): GroupSubtopology {
  const full = (name: string) => internalName(settings.applicationId, name);
  const isOwn = (topic: string) => topology.repartitionTopics.has(topic);
  const sources = [...new Set(subtopology.sourceTopics)];
  const outer = sources.filter((topic) => !isOwn(topic)).sort(order);
  const own = sources.filter(isOwn).sort((a, b) => order(full(a), full(b)));
  const stores = subtopology.stores.map((name) => topology.stores.get(name)!);
  const info = (
    name: string,
    partitions: number,
    configs: Readonly<Record<string, string>>,
  ): TopicInfo => ({
    ...{ name, partitions, replicationFactor: settings.replicationFactor },
    topicConfigs: Object.entries(configs).map(([key, value]) => ({ key, value }))
      .sort((a, b) => order(a.key, b.key)),
  });
  const indexes = (topics: readonly string[], all: readonly string[]) =>
    topics.map((topic) => all.indexOf(topic)).filter((index) => index >= 0).sort((a, b) => a - b);
  return {
    subtopologyId: String(subtopology.id),
    sourceTopics: outer,
    sourceTopicRegex: [],
    repartitionSinkTopics: sinksOf(topology, subtopology).map(full).sort(order),
    repartitionSourceTopics: own.map((topic) => {
      const { partitions } = topology.repartitionTopics.get(topic)!;
      return info(full(topic), partitions ?? ANY_COUNT, repartitionConfigs(settings));
    }),
    stateChangelogTopics: stores.filter(({ isLogged }) => isLogged)
      .map((spec) =>
        info(full(`${spec.name}-changelog`), ANY_COUNT, changelogConfigs(spec, settings))
      )
      .sort((a, b) => order(a.name, b.name)),
    copartitionGroups: joined.filter((topics) => topics.every((each) => sources.includes(each)))
      .map((topics) => ({
        sourceTopics: indexes(topics, outer),
        sourceTopicRegex: [],
        repartitionSourceTopics: indexes(topics, own),
      })),
  };
}

/** Topics of its own that it writes, as other subtopologies read them. */
function sinksOf(topology: Topology, { nodes }: Subtopology): string[] {
  const topics = nodes.flatMap((name) => {
    const node = topology.nodes.get(name);
    return node?.kind === "sink" && typeof node.topic === "string" ? [node.topic] : [];
  });
  return [...new Set(topics)].filter((topic) => topology.repartitionTopics.has(topic));
}

/** By code units, as Java compares. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
