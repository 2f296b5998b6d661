/**
 * AddPartitionsToTxn, versions 0 to 5: partitions join a transaction, which begins with the first.
 *
 * - 0 to 3 come from clients: they need WRITE on the transactional id and on each topic
 *   (TRANSACTIONAL_ID_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED). Internal topics are nobody's
 *   to write. 2: PRODUCER_FENCED, before that INVALID_PRODUCER_EPOCH (KIP-588).
 * - 4 and 5 come from brokers, for many transactions at once (KIP-890): they need CLUSTER_ACTION on
 *   the cluster (CLUSTER_AUTHORIZATION_FAILED). `verifyOnly` asks whether the partitions are in the
 *   transaction: those that are not get TRANSACTION_ABORTABLE. While the last transaction of an id
 *   ends, they hear CONCURRENT_TRANSACTIONS at once, where clients wait a little.
 * - A partition that does not exist is UNKNOWN_TOPIC_OR_PARTITION, and one that fails keeps the
 *   others from being added: OPERATION_NOT_ATTEMPTED.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { addPartitionsToTxn } from "../../core/protocol/24-add-partitions-to-txn.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import { txnPartitions } from "../coordinator/transaction/transaction-records.ts";
import { EPOCH_BUMP_VERSION } from "../coordinator/transaction/transitions.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";
import { isInternalTopic } from "../topic-names.ts";

type Request = RequestOf<typeof addPartitionsToTxn>;
type Response = EncodableResponse<typeof addPartitionsToTxn>;
type Topics = Request["v3AndBelowTopics"];

interface Transaction {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly verifyOnly: boolean;
  readonly topics: Topics;
}

/** First version that knows PRODUCER_FENCED, and first one for brokers. */
const FENCED_VERSION = 2;
const BROKER_VERSION = 4;

export const addPartitionsToTxnHandler: Handler<typeof addPartitionsToTxn> = {
  api: addPartitionsToTxn,
  authorize: {
    kind: "items",
    operations: ["WRITE TRANSACTIONAL_ID", "WRITE TOPIC", "CLUSTER_ACTION CLUSTER"],
  },
  async handle(context, request, broker) {
    if (context.apiVersion < BROKER_VERSION) {
      return { resultsByTopicV3AndBelow: await addOne(context, single(request), broker) };
    }
    if (!context.authorized("CLUSTER_ACTION", "CLUSTER", CLUSTER_NAME)) {
      return { errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED };
    }
    return {
      errorCode: Errors.NONE,
      resultsByTransaction: await Promise.all(request.transactions.map(async (each) => ({
        transactionalId: each.transactionalId,
        topicResults: await addOne(
          context,
          { ...each, producerId: Number(each.producerId) },
          broker,
        ),
      }))),
    };
  },
  failure: (request, errorCode) => ({
    errorCode,
    resultsByTopicV3AndBelow: results(request.v3AndBelowTopics, () => errorCode),
  }),
};

function single(request: Request): Transaction {
  return {
    transactionalId: request.v3AndBelowTransactionalId,
    producerId: Number(request.v3AndBelowProducerId),
    producerEpoch: request.v3AndBelowProducerEpoch,
    verifyOnly: false,
    topics: request.v3AndBelowTopics,
  };
}

async function addOne(
  context: RequestContext,
  transaction: Transaction,
  broker: Broker,
): Promise<Response["resultsByTopicV3AndBelow"]> {
  const { transactionalId, topics, verifyOnly } = transaction;
  const version = context.apiVersion;
  const isClient = version < BROKER_VERSION;
  if (isClient && !context.authorized("WRITE", "TRANSACTIONAL_ID", transactionalId)) {
    return results(topics, () => Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  }
  const problem = (topic: string, partition: number) =>
    isClient && (isInternalTopic(topic) || !context.authorized("WRITE", "TOPIC", topic))
      ? Errors.TOPIC_AUTHORIZATION_FAILED
      : broker.metadata.topic(topic)?.partitions[partition] === undefined
      ? Errors.UNKNOWN_TOPIC_OR_PARTITION
      : Errors.NONE;
  const hasProblem = topics.some(({ name, partitions }) =>
    partitions.some((partition) => problem(name, partition) !== Errors.NONE)
  );
  if (hasProblem) {
    return results(
      topics,
      (topic, partition) => problem(topic, partition) || Errors.OPERATION_NOT_ATTEMPTED,
    );
  }
  const partitions = txnPartitions(topics.map((each) => [each.name, each.partitions]));
  if (verifyOnly) {
    const verified = await broker.transactions.verifyPartitions(
      transactionalId,
      transaction,
      partitions,
    );
    return results(
      topics,
      (topic, partition) =>
        verified.missing.get(topic)?.has(partition) ? Errors.TRANSACTION_ABORTABLE : verified.error,
    );
  }
  const error = await broker.transactions.addPartitions(
    transactionalId,
    transaction,
    partitions,
    isClient ? 0 : EPOCH_BUMP_VERSION,
    // A broker asks for many transactions at once, of which none is to wait for another.
    isClient,
  );
  const isOld = version < FENCED_VERSION && error === Errors.PRODUCER_FENCED;
  return results(topics, () => isOld ? Errors.INVALID_PRODUCER_EPOCH : error);
}

function results(topics: Topics, errorOf: (topic: string, partition: number) => ErrorCode) {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: errorOf(name, partitionIndex),
    })),
  }));
}
