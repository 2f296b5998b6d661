/**
 * AddOffsetsToTxn, versions 0 to 4: the partition of `__consumer_offsets` that holds a group's
 * offsets joins a transaction, before TxnOffsetCommit writes there.
 *
 * - Needs WRITE on the transactional id (TRANSACTIONAL_ID_AUTHORIZATION_FAILED) and READ on the
 *   group (GROUP_AUTHORIZATION_FAILED).
 * - 2: PRODUCER_FENCED, before that INVALID_PRODUCER_EPOCH (KIP-588).
 */
import { Errors } from "../../core/errors.ts";
import { addOffsetsToTxn } from "../../core/protocol/25-add-offsets-to-txn.ts";
import type { Handler } from "../handler.ts";
import { GROUP_METADATA_TOPIC } from "../topic-names.ts";

/** First version that knows PRODUCER_FENCED. */
const FENCED_VERSION = 2;

export const addOffsetsToTxnHandler: Handler<typeof addOffsetsToTxn> = {
  api: addOffsetsToTxn,
  authorize: { kind: "items", operations: ["WRITE TRANSACTIONAL_ID", "READ GROUP"] },
  async handle(context, request, broker) {
    const { transactionalId, groupId, producerEpoch } = request;
    if (!context.authorized("WRITE", "TRANSACTIONAL_ID", transactionalId)) {
      return { errorCode: Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED };
    }
    if (!context.authorized("READ", "GROUP", groupId)) {
      return { errorCode: Errors.GROUP_AUTHORIZATION_FAILED };
    }
    const partition = broker.groups.partitionOf(groupId);
    const error = await broker.transactions.addPartitions(
      transactionalId,
      { producerId: Number(request.producerId), producerEpoch },
      new Map([[GROUP_METADATA_TOPIC, new Set([partition])]]),
      0,
    );
    const isOld = context.apiVersion < FENCED_VERSION && error === Errors.PRODUCER_FENCED;
    return { errorCode: isOld ? Errors.INVALID_PRODUCER_EPOCH : error };
  },
};
