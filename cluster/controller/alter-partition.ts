/**
 * The controller's part of AlterPartition: a leader proposes another ISR (KIP-497, KIP-903). A pure
 * function of the image, after Kafka's `ReplicationControlManager.alterPartition`; the codes are its.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { type MetadataImage, type PartitionImage, partitionRecord } from "../metadata-image.ts";
import type { MetadataRecord } from "../metadata-records.ts";
import {
  changePartition,
  imageOf,
  type PartitionState,
  refuseProposal,
  stateOf,
} from "./partition-change.ts";
import type { ElectionContext } from "./broker-changes.ts";

/** One partition of a request. Epochs of −1 are not known. */
export interface ProposedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
  readonly isr: readonly { readonly brokerId: number; readonly brokerEpoch: number }[];
  readonly isRecovering: boolean;
}

/** What the plan has to know besides the image. */
export interface ProposalContext extends ElectionContext {
  /** Whether the broker may be in an ISR, as of this registration (−1: of any). */
  mayBeInIsr(brokerId: number, brokerEpoch: number): boolean;
}

/** What to write, and what to answer. */
export interface ProposalOutcome {
  readonly records: readonly MetadataRecord[];
  readonly error: ErrorCode;
  /** As it is to be once the records are written; null where there is no such partition. */
  readonly state: PartitionImage | null;
}

/**
 * Whether the member of an ISR that a leader names with this broker epoch (below 0: any) is the one that
 * is registered now, and not the one that it was before it began anew (KIP-903).
 */
export function isSameRegistration(named: number, registered: number | undefined): boolean {
  return named < 0 || named === registered;
}

/** `leader` proposes; its broker epoch has been checked. */
export function planProposal(
  image: MetadataImage,
  leader: number,
  proposed: ProposedPartition,
  context: ProposalContext,
): ProposalOutcome {
  const topic = image.topicsById.get(proposed.topicId);
  if (topic === undefined) return refused(Errors.UNKNOWN_TOPIC_ID, null);
  const partition = topic.partitions[proposed.partition];
  if (partition === undefined) return refused(Errors.UNKNOWN_TOPIC_OR_PARTITION, null);
  const state = stateOf(partition);
  const error = proposalError(state, leader, proposed);
  if (error !== Errors.NONE) return refused(error, partition);
  const written = (next: PartitionState, code: ErrorCode): ProposalOutcome => ({
    records: [partitionRecord(topic.id, proposed.partition, imageOf(next))],
    error: code,
    state: imageOf(next),
  });
  const isFit = proposed.isr.every(({ brokerId, brokerEpoch }) =>
    context.mayBeInIsr(brokerId, brokerEpoch) && !state.offline.includes(brokerId)
  );
  if (!isFit) return written(refuseProposal(state), Errors.INELIGIBLE_REPLICA);
  const next = changePartition(state, {
    election: "online",
    minInsync: context.minInsync(topic),
    isAlive: (id) => context.isAlive(id),
    isr: proposed.isr.map(({ brokerId }) => brokerId),
    isRecovered: !proposed.isRecovering,
  });
  // The same as it is: the leader has not heard of it yet.
  if (next === null) return refused(Errors.NONE, partition);
  // It has completed a reassignment that takes the leader away.
  return written(next, next.leader === leader ? Errors.NONE : Errors.NEW_LEADER_ELECTED);
}

/** All that one request proposes; a partition that is named again is refused (INVALID_REQUEST). */
export function planProposals(
  image: MetadataImage,
  leader: number,
  proposals: readonly ProposedPartition[],
  context: ProposalContext,
): ProposalOutcome[] {
  const seen = new Set<string>();
  return proposals.map((proposed) => {
    const key = `${proposed.topicId}:${proposed.partition}`;
    if (seen.has(key)) return refused(Errors.INVALID_REQUEST, null);
    seen.add(key);
    return planProposal(image, leader, proposed, context);
  });
}

function refused(error: ErrorCode, state: PartitionImage | null): ProposalOutcome {
  return { records: [], error, state };
}

/** Why `leader` may not propose this now, if it may not: others lead, or it does not know the latest. */
export function proposalError(
  state: PartitionState,
  leader: number,
  { leaderEpoch, partitionEpoch, isr, isRecovering }: Omit<
    ProposedPartition,
    "topicId" | "partition"
  >,
): ErrorCode {
  // Who knows of later epochs has heard of them from a later controller.
  if (leaderEpoch > state.leaderEpoch) return Errors.NOT_CONTROLLER;
  if (leaderEpoch < state.leaderEpoch) return Errors.FENCED_LEADER_EPOCH;
  if (leader !== state.leader) return Errors.INVALID_REQUEST;
  if (partitionEpoch > state.partitionEpoch) return Errors.NOT_CONTROLLER;
  if (partitionEpoch < state.partitionEpoch) return Errors.INVALID_UPDATE_VERSION;
  const ids = isr.map(({ brokerId }) => brokerId);
  const isKnown = ids.every((id, at) => state.replicas.includes(id) && ids.indexOf(id) === at);
  if (!isKnown || !ids.includes(leader)) return Errors.INVALID_REQUEST;
  if (isRecovering && (!state.isRecovering || ids.length > 1)) return Errors.INVALID_REQUEST;
  return Errors.NONE;
}
