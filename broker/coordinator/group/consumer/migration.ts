/**
 * Groups that change their protocol with members in them (KIP-848, group.consumer.migration.policy):
 * a classic group becomes a consumer group when a member of the new protocol joins, and a consumer
 * group becomes a classic one when the last such member has gone. The change is one batch of records.
 */
import { Errors } from "../../../../core/errors.ts";
import { accept, type Outcome, type Refusal, refuse } from "../../../outcome.ts";
import {
  ClassicGroup,
  type ClassicMember,
  metadataOf,
  NO_BYTES,
} from "../classic/classic-group.ts";
import type { GroupRecord } from "../group-records.ts";
import { type Assignment, withEpoch } from "../modern/topic-partitions.ts";
import {
  ConsumerGroup,
  groupEpochRecord,
  targetAssignmentRecord,
  targetEpochRecord,
} from "./consumer-group.ts";
import {
  type ConsumerMember,
  currentAssignmentRecord,
  memberMetadataRecord,
  newConsumerMember,
} from "./consumer-member.ts";
import type { ConsumerGroupRecord } from "./consumer-records.ts";
import { assignedPartitions, encodeAssignment, subscriptionOf } from "./embedded-protocol.ts";
import type { ConsumerParts } from "./parts.ts";

/** The consumer group that the classic one becomes; its records are added, its sessions begin. */
export function upgrade(
  parts: ConsumerParts,
  classic: ClassicGroup,
  records: GroupRecord[],
): Outcome<ConsumerGroup> {
  const problem = upgradeProblem(parts, classic);
  if (problem !== null) return problem;
  const { groupId, generationId } = classic;
  const members: ConsumerMember[] = [];
  const created: ConsumerGroupRecord[] = [];
  for (const member of classic.members.values()) {
    const converted = consumerMember(parts, classic, member);
    if (!converted.ok) return converted;
    members.push(converted.value);
    created.push(memberMetadataRecord(groupId, converted.value));
  }
  const group = new ConsumerGroup(groupId);
  for (const record of created) group.fold(record);
  // A rebalance that is under way goes on as one of the new group: no hash is its topics', so the
  // heartbeat that brought the upgrade moves the epoch on. Else those who have just joined would
  // have nothing, if that heartbeat is of a static member that only takes its place again.
  const hash = classic.state === "Stable"
    ? group.hashOf(group.subscribedTopics, parts.context.topics)
    : 0n;
  const rest = [
    groupEpochRecord(groupId, generationId, hash),
    ...members.map(({ memberId, assigned }) => targetAssignmentRecord(groupId, memberId, assigned)),
    targetEpochRecord(groupId, generationId, 0),
    ...members.map((member) => currentAssignmentRecord(groupId, member)),
  ];
  for (const record of rest) group.fold(record);
  records.push(...classic.tombstones(), ...created, ...rest);
  for (const member of members) parts.sessions.touch(groupId, member);
  parts.context.logger.info("classic group becomes a consumer group", { group: groupId });
  return accept(group);
}

function upgradeProblem(parts: ConsumerParts, classic: ClassicGroup): Refusal | null {
  const { canUpgrade, maxSize } = parts.context.config.consumer;
  const cannot = `Cannot upgrade classic group ${classic.groupId} to consumer group because`;
  const why = !canUpgrade
    ? `${cannot} online upgrade is disabled.`
    : !classic.usesConsumerProtocol
    ? `${cannot} the group does not use the consumer embedded protocol.`
    : classic.members.size > maxSize
    ? `${cannot} the group size exceeds the consumer group maximum size.`
    : null;
  if (why !== null) return refuse(Errors.GROUP_ID_NOT_FOUND, why);
  // Nobody has chosen a protocol before the first generation; it is tried again.
  return classic.protocolName === null
    ? refuse(Errors.COORDINATOR_LOAD_IN_PROGRESS, `${cannot} its first rebalance is not over.`)
    : null;
}

function consumerMember(
  parts: ConsumerParts,
  classic: ClassicGroup,
  member: ClassicMember,
): Outcome<ConsumerMember> {
  const cannot = `Cannot upgrade classic group ${classic.groupId} to consumer group because`;
  const subscription = subscriptionOf(metadataOf(member, classic.protocolName ?? ""));
  if (subscription === null) {
    const why = `${cannot} the embedded consumer protocol is malformed.`;
    return refuse(Errors.GROUP_ID_NOT_FOUND, why);
  }
  const assigned = assignedPartitions(member.assignment, parts.context.topics);
  if (assigned === null) {
    const why = `${cannot} an unsupported custom assignor is in use. Please refer to the ` +
      "documentation or switch to a default assignor before re-attempting the upgrade.";
    return refuse(Errors.GROUP_ID_NOT_FOUND, why);
  }
  return accept({
    ...newConsumerMember(member.memberId),
    memberEpoch: classic.generationId,
    previousMemberEpoch: classic.generationId,
    instanceId: member.groupInstanceId,
    rackId: subscription.rackId,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: new Set(subscription.topics),
    assigned: withEpoch(assigned, classic.generationId),
    classic: {
      sessionTimeoutMs: member.sessionTimeoutMs,
      supportedProtocols: member.protocols,
    },
  });
}

/** Whether the group becomes classic if these are its members. */
export function canDowngradeWithout(
  parts: ConsumerParts,
  group: ConsumerGroup,
  stay: readonly ConsumerMember[],
): boolean {
  const { config, logger } = parts.context;
  if (stay.length === 0 || stay.some((member) => member.classic === null)) return false;
  if (config.consumer.canDowngrade && stay.length <= config.maxSize) return true;
  logger.info("consumer group cannot become a classic group", { group: group.groupId });
  return false;
}

/**
 * The records that make the group a classic one of these members, which have a protocol in common.
 * `joining` has taken the place of a static member, which its records say already.
 */
export function downgrade(
  parts: ConsumerParts,
  group: ConsumerGroup,
  members: readonly ConsumerMember[],
  joining: { readonly member: ConsumerMember; readonly replaced: ConsumerMember } | null,
  rebalanceReason: string | null,
): GroupRecord[] {
  const { clock, logger, topics } = parts.context;
  const { groupId } = group;
  const classic = new ClassicGroup(groupId, {
    state: "Stable",
    generationId: group.groupEpoch,
    protocolType: "consumer",
    protocolName: null,
    leaderId: null,
    stateTimestampMs: clock.wallMs(),
  });
  for (const member of members) classic.add(classicMember(member), "consumer");
  classic.protocolName = classic.selectProtocol();
  const assignments = new Map<string, Uint8Array>();
  for (const member of classic.members.values()) {
    const from = joining?.member.memberId === member.memberId
      ? joining.replaced.memberId
      : member.memberId;
    const subscription = metadataOf(member, classic.protocolName);
    assignments.set(
      member.memberId,
      encodeAssignment(group.target(from), subscription, topics),
    );
  }
  logger.info("consumer group becomes a classic group", { group: groupId });
  const gone = group.tombstones().map((record) => renamed(record, joining));
  return [...gone, parts.classic.adopt(classic, assignments, rebalanceReason)];
}

/** A tombstone of the replaced member as one of the member that has taken its place. */
function renamed(
  record: ConsumerGroupRecord,
  joining: { readonly member: ConsumerMember; readonly replaced: ConsumerMember } | null,
): ConsumerGroupRecord {
  if (joining === null || !("memberId" in record.key)) return record;
  if (record.key.memberId !== joining.replaced.memberId) return record;
  const key = { ...record.key, memberId: joining.member.memberId };
  return { ...record, key } as ConsumerGroupRecord;
}

function classicMember(member: ConsumerMember): ClassicMember {
  return {
    memberId: member.memberId,
    groupInstanceId: member.instanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    sessionTimeoutMs: member.classic?.sessionTimeoutMs ?? 0,
    protocols: member.classic?.supportedProtocols ?? [],
    assignment: NO_BYTES,
    awaitingJoin: null,
    awaitingSync: null,
    isNew: false,
  };
}

/** What a member has, as the classic protocol tells it. */
export function classicAssignment(parts: ConsumerParts, member: ConsumerMember): Uint8Array {
  const metadata = member.classic?.supportedProtocols[0]?.metadata ?? NO_BYTES;
  const assigned: Assignment = new Map(
    [...member.assigned].map(([topicId, epochs]) => [topicId, new Set(epochs.keys())]),
  );
  return encodeAssignment(assigned, metadata, parts.context.topics);
}
