/** What the commands that administer a cluster share: options, connection, failures of items. */
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { Errors } from "../core/errors.ts";
import { OperatorError } from "../core/operator-error.ts";
import { Admin } from "../client/admin.ts";
import { ConnectionError, KafkaError } from "../client/errors.ts";
import { clientIo, clientOptions, DEFAULT_BROKERS } from "./client.ts";
import { parseDuration } from "./txn/duration.ts";

/** Options of every command that administers. */
export interface AdminOptions {
  readonly brokers: string;
  readonly timeout: number;
}

/** `-b, --brokers`. */
export function brokersOption() {
  return new Option("-b, --brokers <host:port>", "where to find the cluster; several with commas")
    .default(DEFAULT_BROKERS);
}

/** `--timeout`, in seconds or as 30s or 5m. */
export function timeoutOption(description = "how long to try", seconds = 30) {
  return new Option("--timeout <seconds>", description)
    .argParser(parseSeconds)
    .default(seconds);
}

/** `--json`. */
export function jsonOption() {
  return new Option("--json", "print JSON for scripts");
}

function parseSeconds(text: string): number {
  const seconds = /[a-z]/.test(text) ? parseDuration(text) / 1000 : Number(text);
  if (text.trim() !== "" && seconds > 0 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError("It is no number of seconds above 0.");
}

/** An argument parser for whole numbers from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^-?\d+$/.test(text) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It is no whole number from ${min} to ${max}.`);
  };
}

/**
 * Runs `body` with a connection to the cluster, closed afterwards. Where no broker answers at all
 * this fails at once: somebody waits at a terminal.
 */
export async function withAdmin<T>(
  options: AdminOptions,
  body: (admin: Admin) => Promise<T>,
): Promise<T> {
  // A broker may take all of the time for one request, as for creating many topics.
  const requestTimeoutMs = options.timeout * 1000;
  const admin = new Admin(clientIo, { ...clientOptions(options), requestTimeoutMs });
  try {
    await admin.cluster.any();
    return await body(admin);
  } finally {
    admin.close();
  }
}

/** Throws the failures of single items, each as its own line; nothing if there are none. */
export function throwFailures(failures: readonly unknown[]): void {
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, "several items failed");
}

/** What to do about a broker's refusal, where that is plain. */
const ADVICE: Readonly<Record<number, string>> = {
  [Errors.TOPIC_ALREADY_EXISTS]: "--if-not-exists accepts that",
  [Errors.INVALID_REPLICATION_FACTOR]: "there cannot be more replicas than brokers; lower -r",
  [Errors.NON_EMPTY_GROUP]: "stop its members first",
  [Errors.UNKNOWN_MEMBER_ID]: "stop its members first",
  [Errors.GROUP_SUBSCRIBED_TO_TOPIC]: "stop the members that read it first",
  [Errors.INVALID_REGULAR_EXPRESSION]: "write it as RE2 reads it, and quote it for the shell",
  [Errors.TOPIC_DELETION_DISABLED]: "set delete.topic.enable=true on the brokers",
  [Errors.POLICY_VIOLATION]: "ask whoever runs the cluster",
};

/** A broker's refusal as a line; other failures stay as they are. */
export function refusal(what: string, error: unknown): unknown {
  if (!(error instanceof KafkaError) || error instanceof ConnectionError) return error;
  const why = (error.detail ?? "").replace(/\s+/g, " ").replace(/\.$/, "");
  const reason = why === "" || why === error.codeName
    ? error.codeName
    : `${why} (${error.codeName})`;
  return new OperatorError(what, reason, ADVICE[error.code] ?? "", error.retriable ? 3 : 1);
}
