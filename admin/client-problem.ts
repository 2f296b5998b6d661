/** What the client library could not do, as the problem of a request. */
import { ConnectionError, KafkaError, TimeoutError, UnsupportedError } from "../client/errors.ts";
import { Errors } from "../core/errors.ts";
import { OperatorError } from "../core/operator-error.ts";
import { Problem } from "./problem.ts";

/** The status of Kafka's codes that are not the server's fault; others are 503 if they may pass. */
const STATUS: ReadonlyMap<number, 400 | 401 | 403 | 404 | 409 | 413 | 422> = new Map([
  [Errors.UNKNOWN_TOPIC_OR_PARTITION, 404],
  [Errors.UNKNOWN_TOPIC_ID, 404],
  [Errors.INVALID_TOPIC_EXCEPTION, 400],
  [Errors.TOPIC_AUTHORIZATION_FAILED, 403],
  [Errors.CLUSTER_AUTHORIZATION_FAILED, 403],
  [Errors.GROUP_AUTHORIZATION_FAILED, 403],
  [Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 403],
  [Errors.MESSAGE_TOO_LARGE, 413],
  [Errors.RECORD_LIST_TOO_LARGE, 413],
  [Errors.INVALID_RECORD, 422],
  [Errors.INVALID_TIMESTAMP, 422],
  [Errors.POLICY_VIOLATION, 409],
]);

/** The problem; null for what is a bug. */
export function clientProblem(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof OperatorError) return Problem.of(error);
  if (error instanceof KafkaError) {
    const status = STATUS.get(error.code);
    if (status !== undefined) return new Problem(status, error.codeName, error.message);
    const isPassing = error.retriable;
    return new Problem(isPassing ? 503 : 502, error.codeName, error.message);
  }
  if (error instanceof UnsupportedError) return new Problem(400, "bad request", error.message);
  if (error instanceof TimeoutError || error instanceof ConnectionError) {
    return new Problem(503, "not reachable", error.message);
  }
  return null;
}
