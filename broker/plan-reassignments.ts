/**
 * What the controller would write to begin and to give up reassignments (KIP-455), with Kafka's codes and
 * words (`ReplicationControlManager.alterPartitionReassignments`). They are completed by changes of ISRs
 * (`changePartition`).
 */
import { changePartition, imageOf, stateOf } from "../cluster/controller/partition-change.ts";
import {
  type Assignment,
  givenUp,
  isReassigning,
  targetOf,
  towards,
} from "../cluster/controller/reassignment.ts";
import { type MetadataImage, partitionRecord, type TopicImage } from "../cluster/metadata-image.ts";
import type { MetadataRecord } from "../cluster/metadata-records.ts";
import { Errors } from "../core/errors.ts";
import type { Steps } from "../core/steps.ts";
import { electionContext } from "./elections.ts";
import { accept, type Outcome, type Refusal, refuse } from "./outcome.ts";
import { checkAssignment, type Plan, type PlanContext } from "./plan-topics.ts";

/** A partition as AlterPartitionReassignments names it. */
export interface WantedReassignment {
  readonly topic: string;
  readonly partition: number;
  /** Null: the reassignment under way is to be given up. */
  readonly replicas: readonly number[] | null;
}

/** How many partitions are planned in a step. */
const PER_STEP = 20;

/**
 * Plans reassignments, in steps. Each partition succeeds or fails alone; of one that is named twice the
 * last counts.
 */
export function* planReassignments(
  context: PlanContext,
  wanted: readonly WantedReassignment[],
  allowReplicationFactorChange: boolean,
): Steps<Plan<null>> {
  const records = new Map<string, MetadataRecord>();
  const outcomes: Outcome<null>[] = [];
  for (const [index, each] of wanted.entries()) {
    const outcome = planOne(context, each, allowReplicationFactorChange);
    outcomes.push(outcome.ok ? accept(null) : outcome);
    if (outcome.ok && outcome.value !== null) {
      records.set(`${each.topic}:${each.partition}`, outcome.value);
    }
    if (index % PER_STEP === PER_STEP - 1) yield;
  }
  return { records: [...records.values()], outcomes };
}

function planOne(
  context: PlanContext,
  { topic: name, partition: index, replicas }: WantedReassignment,
  allowReplicationFactorChange: boolean,
): Outcome<MetadataRecord | null> {
  const { image, config } = context;
  const topic = image.topics.get(name);
  if (topic === undefined) {
    return refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find a topic named ${name}.`);
  }
  const partition = topic.partitions[index];
  if (partition === undefined) {
    return refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find partition ${name}:${index}.`);
  }
  const state = stateOf(partition);
  const elections = electionContext(image, config);
  const mayBeUnclean = elections.electsUncleanly(topic);
  const problem = replicas === null
    ? checkGivenUp(state, topic, index, mayBeUnclean)
    : checkTarget(image, state, replicas, allowReplicationFactorChange);
  if (problem !== null) return problem;
  const next = changePartition(state, {
    election: replicas === null && mayBeUnclean ? "unclean" : "online",
    minInsync: elections.minInsync(topic),
    isAlive: (id) => elections.isAlive(id),
    assignment: replicas === null ? givenUp(state) : towards(state, replicas),
  });
  return accept(next === null ? null : partitionRecord(topic.id, index, imageOf(next)));
}

function checkTarget(
  image: MetadataImage,
  state: Assignment,
  replicas: readonly number[],
  allowReplicationFactorChange: boolean,
): Refusal | null {
  const checked = checkAssignment(image, [replicas], replicas.length);
  if (!checked.ok) return checked;
  const before = targetOf(state).length;
  return allowReplicationFactorChange || before === replicas.length ? null : refuse(
    Errors.INVALID_REPLICATION_FACTOR,
    `The replication factor is changed from ${before} to ${replicas.length}`,
  );
}

function checkGivenUp(
  state: Assignment & { readonly isr: readonly number[]; readonly elr: readonly number[] },
  topic: TopicImage,
  index: number,
  mayBeUnclean: boolean,
): Refusal | null {
  if (!isReassigning(state)) {
    return refuse(Errors.NO_REASSIGNMENT_IN_PROGRESS, "No partition reassignment is in progress.");
  }
  const { replicas } = givenUp(state);
  const isEligible = (id: number) => state.isr.includes(id) || state.elr.includes(id);
  return mayBeUnclean || replicas.some(isEligible) ? null : refuse(
    Errors.INVALID_REPLICA_ASSIGNMENT,
    `Unable to revert partition assignment for ${topic.name}:${index} because it would require ` +
      "an unclean leader election.",
  );
}

/** A reassignment under way. */
export interface OngoingReassignment extends Assignment {
  readonly partition: number;
}

/** The reassignments under way of a topic, of these partitions or of all. */
export function ongoingReassignments(
  topic: TopicImage,
  partitions: readonly number[] | null,
): OngoingReassignment[] {
  const indexes = partitions ?? topic.partitions.keys();
  return [...new Set(indexes)].flatMap((partition) => {
    const image = topic.partitions[partition];
    if (image === undefined || !isReassigning(image)) return [];
    const { replicas, adding, removing } = stateOf(image);
    return { partition, replicas, adding, removing };
  });
}
