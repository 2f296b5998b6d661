/**
 * What the controller would write to give partitions the leader that somebody asks for (KIP-183,
 * KIP-460), with Kafka's codes and words (`ReplicationControlManager.electLeaders`).
 */
import { changePartition, imageOf, stateOf } from "../cluster/controller/partition-change.ts";
import { partitionRecord } from "../cluster/metadata-image.ts";
import type { MetadataRecord } from "../cluster/metadata-records.ts";
import { Errors } from "../core/errors.ts";
import type { Steps } from "../core/steps.ts";
import { electionContext } from "./elections.ts";
import { accept, type Outcome, refuse } from "./outcome.ts";
import type { Plan, PlanContext } from "./plan-topics.ts";

/** A partition by topic and index. */
export interface NamedPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A partition that was asked for, and what has come of it. */
export interface ElectionResult extends NamedPartition {
  readonly outcome: Outcome<null>;
}

/** How many partitions are planned in a step. */
const PER_STEP = 50;

/**
 * Plans elections, of all partitions if `wanted` is null: then results are only of those where one was
 * needed. The one outcome has all results.
 */
export function* planElections(
  context: PlanContext,
  election: "preferred" | "unclean",
  wanted: readonly NamedPartition[] | null,
): Steps<Plan<readonly ElectionResult[]>> {
  const records: MetadataRecord[] = [];
  const results: ElectionResult[] = [];
  const seen = new Set<string>();
  let planned = 0;
  for (const each of wanted ?? allPartitions(context)) {
    const key = `${each.topic}:${each.partition}`;
    // A second election of the same partition comes after the first.
    const outcome = seen.has(key) ? notNeeded() : planOne(context, election, each);
    seen.add(key);
    const isSilent = wanted === null && !outcome.ok &&
      outcome.error === Errors.ELECTION_NOT_NEEDED;
    if (!isSilent) results.push({ ...each, outcome: outcome.ok ? accept(null) : outcome });
    if (outcome.ok) records.push(outcome.value);
    if (++planned % PER_STEP === 0) yield;
  }
  return { records, outcomes: [accept(results)] };
}

function* allPartitions({ image }: PlanContext): Generator<NamedPartition> {
  for (const { name, partitions } of image.topics.values()) {
    for (const partition of partitions.keys()) yield { topic: name, partition };
  }
}

function planOne(
  { image, config }: PlanContext,
  election: "preferred" | "unclean",
  { topic: name, partition: index }: NamedPartition,
): Outcome<MetadataRecord> {
  const topic = image.topics.get(name);
  if (topic === undefined) {
    return refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION, `No such topic as ${name}`);
  }
  const partition = topic.partitions[index];
  if (partition === undefined) {
    return refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION, `No such partition as ${name}-${index}`);
  }
  const { leader, replicas } = partition;
  if (election === "preferred" ? leader === replicas[0] : leader >= 0) return notNeeded();
  const elections = electionContext(image, config);
  const next = changePartition(stateOf(partition), {
    election,
    minInsync: elections.minInsync(topic),
    isAlive: (id) => elections.isAlive(id),
  });
  if (next !== null) return accept(partitionRecord(topic.id, index, imageOf(next)));
  return election === "preferred"
    ? refuse(Errors.PREFERRED_LEADER_NOT_AVAILABLE, "The preferred leader was not available.")
    : refuse(
      Errors.ELIGIBLE_LEADERS_NOT_AVAILABLE,
      "Eligible topic partition leaders are not available.",
    );
}

function notNeeded() {
  return refuse(Errors.ELECTION_NOT_NEEDED, "Leader election not needed for topic partition.");
}
