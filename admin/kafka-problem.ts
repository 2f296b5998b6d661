/** What the client library throws as problems: Kafka's errors by their kind. */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import {
  ConnectionError,
  isRetriableError,
  KafkaError,
  TimeoutError,
  UnsupportedError,
} from "../client/errors.ts";
import { UnknownTopicError } from "../client/cluster.ts";
import { type ErrorCode, Errors } from "../core/errors.ts";
import { Problem } from "./problem.ts";

interface Kind {
  readonly status: ContentfulStatusCode;
  readonly title: string;
}

const NOT_FOUND: Kind = { status: 404, title: "not found" };
const NOT_AUTHORIZED: Kind = { status: 403, title: "not authorized" };
const CONFLICT: Kind = { status: 409, title: "conflict" };
const NOT_NOW: Kind = { status: 503, title: "not available now" };
const REFUSED: Kind = { status: 400, title: "refused" };

const KINDS: ReadonlyMap<number, Kind> = new Map<ErrorCode, Kind>([
  [Errors.UNKNOWN_TOPIC_OR_PARTITION, NOT_FOUND],
  [Errors.UNKNOWN_TOPIC_ID, NOT_FOUND],
  [Errors.GROUP_ID_NOT_FOUND, NOT_FOUND],
  [Errors.TRANSACTIONAL_ID_NOT_FOUND, NOT_FOUND],
  [Errors.RESOURCE_NOT_FOUND, NOT_FOUND],
  [Errors.UNKNOWN_MEMBER_ID, CONFLICT],
  [Errors.TOPIC_AUTHORIZATION_FAILED, NOT_AUTHORIZED],
  [Errors.GROUP_AUTHORIZATION_FAILED, NOT_AUTHORIZED],
  [Errors.CLUSTER_AUTHORIZATION_FAILED, NOT_AUTHORIZED],
  [Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, NOT_AUTHORIZED],
  [Errors.TOPIC_ALREADY_EXISTS, CONFLICT],
  [Errors.NON_EMPTY_GROUP, CONFLICT],
  [Errors.GROUP_SUBSCRIBED_TO_TOPIC, CONFLICT],
  [Errors.REASSIGNMENT_IN_PROGRESS, CONFLICT],
  [Errors.CONCURRENT_TRANSACTIONS, CONFLICT],
  [Errors.THROTTLING_QUOTA_EXCEEDED, { status: 429, title: "too much at once" }],
  [Errors.UNKNOWN_SERVER_ERROR, { status: 500, title: "internal error" }],
  [Errors.REQUEST_TIMED_OUT, { status: 504, title: "timed out" }],
]);

/** The problem that an error of the client is; null if it is a bug. */
export function kafkaProblem(error: unknown): Problem | null {
  if (error instanceof KafkaError) {
    const { status, title } = KINDS.get(error.code) ?? (error.retriable ? NOT_NOW : REFUSED);
    return new Problem(status, title, error.message, { error: error.codeName });
  }
  if (error instanceof UnknownTopicError) return new Problem(404, "not found", error.message);
  if (error instanceof UnsupportedError) return new Problem(400, "refused", error.message);
  if (error instanceof TimeoutError) return new Problem(504, "timed out", error.message);
  if (error instanceof ConnectionError || isRetriableError(error)) {
    return new Problem(503, "not available now", error instanceof Error ? error.message : "");
  }
  return null;
}
