/** Makes the topics that an application needs for itself, and checks those that are there. */
import { Admin } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { type Topology, TopologyError } from "../topology/topology.ts";
import type { StreamsConfig } from "./streams-config.ts";
import {
  internalName,
  type InternalTopic,
  missingTopics,
  outerSourceTopics,
  planTopics,
  type TopicPlan,
} from "./topic-plan.ts";

/** See the head of the file. Throws `OperatorError` where the topics are not as they have to be. */
export async function prepareTopics(
  admin: Admin,
  topology: Topology,
  config: StreamsConfig,
  logger: Logger,
  signal: AbortSignal,
): Promise<TopicPlan> {
  const sources = outerSourceTopics(topology);
  const matching = await matchingTopics(admin, topology, config, signal);
  const outer = await countsOf(admin, [...sources, ...matching], signal);
  const plan = planned(topology, outer, config);
  const names = plan.internalTopics.map(({ name }) => name);
  const known = await countsOf(admin, names, signal);
  const missing: InternalTopic[] = [];
  for (const topic of plan.internalTopics) {
    const count = known.get(topic.name) ?? 0;
    if (count === 0) missing.push(topic);
    else if (count !== topic.partitions) throw otherCount(topic, count, config.applicationId);
  }
  if (missing.length > 0) await create(admin, missing, config, logger, signal);
  return plan;
}

/** Topics that match patterns of sources, in order. */
export async function matchingTopics(
  admin: Admin,
  topology: Topology,
  { applicationId }: StreamsConfig,
  signal: AbortSignal,
): Promise<string[]> {
  if (!topology.hasPatterns) return [];
  const topics = await admin.listTopics({ signal });
  return topics.map(({ name }) => name).filter((name) => {
    return topology.matches(name, (own) => internalName(applicationId, own));
  });
}

/**
 * As they are, where somebody else makes those that the application needs for itself: it is waited for
 * those that this client cannot see yet. Throws as `prepareTopics`.
 */
export function findTopics(
  admin: Admin,
  topology: Topology,
  config: StreamsConfig,
  signal: AbortSignal,
): Promise<TopicPlan> {
  return admin.cluster.retry("find the topics of the application", async () => {
    const outer = await countsOf(admin, outerSourceTopics(topology), signal);
    for (const [name, count] of outer) if (count === 0) throw unseen(name);
    const plan = planned(topology, outer, config);
    const { internalTopics } = plan;
    const counts = await countsOf(admin, internalTopics.map(({ name }) => name), signal);
    for (const topic of internalTopics) {
      const count = counts.get(topic.name) ?? 0;
      if (count === 0) throw unseen(topic.name);
      if (count !== topic.partitions) throw otherCount(topic, count, config.applicationId);
    }
    return plan;
  }, { signal });
}

/** Throws an `OperatorError` where one of them is missing. */
export async function requireTopics(
  admin: Admin,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const missing = [...await countsOf(admin, names, signal)].filter(([, count]) => count === 0);
  if (missing.length > 0) throw missingTopics(missing.map(([name]) => name));
}

function planned(
  topology: Topology,
  counts: ReadonlyMap<string, number>,
  config: StreamsConfig,
): TopicPlan {
  try {
    return planTopics(topology, counts, config);
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    throw new OperatorError("the topics do not fit the application", error.message, "");
  }
}

async function countsOf(
  admin: Admin,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, number>> {
  if (names.length === 0) return new Map();
  const described = await admin.describeTopics(names, { signal });
  return new Map(described.map(({ name, error, topic }) => {
    const isMissing = error instanceof KafkaError &&
      error.code === Errors.UNKNOWN_TOPIC_OR_PARTITION;
    if (error !== null && !isMissing) throw error;
    return [name, topic?.partitions.length ?? 0];
  }));
}

async function create(
  admin: Admin,
  topics: readonly InternalTopic[],
  config: StreamsConfig,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { replicationFactor } = config;
  const made = await admin.createTopics(
    topics.map((topic) => ({ ...topic, replicationFactor })),
    { signal },
  );
  for (const { name, error } of made) {
    // Another member that led the group for a moment has made it.
    const isThere = error instanceof KafkaError && error.code === Errors.TOPIC_ALREADY_EXISTS;
    if (error !== null && !isThere) throw error;
    if (error === null) logger.info("topic made", { topic: name });
  }
  await visible(admin, topics, signal);
}

/** A broker may hear of a topic a moment after it was made. */
async function visible(
  admin: Admin,
  topics: readonly InternalTopic[],
  signal: AbortSignal,
): Promise<void> {
  await admin.cluster.retry("find the topics that were made", async () => {
    const counts = await countsOf(admin, topics.map(({ name }) => name), signal);
    for (const { name, partitions } of topics) {
      if (counts.get(name) === partitions) continue;
      throw unseen(name);
    }
  }, { signal });
}

/** It is there, or will be soon. */
function unseen(topic: string): KafkaError {
  return new KafkaError(Errors.UNKNOWN_TOPIC_OR_PARTITION, `topic "${topic}"`);
}

function otherCount(
  { name, partitions }: InternalTopic,
  count: number,
  applicationId: string,
): OperatorError {
  return new OperatorError(
    `topic "${name}" has ${count} partitions, but the application needs ${partitions}`,
    "the topics that it reads have others than when it was made",
    `reset the application: kstream stream reset ${applicationId}`,
  );
}
