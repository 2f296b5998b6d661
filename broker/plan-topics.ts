/**
 * What the controller would write to create, delete or grow topics: pure functions of the image and
 * the request, each a ladder of checks with Kafka's codes and words (`ReplicationControlManager`).
 */
import { Errors } from "../core/errors.ts";
import type { Random } from "../core/io.ts";
import { ZERO_UUID } from "../core/protocol/schema.ts";
import type { Steps } from "../core/steps.ts";
import {
  isActive,
  type MetadataImage,
  metricName,
  type PartitionImage,
  partitionRecord,
  type TopicImage,
  topicRecords,
} from "../cluster/metadata-image.ts";
import { countLoads, Placement, placementBrokers } from "../cluster/controller/placement.ts";
import { newPartition } from "../cluster/controller/partition-change.ts";
import type { MetadataRecord } from "../cluster/metadata-records.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import { checkTopicConfigs } from "./config/topic-config.ts";
import { accept, type Outcome, type Refusal, refuse } from "./outcome.ts";
import type { MutationQuota } from "./quotas/client-quota-manager.ts";
import { CLUSTER_METADATA_TOPIC, topicNameProblem } from "./topic-names.ts";

/** Most partitions that one request may create (Kafka's `MAX_PARTITIONS_PER_BATCH`). */
export const NEW_PARTITIONS_MAX = 10_000;

/** What a plan may ask: never the clock, never the disk. */
export interface PlanContext {
  readonly image: MetadataImage;
  readonly config: BrokerConfig;
  readonly random: Random;
  /** Whether the client may change so many partitions of an item now, by its quota. */
  readonly charge?: MutationQuota["charge"];
}

/** Records to append, and what each item of the request is answered, in its order. */
export interface Plan<T> {
  readonly records: readonly MetadataRecord[];
  readonly outcomes: readonly Outcome<T>[];
}

/** A topic as CreateTopics asks for it; −1 is the broker's default. */
export interface NewTopic {
  readonly name: string;
  readonly numPartitions: number;
  readonly replicationFactor: number;
  readonly assignments: readonly {
    readonly partitionIndex: number;
    readonly brokerIds: readonly number[];
  }[];
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
}

/** Plans the creation of topics, in steps. Each topic succeeds or fails alone. */
export function* planCreateTopics(
  context: PlanContext,
  topics: readonly NewTopic[],
): Steps<Plan<TopicImage>> {
  const excess = tooManyPartitions(context, topics);
  if (excess !== null) return { records: [], outcomes: topics.map(() => excess) };
  const duplicates = repeated(topics.map((topic) => topic.name));
  const planned = new Map<string, string>();
  const placer = new Placer(context);
  function* outcomeOf(topic: NewTopic): Steps<Outcome<TopicImage>> {
    if (duplicates.has(topic.name)) return refuse(Errors.INVALID_REQUEST, "Duplicate topic name.");
    const problem = nameProblem(context.image, topic.name, planned);
    if (problem !== null) return problem;
    const outcome = yield* planTopic(context, placer, topic);
    const excess = outcome.ok
      ? context.charge?.(topic.name, outcome.value.partitions.length)
      : null;
    if (excess) return excess;
    const metric = metricName(topic.name);
    if (outcome.ok && metric !== null) planned.set(metric, topic.name);
    return outcome;
  }
  const records: MetadataRecord[] = [];
  const outcomes: Outcome<TopicImage>[] = [];
  for (const topic of topics) {
    const outcome = yield* outcomeOf(topic);
    outcomes.push(outcome);
    if (outcome.ok) { for (const record of topicRecords(outcome.value)) records.push(record); }
    yield;
  }
  return { records, outcomes };
}

function tooManyPartitions(context: PlanContext, topics: readonly NewTopic[]): Refusal | null {
  const byDefault = context.config.get("num.partitions");
  const total = topics.reduce((sum, topic) => {
    const count = topic.numPartitions === -1 ? byDefault : Math.max(0, topic.numPartitions);
    return sum + (topic.assignments.length > 0 ? topic.assignments.length : count);
  }, 0);
  return total > NEW_PARTITIONS_MAX
    ? refuse(
      Errors.POLICY_VIOLATION,
      `Excessively large number of partitions per request: ${total} of at most ` +
        `${NEW_PARTITIONS_MAX}.`,
    )
    : null;
}

/** `planned` holds the topics of the same request, by `metricName`. */
export function nameProblem(
  image: MetadataImage,
  name: string,
  planned: ReadonlyMap<string, string>,
): Refusal | null {
  const invalid = topicNameProblem(name);
  if (invalid !== null) return refuse(Errors.INVALID_TOPIC_EXCEPTION, invalid);
  if (name === CLUSTER_METADATA_TOPIC) {
    return refuse(
      Errors.INVALID_REQUEST,
      `Creation of internal topic ${CLUSTER_METADATA_TOPIC} is prohibited.`,
    );
  }
  if (image.topics.has(name)) {
    return refuse(Errors.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`);
  }
  const metric = metricName(name) ?? "";
  const other = image.topicByMetricName(metric) ?? planned.get(metric);
  return other === undefined ? null : refuse(
    Errors.INVALID_TOPIC_EXCEPTION,
    `Topic '${name}' collides with existing topic: ${other}`,
  );
}

function* planTopic(
  context: PlanContext,
  placer: Placer,
  topic: NewTopic,
): Steps<Outcome<TopicImage>> {
  const configs = topicConfigs(context.config, topic);
  if (!configs.ok) return configs;
  const assignment = topic.assignments.length > 0
    ? manualAssignment(context.image, topic)
    : yield* automaticAssignment(context.config, placer, topic);
  if (!assignment.ok) return assignment;
  return accept({
    name: topic.name,
    id: newTopicId(context.random),
    partitions: assignment.value,
    configs: configs.value,
  });
}

function topicConfigs(
  config: BrokerConfig,
  topic: NewTopic,
): Outcome<ReadonlyMap<string, string>> {
  const nulls = topic.configs.filter((entry) => entry.value === null).map((entry) => entry.name);
  if (nulls.length > 0) {
    return refuse(
      Errors.INVALID_CONFIG,
      `Null value not supported for topic configs: ${nulls.join(",")}`,
    );
  }
  const texts = new Map(topic.configs.map(({ name, value }) => [name, value ?? ""]));
  const problem = checkTopicConfigs(config, texts);
  return problem === null ? accept(texts) : refuse(Errors.INVALID_CONFIG, problem);
}

function* automaticAssignment(
  config: BrokerConfig,
  placer: Placer,
  topic: NewTopic,
): Steps<Outcome<PartitionImage[]>> {
  if (topic.replicationFactor < -1 || topic.replicationFactor === 0) {
    return refuse(
      Errors.INVALID_REPLICATION_FACTOR,
      "Replication factor must be larger than 0, or -1 to use the default value.",
    );
  }
  if (topic.numPartitions < -1 || topic.numPartitions === 0) {
    return refuse(
      Errors.INVALID_PARTITIONS,
      "Number of partitions was set to an invalid non-positive value.",
    );
  }
  const partitions = topic.numPartitions === -1
    ? config.get("num.partitions")
    : topic.numPartitions;
  const replicationFactor = topic.replicationFactor === -1
    ? config.get("default.replication.factor")
    : topic.replicationFactor;
  return yield* placer.place(partitions, replicationFactor);
}

/** How many partitions are placed in a step. */
const PLACED_PER_STEP = 50;

/** Places the partitions of one plan: what it gives to a topic counts for the next one. */
class Placer {
  readonly #context: PlanContext;
  #placement: Placement | null = null;

  constructor(context: PlanContext) {
    this.#context = context;
  }

  /** New partitions of a topic that has `present` already. */
  *place(
    partitions: number,
    replicationFactor: number,
    present: readonly PartitionImage[] = [],
  ): Steps<Outcome<PartitionImage[]>> {
    const { image } = this.#context;
    const placement = this.#placement ??= yield* this.#begin();
    const problem = placement.problem(replicationFactor);
    if (problem !== null) {
      return refuse(
        Errors.INVALID_REPLICATION_FACTOR,
        `Unable to replicate the partition ${replicationFactor} time(s): ${problem}`,
      );
    }
    placement.beginTopic(present.map(({ replicas }) => replicas));
    const placed: PartitionImage[] = [];
    while (placed.length < partitions) {
      const replicas = placement.place(replicationFactor);
      placed.push(newPartition(replicas, (id) => isActive(image, id)));
      if (placed.length % PLACED_PER_STEP === 0) yield;
    }
    return accept(placed);
  }

  *#begin(): Steps<Placement> {
    const { image, random } = this.#context;
    const brokers = placementBrokers(image);
    // Where there is no choice nothing needs to be counted.
    const loads = brokers.length > 1 ? yield* countLoads(image.topics.values()) : new Map();
    return new Placement(brokers, (id) => loads.get(id), random);
  }
}

function manualAssignment(image: MetadataImage, topic: NewTopic): Outcome<PartitionImage[]> {
  if (topic.replicationFactor !== -1) {
    return refuse(
      Errors.INVALID_REQUEST,
      "A manual partition assignment was specified, but replication factor was not set to -1.",
    );
  }
  if (topic.numPartitions !== -1) {
    return refuse(
      Errors.INVALID_REQUEST,
      "A manual partition assignment was specified, but numPartitions was not set to -1.",
    );
  }
  const byIndex = new Map<number, readonly number[]>();
  for (const { partitionIndex, brokerIds } of topic.assignments) {
    if (byIndex.has(partitionIndex)) {
      return refuse(
        Errors.INVALID_REPLICA_ASSIGNMENT,
        `Found multiple manual partition assignments for partition ${partitionIndex}`,
      );
    }
    byIndex.set(partitionIndex, brokerIds);
  }
  const assignment: (readonly number[])[] = [];
  for (let index = 0; index < byIndex.size; index++) {
    const replicas = byIndex.get(index);
    if (replicas === undefined) {
      return refuse(
        Errors.INVALID_REPLICA_ASSIGNMENT,
        "partitions should be a consecutive 0-based integer sequence",
      );
    }
    assignment.push(replicas);
  }
  return manualPartitions(image, assignment, assignment[0]?.length ?? 0, 0);
}

/** Partitions from `firstIndex` on, each on the brokers that somebody has chosen. */
function manualPartitions(
  image: MetadataImage,
  assignment: readonly (readonly number[])[],
  replicationFactor: number,
  firstIndex: number,
): Outcome<PartitionImage[]> {
  const checked = checkAssignment(image, assignment, replicationFactor);
  if (!checked.ok) return checked;
  const partitions = checked.value.map((replicas) =>
    newPartition(replicas, (id) => isActive(image, id))
  );
  const dead = partitions.findIndex(({ leader }) => leader < 0);
  return dead < 0 ? accept(partitions) : refuse(
    Errors.INVALID_REPLICA_ASSIGNMENT,
    "All brokers specified in the manual partition assignment for partition " +
      `${firstIndex + dead} are fenced or in controlled shutdown.`,
  );
}

/** Every partition has `replicationFactor` different brokers, all of them registered. */
export function checkAssignment(
  image: MetadataImage,
  assignment: readonly (readonly number[])[],
  replicationFactor: number,
): Outcome<readonly (readonly number[])[]> {
  const invalid = (why: string) =>
    refuse(Errors.INVALID_REPLICA_ASSIGNMENT, `The manual partition assignment includes ${why}`);
  for (const replicas of assignment) {
    if (replicas.length === 0) return invalid("an empty replica list.");
    for (const [index, id] of replicas.entries()) {
      if (!image.brokers.has(id)) {
        return invalid(`broker ${id}, but no such broker is registered.`);
      }
      if (replicas.indexOf(id) !== index) return invalid(`the broker ${id} more than once.`);
    }
    if (replicas.length !== replicationFactor) {
      return invalid(
        `a partition with ${replicas.length} replica(s), but this is not consistent with ` +
          `previous partitions, which have ${replicationFactor} replica(s).`,
      );
    }
  }
  return accept(assignment);
}

/** A random UUID in Kafka's form, none that it reserves or that begins with a dash. */
function newTopicId(random: Random): string {
  for (;;) {
    const bytes = random.bytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const id = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
    if (!id.startsWith("-")) return id;
  }
}

/** A topic by name or by id; the other one is null or the zero id. */
export interface TopicReference {
  readonly name: string | null;
  readonly topicId: string;
}

/** Finds the topic that a request means, by Kafka's rules for DeleteTopics. */
export function resolveTopic(image: MetadataImage, wanted: TopicReference): Outcome<TopicImage> {
  const byId = wanted.topicId !== ZERO_UUID;
  if (wanted.name !== null && byId) {
    return refuse(
      Errors.INVALID_REQUEST,
      "You may not specify both topic name and topic id.",
    );
  }
  if (wanted.name === null && !byId) {
    return refuse(Errors.INVALID_REQUEST, "Neither topic name nor id were specified.");
  }
  const topic = wanted.name === null
    ? image.topicsById.get(wanted.topicId)
    : image.topics.get(wanted.name);
  if (topic !== undefined) return accept(topic);
  return wanted.name === null
    ? refuse(Errors.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.")
    : refuse(
      Errors.UNKNOWN_TOPIC_OR_PARTITION,
      "This server does not host this topic-partition.",
    );
}

/** Plans the deletion of topics. */
export function planDeleteTopics(
  context: PlanContext,
  topics: readonly TopicReference[],
): Plan<TopicImage> {
  // What has both or neither counts for neither.
  const byName = topics.flatMap(({ name, topicId }) => topicId === ZERO_UUID ? name ?? [] : []);
  const byId = topics.filter(({ name, topicId }) => name === null && topicId !== ZERO_UUID)
    .map(({ topicId }) => topicId);
  const [names, ids] = [repeated(byName), repeated(byId)];
  const namedOnce = new Set(
    byName.flatMap((name) => names.has(name) ? [] : context.image.topics.get(name)?.id ?? []),
  );
  const deleted = new Set<string>();
  const outcomes = topics.map((wanted): Outcome<TopicImage> => {
    const found = resolveTopic(context.image, wanted);
    if (!found.ok && found.error === Errors.INVALID_REQUEST) return found;
    if (wanted.name !== null && names.has(wanted.name)) {
      return refuse(Errors.INVALID_REQUEST, "Duplicate topic name.");
    }
    if (ids.has(wanted.topicId)) return refuse(Errors.INVALID_REQUEST, "Duplicate topic id.");
    if (!found.ok) return found;
    // Once by name and once by id: neither counts.
    if (namedOnce.has(found.value.id) && byId.includes(found.value.id)) {
      return refuse(
        Errors.INVALID_REQUEST,
        "The provided topic name maps to an ID that was also given.",
      );
    }
    const excess = context.charge?.(found.value.id, found.value.partitions.length);
    if (excess) return excess;
    deleted.add(found.value.id);
    return found;
  });
  const records = [...deleted].map((id): MetadataRecord => ({
    type: "remove-topic",
    version: 1,
    id,
  }));
  return { records, outcomes };
}

/** Partitions to be added; `count` is the number after that. */
export interface NewPartitions {
  readonly name: string;
  readonly count: number;
  /** Replicas of each added partition, or null: the controller chooses. */
  readonly assignments: readonly { readonly brokerIds: readonly number[] }[] | null;
}

/** Plans further partitions of topics; the outcome is the topic as it will be. */
export function* planCreatePartitions(
  context: PlanContext,
  topics: readonly NewPartitions[],
): Steps<Plan<TopicImage>> {
  const duplicates = repeated(topics.map((topic) => topic.name));
  const placer = new Placer(context);
  const records: MetadataRecord[] = [];
  function* outcomeOf(wanted: NewPartitions): Steps<Outcome<TopicImage>> {
    if (duplicates.has(wanted.name)) return refuse(Errors.INVALID_REQUEST, "Duplicate topic name.");
    const topic = context.image.topics.get(wanted.name);
    if (topic === undefined) {
      return refuse(
        Errors.UNKNOWN_TOPIC_OR_PARTITION,
        `This server does not host this topic-partition.`,
      );
    }
    const assignment = yield* addedPartitions(context.image, placer, topic, wanted);
    if (!assignment.ok) return assignment;
    const added = assignment.value;
    const excess = context.charge?.(topic.name, added.length);
    if (excess) return excess;
    for (const [index, partition] of added.entries()) {
      records.push(partitionRecord(topic.id, topic.partitions.length + index, partition));
    }
    return accept({ ...topic, partitions: [...topic.partitions, ...added] });
  }
  const outcomes: Outcome<TopicImage>[] = [];
  for (const wanted of topics) outcomes.push(yield* outcomeOf(wanted));
  return { records, outcomes };
}

function* addedPartitions(
  image: MetadataImage,
  placer: Placer,
  topic: TopicImage,
  wanted: NewPartitions,
): Steps<Outcome<PartitionImage[]>> {
  const present = topic.partitions.length;
  const invalid = (message: string) => refuse(Errors.INVALID_PARTITIONS, message);
  if (wanted.count === present) return invalid(`Topic already has ${present} partition(s).`);
  if (wanted.count < present) {
    return invalid(
      `The topic ${topic.name} currently has ${present} partition(s); ${wanted.count} would not ` +
        "be an increase.",
    );
  }
  const added = wanted.count - present;
  if (added > NEW_PARTITIONS_MAX) {
    return invalid(
      `At most ${NEW_PARTITIONS_MAX} partitions can be added at a time, not ${added}.`,
    );
  }
  const replicationFactor = topic.partitions[0]?.replicas.length ?? 1;
  const { assignments } = wanted;
  if (assignments === null) {
    return yield* placer.place(added, replicationFactor, topic.partitions);
  }
  if (assignments.length !== added) {
    return refuse(
      Errors.INVALID_REPLICA_ASSIGNMENT,
      `Attempted to add ${added} additional partition(s), but only ${assignments.length} ` +
        "assignment(s) were specified.",
    );
  }
  const replicas = assignments.map((assignment) => assignment.brokerIds);
  return manualPartitions(image, replicas, replicationFactor, present);
}

function repeated(values: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  return new Set(values.filter((value) => seen.has(value) || !seen.add(value)));
}
