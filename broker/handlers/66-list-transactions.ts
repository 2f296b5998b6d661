/**
 * ListTransactions, versions 0 to 2 (KIP-664): the transactional ids that this broker coordinates.
 *
 * - Those that the sender may not DESCRIBE are left out.
 * - States by name (unknown ones come back in `unknownStateFilters`) and producer ids.
 * - 1: how long the transaction has lasted at least, in milliseconds; −1 asks for all (KIP-994).
 * - 2: a pattern in RE2's syntax that the whole id has to match, INVALID_REGULAR_EXPRESSION
 *   (KIP-1152).
 */
import { Errors } from "../../core/errors.ts";
import { listTransactions } from "../../core/protocol/66-list-transactions.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import { compileRegex, type Regex } from "../../core/regex.ts";
import { TRANSACTION_STATES } from "../coordinator/transaction/transaction-records.ts";
import type { TransactionValue } from "../coordinator/transaction/transaction-records.ts";
import type { Handler } from "../handler.ts";

type Request = RequestOf<typeof listTransactions>;

export const listTransactionsHandler: Handler<typeof listTransactions> = {
  api: listTransactions,
  authorize: { kind: "items", operations: ["DESCRIBE TRANSACTIONAL_ID"] },
  async handle(context, request, broker) {
    const pattern = patternOf(request);
    if (pattern === "invalid") return { errorCode: Errors.INVALID_REGULAR_EXPRESSION };
    const wanted = filterOf(request, pattern, broker.io.clock.wallMs());
    const outcome = await broker.transactions.list((id, value) =>
      wanted(id, value) && context.authorized("DESCRIBE", "TRANSACTIONAL_ID", id)
    );
    if (!outcome.ok) return { errorCode: outcome.error };
    const names: readonly string[] = TRANSACTION_STATES;
    return {
      errorCode: Errors.NONE,
      unknownStateFilters: request.stateFilters.filter((state) => !names.includes(state)),
      transactionStates: outcome.value.map(({ transactionalId, value }) => ({
        transactionalId,
        producerId: BigInt(value.producerId),
        transactionState: value.state,
      })),
    };
  },
};

function patternOf({ transactionalIdPattern }: Request): Regex | null | "invalid" {
  if (transactionalIdPattern === null || transactionalIdPattern === "") return null;
  const compiled = compileRegex(transactionalIdPattern);
  return compiled.ok ? compiled.regex : "invalid";
}

function filterOf(request: Request, pattern: Regex | null, nowMs: number) {
  const producerIds = new Set(request.producerIdFilters.map(Number));
  const states = new Set(request.stateFilters);
  const durationMs = Number(request.durationFilter);
  return (transactionalId: string, value: TransactionValue): boolean =>
    (producerIds.size === 0 || producerIds.has(value.producerId)) &&
    (states.size === 0 || states.has(value.state)) &&
    (durationMs < 0 || nowMs - value.startMs > durationMs) &&
    (pattern === null || pattern.matches(transactionalId));
}
