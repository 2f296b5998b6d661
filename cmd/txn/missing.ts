import { didYouMean } from "../../core/did-you-mean.ts";
import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Admin, TransactionDescription } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { refusal } from "../admin-command.ts";

/** A transactional id. Throws `OperatorError` with the nearest one if it is not there. */
export async function readTransaction(admin: Admin, id: string): Promise<TransactionDescription> {
  try {
    return await admin.transactions.describe(id);
  } catch (error) {
    const isMissing = error instanceof KafkaError &&
      error.code === Errors.TRANSACTIONAL_ID_NOT_FOUND;
    if (!isMissing) throw refusal(`cannot describe transactional id "${id}"`, error);
    const listed = await admin.transactions.list();
    const near = didYouMean(id, listed.map(({ transactionalId }) => transactionalId));
    const hint = near === null ? "see: kstream txn list" : `did you mean "${near}"?`;
    throw new OperatorError(`there is no transactional id "${id}"`, "", hint);
  }
}
