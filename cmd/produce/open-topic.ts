import type { Producer, TopicWriter } from "../../client/producer.ts";
import { UnknownTopicError } from "../../client/cluster.ts";
import { TimeoutError } from "../../client/errors.ts";
import { sleep } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { rejectIfAborted } from "../../core/unless-aborted.ts";
import { missingTopic } from "../client.ts";

/** What is done about a topic that is missing. */
export interface OpenTopicOptions {
  /** Whether it may be created. */
  readonly create: boolean;
  /** Whether to wait until somebody creates it. */
  readonly wait: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** How long a broker gets to make a missing topic. */
const CREATE_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 500;

/** Makes sure of a topic before anything is read. Throws `OperatorError` and errors of the client. */
export async function openTopic(
  producer: Producer,
  topic: string,
  options: OpenTopicOptions,
): Promise<TopicWriter> {
  const { cluster } = producer;
  // A dead broker shows at once, without the patience of retries.
  const { signal } = options;
  await rejectIfAborted(cluster.any(), signal);
  let created = false;
  if (!await exists(producer, topic, signal)) {
    if (options.wait) await waitFor(producer, topic, options);
    else if (!options.create) throw await missingTopic(cluster, topic);
    else created = true;
  }
  try {
    const opening = producer.topic(topic, { timeoutMs: CREATE_TIMEOUT_MS });
    const writer = await rejectIfAborted(opening, signal);
    if (created) {
      const count = writer.partitionCount;
      options.say(`created topic "${topic}" with ${count} partition${count === 1 ? "" : "s"}`);
    }
    return writer;
  } catch (error) {
    // The broker was asked to create it, and still does not know it.
    if (created && error instanceof TimeoutError) throw await missingTopic(cluster, topic);
    throw error;
  }
}

async function exists(
  { cluster }: Producer,
  topic: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await rejectIfAborted(cluster.topic(topic), signal);
    return true;
  } catch (error) {
    if (error instanceof UnknownTopicError) return false;
    throw error;
  }
}

async function waitFor(
  producer: Producer,
  topic: string,
  { signal, say }: OpenTopicOptions,
): Promise<void> {
  say(`kstream: waiting for topic "${topic}"`);
  do {
    try {
      await sleep(producer.cluster.io.clock, LOOK_EVERY_MS, signal);
    } catch {
      throw new OperatorError(`topic "${topic}" did not come`, "interrupted", "", 3);
    }
  } while (!await exists(producer, topic, signal));
}
