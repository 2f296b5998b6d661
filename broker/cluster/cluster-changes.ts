/**
 * What the parts of a broker want changed in the metadata, asked of the controller of the cluster,
 * whichever node that is. An outcome is given once it is in force on this broker.
 */
import type { TopicImage } from "../../cluster/metadata-image.ts";
import { ConnectionError } from "../../core/connection.ts";
import { type ErrorCode, errorCode, errorName, Errors } from "../../core/errors.ts";
import type { Clock } from "../../core/io.ts";
import { createTopics } from "../../core/protocol/19-create-topics.ts";
import { allocateProducerIds } from "../../core/protocol/67-allocate-producer-ids.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import type { BrokerConfig } from "../config/broker-config.ts";
import { automaticTopic } from "../internal-topics.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { ChangeOptions, MetadataChanges, ProducerIdBlock } from "../metadata-changes.ts";
import { accept, type Outcome, type Refusal, refuse } from "../outcome.ts";
import { newPartition } from "../../cluster/controller/partition-change.ts";
import type { NewTopic } from "../plan-topics.ts";
import type { Peers } from "./peers.ts";

/** What it is built from. */
export interface ClusterChangesOptions {
  readonly clock: Clock;
  readonly config: BrokerConfig;
  readonly nodeId: number;
  readonly metadata: MetadataCache;
  readonly peers: Pick<Peers, "requestController">;
}

type Answer = ResponseOf<typeof createTopics>["topics"][number];

/** So long a change may take for which nobody says how long. */
const TIMEOUT_MS = 30_000;
/** Producers ask again (Kafka's `RPCProducerIdManager` gives up as soon). */
const PRODUCER_IDS_MS = 5000;
/** Of a broker that has not been registered yet. */
const NO_EPOCH = -1;

/** See the head of the file. */
export class ClusterChanges implements MetadataChanges {
  readonly #options: ClusterChangesOptions;
  readonly #creations = new Map<string, Promise<Outcome<TopicImage>>>();

  constructor(options: ClusterChangesOptions) {
    this.#options = options;
  }

  async createTopics(
    topics: readonly NewTopic[],
    options: ChangeOptions = {},
  ): Promise<Outcome<TopicImage>[]> {
    if (topics.length === 0) return [];
    const { timeoutMs = TIMEOUT_MS, validateOnly = false } = options;
    const deadlineMs = this.#options.clock.monotonicMs() + timeoutMs;
    const response = await this.#ask(
      Errors.REQUEST_TIMED_OUT,
      () =>
        this.#options.peers.requestController(
          createTopics,
          { topics: topics.map(wireTopic), timeoutMs, validateOnly },
          (answer) => answer.topics.some((topic) => topic.errorCode === Errors.NOT_CONTROLLER),
          { timeoutMs, use: "changes" },
        ),
    );
    if (!response.ok) return topics.map(() => response);
    const answers = new Map(response.value.topics.map((topic) => [topic.name, topic]));
    return await Promise.all(topics.map(({ name }): Promise<Outcome<TopicImage>> => {
      const answer = answers.get(name);
      if (answer === undefined) return Promise.resolve(refuse(Errors.UNKNOWN_SERVER_ERROR, ""));
      if (answer.errorCode !== Errors.NONE) return Promise.resolve(refusalOf(answer));
      if (validateOnly) return Promise.resolve(accept(planned(answer)));
      return this.#inForce((image) => image.topicById(answer.topicId), deadlineMs);
    }));
  }

  ensureTopic(name: string): Promise<Outcome<TopicImage>> {
    const present = this.#options.metadata.topic(name);
    if (present !== undefined) return Promise.resolve(accept(present));
    const running = this.#creations.get(name);
    if (running !== undefined) return running;
    const creation = this.#create(name).finally(() => this.#creations.delete(name));
    this.#creations.set(name, creation);
    return creation;
  }

  async allocateProducerIds(): Promise<Outcome<ProducerIdBlock>> {
    const { metadata, nodeId, peers } = this.#options;
    const brokerEpoch = BigInt(metadata.image.brokers.get(nodeId)?.epoch ?? NO_EPOCH);
    // What Kafka answers producers while it has no ids: they ask again.
    const busy = Errors.COORDINATOR_LOAD_IN_PROGRESS;
    const response = await this.#ask(busy, () =>
      peers.requestController(
        allocateProducerIds,
        { brokerId: nodeId, brokerEpoch },
        (answer) => answer.errorCode === Errors.NOT_CONTROLLER,
        { timeoutMs: PRODUCER_IDS_MS, use: "producer ids" },
      ));
    if (!response.ok) return response;
    const { errorCode: error, producerIdStart, producerIdLen: count } = response.value;
    if (error !== Errors.NONE) {
      return refuse(busy, `The controller gives no producer ids: ${errorName(error)}.`);
    }
    return accept({ firstProducerId: Number(producerIdStart), count });
  }

  async #create(name: string): Promise<Outcome<TopicImage>> {
    const { clock, config, metadata } = this.#options;
    const deadlineMs = clock.monotonicMs() + TIMEOUT_MS;
    const [outcome] = await this.createTopics([automaticTopic(name, config, metadata.image)]);
    if (outcome === undefined) return refuse(Errors.UNKNOWN_SERVER_ERROR, "");
    if (outcome.ok || outcome.error !== Errors.TOPIC_ALREADY_EXISTS) return outcome;
    return await this.#inForce((there) => there.topic(name), deadlineMs);
  }

  async #ask<T>(otherwise: ErrorCode, request: () => Promise<T>): Promise<Outcome<T>> {
    try {
      return accept(await request());
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      return refuse(otherwise, `The controller cannot be reached: ${error.message}`);
    }
  }

  /** What `find` gives once this broker has it. */
  #inForce(
    find: (metadata: MetadataCache) => TopicImage | undefined,
    deadlineMs: number,
  ): Promise<Outcome<TopicImage>> {
    const { clock, metadata } = this.#options;
    const present = find(metadata);
    if (present !== undefined) return Promise.resolve(accept(present));
    return new Promise((resolve) => {
      const settle = (outcome: Outcome<TopicImage>) => {
        timer.cancel();
        unsubscribe();
        resolve(outcome);
      };
      const timer = clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
        const why = "The topic was created, but this broker has not heard of it in time.";
        settle(refuse(Errors.REQUEST_TIMED_OUT, why));
      });
      const unsubscribe = metadata.onChange(() => {
        const found = find(metadata);
        if (found !== undefined) settle(accept(found));
      });
    });
  }
}

function wireTopic({ name, numPartitions, replicationFactor, assignments, configs }: NewTopic) {
  return {
    name,
    numPartitions,
    replicationFactor,
    assignments: assignments.map(({ partitionIndex, brokerIds }) => ({
      partitionIndex,
      brokerIds: [...brokerIds],
    })),
    configs: configs.map((config) => ({ name: config.name, value: config.value })),
  };
}

function refusalOf({ errorCode: code, errorMessage }: Answer): Refusal {
  const error = errorCode(code);
  return refuse(error, errorMessage ?? errorName(error));
}

/** A topic that would be created: where its replicas would go nobody has said. */
function planned({ name, topicId, numPartitions, configs }: Answer): TopicImage {
  return {
    name,
    id: topicId,
    partitions: Array.from(
      { length: Math.max(0, numPartitions) },
      () => newPartition([], () => false),
    ),
    configs: new Map((configs ?? []).map((config) => [config.name, config.value ?? ""])),
  };
}
