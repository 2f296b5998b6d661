/**
 * Raises the coordinators' topics as hosts join: a cluster that began with one broker has one replica of
 * them, and would lose groups and transactions with it.
 */
import { changePartition, imageOf, stateOf } from "../cluster/controller/partition-change.ts";
import { countLoads, Placement, placementBrokers } from "../cluster/controller/placement.ts";
import { isReassigning, targetOf, towards } from "../cluster/controller/reassignment.ts";
import { type MetadataImage, partitionRecord, type TopicImage } from "../cluster/metadata-image.ts";
import type { MetadataRecord } from "../cluster/metadata-records.ts";
import type { Steps } from "../core/steps.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import { electionContext } from "./elections.ts";
import { INTERNAL_TOPICS, wantedMinInsync, wantedReplicas } from "./internal-topics.ts";
import { accept } from "./outcome.ts";
import type { Plan, PlanContext } from "./plan-topics.ts";

type InternalTopic = (typeof INTERNAL_TOPICS)[number];

/** Whether `planRaise` would do anything; looks at the internal topics alone. */
export function wantsRaise(image: MetadataImage, config: BrokerConfig): boolean {
  return INTERNAL_TOPICS.some((internal) => {
    const topic = image.topics.get(internal.name);
    return topic !== undefined &&
      (lacksReplicas(internal, topic, image, config) ||
        newMinInsync(internal, topic, config) !== null);
  });
}

/**
 * Plans reassignments that give each internal topic the replicas that it lacks, by the hosts that are up
 * now. Nothing is taken away. Where somebody has set the replication factor the topic stays as it is.
 * Once all replicas are there and in use, `min.insync.replicas` goes up as well.
 */
export function* planRaise({ image, config, random }: PlanContext): Steps<Plan<null>> {
  const loads = yield* countLoads(image.topics.values());
  const placement = new Placement(placementBrokers(image), (id) => loads.get(id), random);
  const records: MetadataRecord[] = [];
  for (const internal of INTERNAL_TOPICS) {
    const topic = image.topics.get(internal.name);
    if (topic === undefined) continue;
    if (lacksReplicas(internal, topic, image, config)) {
      const wanted = wantedReplicas(internal, config, image);
      records.push(...raised(topic, wanted, placement, image, config));
    }
    const minInsync = newMinInsync(internal, topic, config);
    if (minInsync !== null) records.push(minInsyncRecord(topic, minInsync));
    yield;
  }
  return { records, outcomes: [accept(null)] };
}

function lacksReplicas(
  internal: InternalTopic,
  topic: TopicImage,
  image: MetadataImage,
  config: BrokerConfig,
): boolean {
  if (config.isSet(internal.replicationFactor)) return false;
  const wanted = wantedReplicas(internal, config, image);
  return topic.partitions.some((partition) => targetOf(stateOf(partition)).length < wanted);
}

function raised(
  topic: TopicImage,
  wanted: number,
  placement: Placement,
  image: MetadataImage,
  config: BrokerConfig,
): MetadataRecord[] {
  const elections = electionContext(image, config);
  placement.beginTopic(topic.partitions.map((partition) => targetOf(stateOf(partition))));
  return topic.partitions.flatMap((partition, index) => {
    const state = stateOf(partition);
    const before = targetOf(state);
    const target = placement.extend(before, wanted);
    if (target.length === before.length) return [];
    const next = changePartition(state, {
      election: "online",
      minInsync: elections.minInsync(topic),
      isAlive: (id) => elections.isAlive(id),
      assignment: towards(state, target),
    });
    return next === null ? [] : partitionRecord(topic.id, index, imageOf(next));
  });
}

/** Null: it is right, or not the time yet, or somebody has chosen it. */
function newMinInsync(
  internal: InternalTopic,
  topic: TopicImage,
  config: BrokerConfig,
): number | null {
  if (internal.minInsync !== null && config.isSet(internal.minInsync)) return null;
  const now = topic.configs.get("min.insync.replicas") ?? null;
  const byDefault = wantedMinInsync(internal, config, 1);
  if (now !== (byDefault === null ? null : String(byDefault))) return null;
  if (topic.partitions.some(isReassigning)) return null;
  const replicas = Math.min(...topic.partitions.map((partition) => partition.replicas.length));
  const wanted = wantedMinInsync(internal, config, replicas);
  return wanted === byDefault ? null : wanted;
}

function minInsyncRecord(topic: TopicImage, value: number): MetadataRecord {
  return {
    type: "config",
    version: 1,
    resourceType: "topic",
    resourceName: topic.name,
    name: "min.insync.replicas",
    value: String(value),
  };
}
