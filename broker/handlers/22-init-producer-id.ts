/**
 * InitProducerId, versions 0 to 5. Without a transactional id: a fresh producer id at epoch 0. With
 * one: its producer id and an epoch that fences all producers before (KIP-98), and the abort of
 * what they left open. Ids are never given twice, also after a crash: their block is durable first.
 *
 * - Needs WRITE on the transactional id (TRANSACTIONAL_ID_AUTHORIZATION_FAILED), without one
 *   IDEMPOTENT_WRITE on the cluster or WRITE on any topic (CLUSTER_AUTHORIZATION_FAILED).
 * - An empty id, or a producer id without an epoch, is INVALID_REQUEST; a timeout below 1 ms or
 *   above transaction.max.timeout.ms is INVALID_TRANSACTION_TIMEOUT.
 * - 3: a producer that says who it is gets the next epoch, unless another has begun since
 *   (KIP-360). 4: PRODUCER_FENCED, before that INVALID_PRODUCER_EPOCH (KIP-588).
 * - While an end is under way, and for the abort, the answer is CONCURRENT_TRANSACTIONS: ask again.
 * - 6 (KIP-939, two-phase commit) is not stable in Kafka and not served.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { initProducerId } from "../../core/protocol/22-init-producer-id.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";

type Request = RequestOf<typeof initProducerId>;
type Response = EncodableResponse<typeof initProducerId>;

/** First version that knows PRODUCER_FENCED. */
const FENCED_VERSION = 4;

export const initProducerIdHandler: Handler<typeof initProducerId> = {
  api: initProducerId,
  authorize: {
    kind: "items",
    operations: ["IDEMPOTENT_WRITE CLUSTER", "WRITE TOPIC", "WRITE TRANSACTIONAL_ID"],
  },
  handle(context, request, broker) {
    return request.transactionalId === null
      ? initIdempotent(context, request, broker)
      : initTransactional(context, request, request.transactionalId, broker);
  },
};

async function initIdempotent(
  context: RequestContext,
  request: Request,
  broker: Broker,
): Promise<Response> {
  // Who may write to some topic may do so idempotently (KIP-679).
  const mayWrite = context.authorized("IDEMPOTENT_WRITE", "CLUSTER", CLUSTER_NAME) ||
    context.authorizedForAny("WRITE", "TOPIC");
  if (!mayWrite) return refused(Errors.CLUSTER_AUTHORIZATION_FAILED);
  if (hasHalfIdentity(request)) return refused(Errors.INVALID_REQUEST);
  const next = await broker.producerIds.next();
  if (!next.ok) return refused(next.error);
  return { errorCode: Errors.NONE, producerId: BigInt(next.value), producerEpoch: 0 };
}

async function initTransactional(
  context: RequestContext,
  request: Request,
  transactionalId: string,
  broker: Broker,
): Promise<Response> {
  if (!context.authorized("WRITE", "TRANSACTIONAL_ID", transactionalId)) {
    return refused(Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  }
  if (hasHalfIdentity(request)) return refused(Errors.INVALID_REQUEST);
  const { producerEpoch } = request;
  const producerId = Number(request.producerId);
  const { error, ...identity } = await broker.transactions.initProducerId(transactionalId, {
    timeoutMs: request.transactionTimeoutMs,
    expected: producerId === -1 ? null : { producerId, producerEpoch },
  });
  const isOld = context.apiVersion < FENCED_VERSION && error === Errors.PRODUCER_FENCED;
  if (error !== Errors.NONE) return refused(isOld ? Errors.INVALID_PRODUCER_EPOCH : error);
  return {
    errorCode: error,
    producerId: BigInt(identity.producerId),
    producerEpoch: identity.producerEpoch,
  };
}

/** Whether the producer says an id without an epoch, or the other way round. */
function hasHalfIdentity({ producerId, producerEpoch }: Request): boolean {
  return (producerId === -1n) !== (producerEpoch === -1);
}

function refused(errorCode: ErrorCode): Response {
  return { errorCode, producerId: -1n, producerEpoch: -1 };
}
