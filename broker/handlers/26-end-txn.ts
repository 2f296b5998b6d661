/**
 * EndTxn, versions 0 to 5: commits or aborts a transaction. It is answered when the decision is
 * committed in `__transaction_state`; the markers follow.
 *
 * - Needs WRITE on the transactional id (TRANSACTIONAL_ID_AUTHORIZATION_FAILED).
 * - 2: PRODUCER_FENCED, before that INVALID_PRODUCER_EPOCH (KIP-588).
 * - 5: the epoch is bumped with every transaction and comes with the answer (KIP-890), and so does
 *   another producer id once the epochs run out.
 */
import { Errors } from "../../core/errors.ts";
import { endTxn } from "../../core/protocol/26-end-txn.ts";
import { EPOCH_BUMP_VERSION } from "../coordinator/transaction/transitions.ts";
import type { Handler } from "../handler.ts";

/** First version that knows PRODUCER_FENCED, and first one with the bump. */
const FENCED_VERSION = 2;
const BUMP_VERSION = 5;

export const endTxnHandler: Handler<typeof endTxn> = {
  api: endTxn,
  authorize: { kind: "items", operations: ["WRITE TRANSACTIONAL_ID"] },
  async handle(context, request, broker) {
    const { transactionalId, producerId, producerEpoch, committed } = request;
    if (!context.authorized("WRITE", "TRANSACTIONAL_ID", transactionalId)) {
      return { errorCode: Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED };
    }
    const { error, ...identity } = await broker.transactions.endTransaction(transactionalId, {
      producerId: Number(producerId),
      producerEpoch,
      commit: committed,
      clientVersion: context.apiVersion >= BUMP_VERSION ? EPOCH_BUMP_VERSION : 0,
    });
    const isOld = context.apiVersion < FENCED_VERSION && error === Errors.PRODUCER_FENCED;
    return {
      errorCode: isOld ? Errors.INVALID_PRODUCER_EPOCH : error,
      producerId: BigInt(identity.producerId),
      producerEpoch: identity.producerEpoch,
    };
  },
};
