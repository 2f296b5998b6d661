/** Which topics `consume` reads: those that are named, or those whose names match. */
import type { Cluster, TopicMetadata } from "../../client/cluster.ts";
import { UnknownTopicError } from "../../client/cluster.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { rejectIfAborted } from "../../core/unless-aborted.ts";
import { missingTopic } from "../client.ts";

/** Names, or an expression of RE2 that whole names match. */
export type TopicChoice = readonly string[] | { readonly pattern: string };

/** What is done about a topic that is missing. */
export interface FindTopicsOptions {
  /** Whether to wait until somebody creates it. */
  readonly wait: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const LOOK_EVERY_MS = 500;

/** Throws `OperatorError` where nothing is there, and errors of the client. */
export async function findTopics(
  cluster: Cluster,
  choice: TopicChoice,
  options: FindTopicsOptions,
): Promise<TopicMetadata[]> {
  // A dead broker shows at once, without the patience of retries.
  const { signal } = options;
  await rejectIfAborted(cluster.any(), signal);
  const what = "pattern" in choice ? "a topic that matches" : `topic "${choice.join('", "')}"`;
  let isWaiting = false;
  for (;;) {
    const finding = "pattern" in choice
      ? matchingTopics(cluster, choice.pattern)
      : named(cluster, choice, options.wait);
    const found = await rejectIfAborted(finding, signal);
    if (found !== null) return found;
    if (!options.wait) {
      const pattern = "pattern" in choice ? ` "${choice.pattern}"` : "";
      throw new OperatorError(`no topic matches${pattern}`, "", "see kstream topic list");
    }
    if (!isWaiting) options.say(`kstream: waiting for ${what}`);
    isWaiting = true;
    try {
      await sleep(cluster.io.clock, LOOK_EVERY_MS, signal);
    } catch {
      throw new OperatorError(`${what} did not come`, "interrupted", "", 3);
    }
  }
}

/** Null if one is missing and it may be waited for. */
async function named(
  cluster: Cluster,
  names: readonly string[],
  wait: boolean,
): Promise<TopicMetadata[] | null> {
  const found: TopicMetadata[] = [];
  for (const name of new Set(names)) {
    try {
      found.push(await cluster.topic(name));
    } catch (error) {
      if (!(error instanceof UnknownTopicError)) throw error;
      if (wait) return null;
      throw await missingTopic(cluster, name);
    }
  }
  return found;
}

/** Those whose whole name matches, without internal ones; null if none does. */
export async function matchingTopics(
  cluster: Cluster,
  pattern: string,
): Promise<TopicMetadata[] | null> {
  const { compileRegex } = await import("../../core/regex.ts");
  const compiled = compileRegex(pattern);
  if (!compiled.ok) {
    throw new OperatorError(`--topics ${pattern} cannot be read`, compiled.why, "", 2);
  }
  const { topics } = await cluster.refresh(null);
  const names = topics.flatMap(({ name, errorCode, isInternal }) =>
    name !== null && errorCode === Errors.NONE && !isInternal && compiled.regex.matches(name)
      ? [name]
      : []
  );
  return names.length === 0 ? null : await named(cluster, names.toSorted(), true);
}
