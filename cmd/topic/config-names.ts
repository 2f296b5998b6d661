/** A near name for a topic config that no broker knows. */
import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { KafkaError } from "../../client/errors.ts";

/** The error with a suggestion, if the broker refused the name of a config; else null. */
export async function unknownConfig(
  what: string,
  error: KafkaError,
): Promise<OperatorError | null> {
  const name = /^Unknown topic config name: (\S+?)[.,;]?(?:\s|$)/.exec(error.detail ?? "")?.[1];
  if (name === undefined) return null;
  const why = `there is no topic config "${name}"`;
  // Loaded only here: a command that works should start fast.
  const { TOPIC_CONFIGS } = await import("../../broker/config/topic-configs.ts");
  const near = didYouMean(name, Object.keys(TOPIC_CONFIGS));
  const hint = near === null ? "see Kafka's topic configs" : `did you mean "${near}"?`;
  return new OperatorError(what, why, hint);
}
