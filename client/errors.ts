/** What goes wrong in a client: a broker's refusal is a `KafkaError`, silence a `ConnectionError`. */
import { ConnectionError } from "../core/connection.ts";
import { errorName, Errors, isRetriable } from "../core/errors.ts";

export { ConnectionError };

/** A broker answered with an error code. */
export class KafkaError extends Error {
  override readonly name = "KafkaError";
  constructor(
    /** Kafka's code, or one that this program does not know. */
    readonly code: number,
    /** What was asked for, as the start of a sentence: `create topic "orders"`. */
    readonly subject: string,
    /** The broker's own words, where it sent some. */
    readonly detail: string | null = null,
  ) {
    const hasMore = detail !== null && detail !== "" && detail !== errorName(code);
    super(`${subject}: ${hasMore ? sentence(code, detail) : errorName(code)}`);
  }

  /** Kafka's name of the code, e.g. `NOT_LEADER_OR_FOLLOWER`. */
  get codeName(): string {
    return errorName(this.code);
  }

  /** Whether the same request may succeed later. */
  get retriable(): boolean {
    return isRetriable(this.code);
  }
}

/** The operation was given up after its deadline; `cause` is the last failure, if there was one. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
  readonly code = "TIMEOUT";
  readonly retriable = true;
}

/** Whether another attempt can succeed. */
export function isRetriableError(error: unknown): boolean {
  return (error instanceof KafkaError || error instanceof ConnectionError) && error.retriable;
}

/** Whether a broker does not take the client for who it says it is. */
export function isAuthenticationError(error: unknown): error is ConnectionError {
  return error instanceof ConnectionError && error.failure === "authentication";
}

const AUTHORIZATION: readonly number[] = [
  Errors.TOPIC_AUTHORIZATION_FAILED,
  Errors.GROUP_AUTHORIZATION_FAILED,
  Errors.CLUSTER_AUTHORIZATION_FAILED,
  Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
];

/** Whether a broker knows the client, and does not let it do this. */
export function isAuthorizationError(error: unknown): boolean {
  return error instanceof KafkaError && AUTHORIZATION.includes(error.code);
}

/** Throws a `KafkaError` unless the code is NONE. */
export function throwOnError(code: number, subject: string, detail: string | null = null): void {
  if (code !== 0) throw new KafkaError(code, subject, detail);
}

function sentence(code: number, detail: string): string {
  return `${errorName(code)}, ${detail.replace(/\s+/g, " ").replace(/\.$/, "")}`;
}

/** What was asked for cannot be: an unknown partition, a version that the broker lacks. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
  readonly code = "UNSUPPORTED";
  readonly retriable = false;
}

/** A topic has fewer partitions than that. */
export class UnknownPartitionError extends UnsupportedError {
  constructor(
    readonly topic: string,
    readonly partition: number,
    /** How many it has. */
    readonly count: number,
  ) {
    super(`topic "${topic}" has no partition ${partition}: it has ${count}`);
  }
}

/**
 * What was to be read next is not there: records were deleted before they were read, or the topic was
 * deleted and made again. No reset is set: seek to where to go on.
 */
export class OffsetOutOfRangeError extends KafkaError {
  constructor(
    readonly topic: string,
    readonly partition: number,
    /** Where it was read to. */
    readonly offset: number,
  ) {
    const detail = `there is no offset ${offset}`;
    super(Errors.OFFSET_OUT_OF_RANGE, `partition ${topic}-${partition}`, detail);
  }
}

/**
 * A log was cut off where it had been read already, as by an unclean election of a leader (KIP-320),
 * and no reset is set: seek to where to go on.
 */
export class LogTruncationError extends Error {
  override readonly name = "LogTruncationError";
  readonly code = "LOG_TRUNCATION";
  readonly retriable = false;
  constructor(
    readonly topic: string,
    readonly partition: number,
    /** Where it was read to. */
    readonly offset: number,
    /** From here on what was read is no more; −1: nobody knows from where. */
    readonly divergentOffset: number,
  ) {
    const where = divergentOffset < 0 ? "" : ` from offset ${divergentOffset} on`;
    super(`${topic}-${partition} was read to offset ${offset}, and has lost that${where}`);
  }
}

/** What was to be read next is not there, and the partition rests until it is sought elsewhere. */
export function isGoneError(error: unknown): error is OffsetOutOfRangeError | LogTruncationError {
  return error instanceof OffsetOutOfRangeError || error instanceof LogTruncationError;
}
