/** Opens stores of offsets that are topics: that of a worker, and one of a connector's own. */
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import type { Codecs } from "../../core/compression/codec.ts";
import type { Logger } from "../../core/logger.ts";
import { TopicLog } from "../log/topic-log.ts";
import type { OffsetStore } from "./offset-store.ts";
import { OwnOffsetStore } from "./own-offset-store.ts";
import { TopicOffsetStore } from "./topic-offset-store.ts";

/** What reads and writes the topic. */
export interface OffsetClients {
  readonly io: ClientIo;
  readonly client: ClientOptions;
  readonly codecs: Codecs;
  readonly log: Logger;
}

/** The topic, and how it is made where it is missing. */
export interface OffsetTopic {
  readonly topic: string;
  readonly partitions: number;
  /** −1: as the broker has it. */
  readonly replicationFactor: number;
}

/** A topic for one connector has few partitions: each task reads all of them. */
const OWN_PARTITIONS = 5;

/** A store that has read all that there is. Throws `OperatorError` and what clients throw. */
export async function openTopicOffsets(
  { io, client, codecs, log }: OffsetClients,
  topic: OffsetTopic,
): Promise<TopicOffsetStore> {
  const topicLog = new TopicLog(io, {
    client,
    codecs,
    ...topic,
    purpose: "offset",
    isCommittedOnly: true,
    logger: log,
  });
  const store = new TopicOffsetStore(topicLog, topic.topic, log);
  try {
    await store.start();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * The store of a source: the worker's, or its own in `topic` with the worker's behind it. Null: it is
 * the worker's, which is not to be closed. Throws as `openTopicOffsets` does.
 */
export async function openOwnOffsets(
  clients: OffsetClients & { readonly offsets: OffsetStore },
  topic: string | null,
): Promise<OwnOffsetStore | null> {
  const { offsets, log } = clients;
  if (topic === null || topic === offsets.transactional?.topic) return null;
  const own = await openTopicOffsets(clients, {
    topic,
    partitions: OWN_PARTITIONS,
    replicationFactor: -1,
  });
  return new OwnOffsetStore(own, offsets, log);
}
