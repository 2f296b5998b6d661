/** What a failure to write says: of the producer, or of what it was given to write. */
import { isRetriableError, KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";

const FENCING: ReadonlySet<number> = new Set([
  Errors.PRODUCER_FENCED,
  Errors.INVALID_PRODUCER_EPOCH,
  Errors.INVALID_PRODUCER_ID_MAPPING,
  Errors.INVALID_TXN_STATE,
]);

/** Of the producer as well: records are not what is wrong. */
const OF_PRODUCER: ReadonlySet<number> = new Set([
  Errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
  Errors.UNKNOWN_PRODUCER_ID,
  Errors.TRANSACTION_ABORTABLE,
]);

/** Another producer has this one's name by now, or the coordinator has given it up. */
export function isFencing(error: unknown): boolean {
  return error instanceof KafkaError && FENCING.has(error.code);
}

/** Brokers will not take these records, whoever sends them. */
export function isRefusal(error: unknown): boolean {
  return error instanceof KafkaError && !isRetriableError(error) && !isFencing(error) &&
    !OF_PRODUCER.has(error.code);
}
