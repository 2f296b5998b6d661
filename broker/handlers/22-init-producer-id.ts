/**
 * InitProducerId, versions 0 to 5: a fresh producer id at epoch 0 for an idempotent producer. The
 * id is never given twice, also after a crash: its block is durable before the first of it goes out.
 *
 * A transactional id is refused with UNSUPPORTED_VERSION, which clients take for final: there is no
 * transaction coordinator yet, and a retriable code would let them ask forever.
 */
import { Errors } from "../../core/errors.ts";
import { initProducerId } from "../../core/protocol/22-init-producer-id.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Handler } from "../handler.ts";

export const initProducerIdHandler: Handler<typeof initProducerId> = {
  api: initProducerId,
  authorize: { kind: "items", operations: ["IDEMPOTENT_WRITE CLUSTER", "WRITE TOPIC"] },
  async handle(context, request, broker) {
    const refused = (errorCode: number) => ({ errorCode, producerId: -1n, producerEpoch: -1 });
    if (request.transactionalId === "") return refused(Errors.INVALID_REQUEST);
    if (request.transactionalId !== null) return refused(Errors.UNSUPPORTED_VERSION);
    // Who may write to some topic may do so idempotently (KIP-679).
    const mayWrite = context.authorized("IDEMPOTENT_WRITE", "CLUSTER", CLUSTER_NAME) ||
      context.authorizedForAny("WRITE", "TOPIC");
    if (!mayWrite) {
      return refused(Errors.CLUSTER_AUTHORIZATION_FAILED);
    }
    const next = await broker.producerIds.next();
    if (!next.ok) return refused(next.error);
    return { errorCode: Errors.NONE, producerId: BigInt(next.value), producerEpoch: 0 };
  },
};
