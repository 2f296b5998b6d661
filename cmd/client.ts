/** What all client commands share: the broker list, the real world for a client, its errors in words. */
import { bunClock } from "../core/io/bun/clock.ts";
import { loadCrc32cX64 } from "../core/io/bun/crc32c-x64.ts";
import { bunNetwork } from "../core/io/bun/network.ts";
import { bunRandom } from "../core/io/bun/random.ts";
import { ConnectionError } from "../core/connection.ts";
import { offerFasterCrc32c } from "../core/crc32c.ts";
import { didYouMean } from "../core/did-you-mean.ts";
import { Errors } from "../core/errors.ts";
import { apiVersions } from "../core/protocol/18-api-versions.ts";
import {
  isUnknownName,
  seemsToWantSasl,
  type TlsTrouble,
  tlsTrouble,
} from "../core/connection-error.ts";
import { type HostPort, TlsError } from "../core/io.ts";
import { OperatorError } from "../core/operator-error.ts";
import { parseBroker } from "../client/brokers.ts";
import type { Cluster } from "../client/cluster.ts";
import {
  KafkaError,
  TimeoutError,
  UnknownPartitionError,
  UnsupportedError,
} from "../client/errors.ts";
import type { ClientIo } from "../client/options.ts";
import { type SecurityFlags, securityOptions } from "./security.ts";

/** Where client commands look for a broker unless told. */
export const DEFAULT_BROKERS = "127.0.0.1:9092";

/** Clock, chance and network of this process. */
export const clientIo: ClientIo = { clock: bunClock, random: bunRandom, network: bunNetwork };

offerFasterCrc32c(loadCrc32cX64);

/** `host[:port],…`; IPv6 addresses stand in brackets. Throws `OperatorError` (usage). */
export function parseBrokers(text: string): HostPort[] {
  const brokers = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  if (brokers.length === 0) throw badBroker(text);
  return brokers.map((part) => {
    const broker = parseBroker(part);
    if (broker === null) throw badBroker(part);
    return broker;
  });
}

/** How long one request or one TCP connection is waited for, where `--timeout` is longer. */
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * What `--brokers`, `--timeout` (seconds) and the flags of TLS and SASL mean to a client: no waiting
 * exceeds the timeout. Give it all the options of the command.
 */
export function clientOptions(options: { brokers: string; timeout: number } & SecurityFlags) {
  const timeoutMs = options.timeout * 1000;
  return {
    brokers: parseBrokers(options.brokers),
    apiTimeoutMs: timeoutMs,
    requestTimeoutMs: Math.min(timeoutMs, REQUEST_TIMEOUT_MS),
    connectTimeoutMs: Math.min(timeoutMs, CONNECT_TIMEOUT_MS),
    ...securityOptions(options),
  };
}

/** What names of topics are made of. */
export const TOPIC_NAME_RULE =
  "names have up to 249 letters, digits, dots, underscores and hyphens";

const ACL_ADVICE = "see what is allowed with: kstream acl list";

/** What to do about a refusal, where that is plain. */
const REFUSAL_ADVICE: Readonly<Record<number, string>> = {
  [Errors.INVALID_TOPIC_EXCEPTION]: TOPIC_NAME_RULE,
  [Errors.INVALID_GROUP_ID]: "give the group a name",
  [Errors.TOPIC_AUTHORIZATION_FAILED]: ACL_ADVICE,
  [Errors.GROUP_AUTHORIZATION_FAILED]: ACL_ADVICE,
  [Errors.CLUSTER_AUTHORIZATION_FAILED]: ACL_ADVICE,
  [Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]: ACL_ADVICE,
};

/** An error of the client as the one line that the person at the terminal gets; null for bugs. */
export function toOperatorError(error: unknown): OperatorError | null {
  if (error instanceof OperatorError) return error;
  if (error instanceof ConnectionError) return unreachable(error);
  if (error instanceof TimeoutError) {
    return new OperatorError("gave up", error.message, "is the cluster well?", 3);
  }
  if (error instanceof KafkaError) {
    return new OperatorError("refused", error.message, REFUSAL_ADVICE[error.code] ?? "", 1);
  }
  if (error instanceof UnknownPartitionError) return noPartition(error);
  if (error instanceof UnsupportedError) return new OperatorError(error.message, "", "", 1);
  return null;
}

/** The error for a partition that is not there: of a typo, or of a topic that was made again with fewer. */
function noPartition(
  { topic, partition, count }: Pick<UnknownPartitionError, "topic" | "partition" | "count">,
): OperatorError {
  const known = count === 1 ? "it has 0 alone" : `it has 0 to ${count - 1}`;
  const hint = `kstream topic alter ${topic} -p ${partition + 1} adds what lacks`;
  return new OperatorError(`topic "${topic}" has no partition ${partition}`, known, hint);
}

/** The error for a topic that is not there, with the nearest name that is. */
export async function missingTopic(
  cluster: Cluster,
  topic: string,
  whatToDo = `create it with: kstream topic create ${topic}`,
): Promise<OperatorError> {
  const { topics } = await cluster.refresh(null);
  const names = topics.flatMap(({ name, errorCode }) =>
    name !== null && errorCode === Errors.NONE ? [name] : []
  );
  const near = didYouMean(topic, names);
  const hint = near === null ? whatToDo : `did you mean "${near}"?`;
  return new OperatorError(`topic "${topic}" does not exist`, "", hint, 1);
}

function unreachable(error: ConnectionError): OperatorError {
  switch (error.failure) {
    case "timeout":
      // It was there when it was asked, and waits for others itself.
      if (error.unansweredApi !== null && error.unansweredApi !== apiVersions.name) {
        return new OperatorError("gave up", error.message, "is the cluster well?", 3);
      }
      return noBroker(error);
    case "refused":
    case "closed":
    case "aborted":
      return noBroker(error);
    case "tls":
      return new OperatorError("no trust in the broker", error.message, tlsAdvice(error), 1);
    case "authentication":
      return new OperatorError("not let in", error.message, authenticationAdvice(error), 1);
    case "not-kafka":
    case "unsupported":
    case "malformed":
      return new OperatorError(
        "cannot talk to the broker",
        error.message,
        strangerAdvice(error),
        1,
      );
  }
}

function noBroker(error: ConnectionError): OperatorError {
  return new OperatorError("no broker answers", error.message, unreachableAdvice(error), 3);
}

function unreachableAdvice(error: ConnectionError): string {
  if (isUnknownName(error)) return "check --brokers, and whether this machine can resolve the name";
  if (seemsToWantSasl(error)) return "give --sasl-user and its password";
  if (error.message.includes("wrong credentials?")) return "check the --sasl flags";
  if (error.message.includes("a TLS listener")) return "try --tls, or check --brokers";
  if (error.cause instanceof TlsError) return "leave out --tls, or check --brokers";
  return "start one with: kstream serve, or name another with --brokers";
}

function strangerAdvice(error: ConnectionError): string {
  return error.message.includes("answers in TLS") ? "give --tls" : "check --brokers";
}

const TLS_ADVICE: Readonly<Record<TlsTrouble, string>> = {
  untrusted: "name who signed it with --tls-ca, or trust anybody with --tls-insecure",
  "wrong-name": "connect by a name that it has, or give that with --tls-server-name",
  expired: "renew it, or check this machine's clock",
  "no-tls": "leave out --tls, or check --brokers",
  "client-certificate": "give --tls-cert and --tls-key, of one that it trusts",
  "own-files": "check --tls-ca, --tls-cert, and that --tls-key is its key",
  other: "check --brokers and the --tls flags",
};

function tlsAdvice({ cause }: ConnectionError): string {
  return cause instanceof TlsError ? TLS_ADVICE[tlsTrouble(cause.code, cause.message)] : "";
}

function authenticationAdvice({ message }: ConnectionError): string {
  if (message.includes("not offered here")) return "choose another with --sasl-mechanism";
  if (message.includes("connect without SASL")) return "leave out the --sasl flags";
  if (message.includes("OAUTHBEARER")) return "check the token";
  return "check --sasl-user and its password";
}

function badBroker(text: string): OperatorError {
  return new OperatorError(
    `"${text}" is no broker address`,
    "",
    "write host:port, several with commas between",
    2,
  );
}
