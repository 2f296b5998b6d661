/**
 * TxnOffsetCommit, versions 0 to 6: offsets of a group that count once a transaction is committed.
 *
 * - Needs WRITE on the transactional id, READ on the group and on each topic.
 * - A partition that does not exist is refused on its own (UNKNOWN_TOPIC_OR_PARTITION, from
 *   version 6 UNKNOWN_TOPIC_ID); metadata longer than offset.metadata.max.bytes likewise.
 * - The partition of `__consumer_offsets` has to be in the transaction: up to version 3
 *   INVALID_TXN_STATE, in 4 TRANSACTION_ABORTABLE; from 5 on it joins by itself (KIP-890).
 * - 3: whoever commits has to be a current member of the group (KIP-447). 6: topic ids.
 * - Up to version 1 clients fail on COORDINATOR_LOAD_IN_PROGRESS (KAFKA-7296): they get
 *   COORDINATOR_NOT_AVAILABLE.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { txnOffsetCommit } from "../../core/protocol/28-txn-offset-commit.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { PartitionErrors } from "../coordinator/group/offsets/offsets.ts";
import type { RecordTransaction } from "../coordinator/shard.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";
import { GROUP_METADATA_TOPIC } from "../topic-names.ts";
import type { TransactionSupport } from "../transaction-gate.ts";
import { answerCommit, type CheckedTopic, checkTopic } from "./offset-commits.ts";

type Request = RequestOf<typeof txnOffsetCommit>;
type Response = EncodableResponse<typeof txnOffsetCommit>;

/** First version that names topics by id; that knows COORDINATOR_LOAD_IN_PROGRESS. */
const TOPIC_ID_VERSION = 6;
const LOADING_VERSION = 2;

export const txnOffsetCommitHandler: Handler<typeof txnOffsetCommit> = {
  api: txnOffsetCommit,
  authorize: {
    kind: "items",
    operations: ["WRITE TRANSACTIONAL_ID", "READ GROUP", "READ TOPIC"],
  },
  async handle(context, request, broker) {
    if (!context.authorized("WRITE", "TRANSACTIONAL_ID", request.transactionalId)) {
      return refuseAll(request, Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    if (!context.authorized("READ", "GROUP", request.groupId)) {
      return refuseAll(request, Errors.GROUP_AUTHORIZATION_FAILED);
    }
    const byId = context.apiVersion >= TOPIC_ID_VERSION;
    const checked = request.topics.map((topic) => checkTopic(context, topic, byId, broker));
    const hasSome = checked.some((each) => each.commit !== null);
    if (!hasSome) {
      return { topics: answerCommit(request.topics, checked, { ok: true, topics: [] }) };
    }
    const committed = await commit(context, request, checked, broker);
    return { topics: answerCommit(request.topics, checked, forVersion(context, committed)) };
  },
  failure: refuseAll,
};

async function commit(
  context: RequestContext,
  request: Request,
  checked: readonly CheckedTopic[],
  broker: Broker,
): Promise<PartitionErrors> {
  const gate = await openTransaction(context, request, broker);
  if (!gate.ok) return gate;
  return await broker.groups.commitOffsets({
    groupId: request.groupId,
    memberId: request.memberId,
    groupInstanceId: request.groupInstanceId,
    generationId: request.generationIdOrMemberEpoch,
    retentionMs: null,
    knowsGroupIdNotFound: false,
    knowsStaleMemberEpoch: false,
    isTransactional: true,
    topics: checked.flatMap((each) => each.commit === null ? [] : [each.commit]),
  }, gate.transaction);
}

/** Sees that the partition with the group's offsets is in the transaction. */
async function openTransaction(
  context: RequestContext,
  request: Request,
  broker: Broker,
): Promise<
  | { readonly ok: true; readonly transaction: RecordTransaction }
  | { readonly ok: false; readonly error: ErrorCode }
> {
  const { transactionalId, groupId, producerEpoch } = request;
  const producerId = Number(request.producerId);
  const index = broker.groups.partitionOf(groupId);
  const partition = broker.partitions.find(GROUP_METADATA_TOPIC, index);
  if (typeof partition === "number" || !partition.isLeader) {
    return { ok: false, error: Errors.NOT_COORDINATOR };
  }
  const support = supportOf(context.apiVersion);
  if (!broker.transactionGate.isNeeded(support)) {
    return { ok: true, transaction: { producerId, producerEpoch, verification: "off" } };
  }
  const verification = partition.log.startVerification(producerId, producerEpoch, -1);
  if (verification === null) {
    return { ok: true, transaction: { producerId, producerEpoch, verification } };
  }
  const admission = await broker.transactionGate.ask({
    transactionalId,
    producerId,
    producerEpoch,
    support,
    partitions: new Map([[GROUP_METADATA_TOPIC, new Set([index])]]),
  });
  const error = admission(GROUP_METADATA_TOPIC, index);
  if (error !== Errors.NONE) return { ok: false, error: commitError(error) };
  return { ok: true, transaction: { producerId, producerEpoch, verification } };
}

/**
 * Old clients do not try again after NETWORK_EXCEPTION; this makes them, without a search for the
 * coordinator (`CoordinatorOperationExceptionHelper`).
 */
function commitError(error: ErrorCode): ErrorCode {
  return error === Errors.NETWORK_EXCEPTION ? Errors.COORDINATOR_LOAD_IN_PROGRESS : error;
}

function supportOf(apiVersion: number): TransactionSupport {
  if (apiVersion >= 5) return "adds";
  return apiVersion >= 4 ? "aborts" : "old";
}

function forVersion(context: RequestContext, committed: PartitionErrors): PartitionErrors {
  const isOld = context.apiVersion < LOADING_VERSION;
  return isOld && !committed.ok && committed.error === Errors.COORDINATOR_LOAD_IN_PROGRESS
    ? { ok: false, error: Errors.COORDINATOR_NOT_AVAILABLE }
    : committed;
}

function refuseAll(request: Request, error: ErrorCode): Response {
  return {
    topics: request.topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: error })),
    })),
  };
}
