/**
 * DescribeTransactions, version 0 (KIP-664): where transactional ids are.
 *
 * - Needs DESCRIBE on each id (TRANSACTIONAL_ID_AUTHORIZATION_FAILED); partitions of topics that
 *   the sender may not describe are left out.
 * - The empty id is INVALID_REQUEST, one that is not known TRANSACTIONAL_ID_NOT_FOUND.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { describeTransactions } from "../../core/protocol/65-describe-transactions.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";

type State = NonNullable<
  EncodableResponse<typeof describeTransactions>["transactionStates"]
>[number];

export const describeTransactionsHandler: Handler<typeof describeTransactions> = {
  api: describeTransactions,
  authorize: { kind: "items", operations: ["DESCRIBE TRANSACTIONAL_ID", "DESCRIBE TOPIC"] },
  async handle(context, request, broker) {
    const states = request.transactionalIds.map((id) => describe(context, id, broker));
    return { transactionStates: await Promise.all(states) };
  },
  failure: (request, error) => ({
    transactionStates: request.transactionalIds.map((id) => refuse(id, error)),
  }),
};

async function describe(
  context: RequestContext,
  transactionalId: string,
  broker: Broker,
): Promise<State> {
  if (!context.authorized("DESCRIBE", "TRANSACTIONAL_ID", transactionalId)) {
    return refuse(transactionalId, Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  }
  if (transactionalId === "") return refuse(transactionalId, Errors.INVALID_REQUEST);
  const outcome = await broker.transactions.describe(transactionalId);
  if (!outcome.ok) return refuse(transactionalId, outcome.error);
  const { value } = outcome;
  if (value === undefined) return refuse(transactionalId, Errors.TRANSACTIONAL_ID_NOT_FOUND);
  return {
    errorCode: Errors.NONE,
    transactionalId,
    transactionState: value.state,
    transactionTimeoutMs: value.timeoutMs,
    transactionStartTimeMs: BigInt(value.startMs),
    producerId: BigInt(value.producerId),
    producerEpoch: value.producerEpoch,
    topics: [...value.partitions]
      .filter(([topic]) => context.authorized("DESCRIBE", "TOPIC", topic))
      .map(([topic, partitions]) => ({ topic, partitions: [...partitions] })),
  };
}

function refuse(transactionalId: string, errorCode: ErrorCode): State {
  return {
    errorCode,
    transactionalId,
    transactionState: "",
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0n,
    producerId: 0n,
    producerEpoch: 0,
    topics: [],
  };
}
