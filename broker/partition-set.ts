import { type ErrorCode, Errors } from "../core/errors.ts";
import { DiskError } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import type { MetadataDelta, PartitionImage, TopicImage } from "../cluster/metadata-image.ts";
import type { LogConfig } from "../storage/log-config.ts";
import type { LogIdentity, PartitionLog } from "../storage/partition-log.ts";
import { Partition, type PartitionConfig, type PartitionSurroundings } from "./partition.ts";
import { Traffic } from "./metrics/traffic.ts";
import { CLUSTER_METADATA_TOPIC } from "./topic-names.ts";

/** Where logs are kept: one data directory, or several. */
export interface LogStore {
  logs(): Iterable<PartitionLog>;
  /** As `DataDir.getOrCreate`. */
  getOrCreate(id: LogIdentity, config: LogConfig): PartitionLog;
  /** As `DataDir.delete`. */
  delete(log: PartitionLog): Promise<void>;
  /** As `DataDir.restart`. */
  restart(log: PartitionLog, offset: number): PartitionLog;
}

interface HostedTopic {
  image: TopicImage;
  /** Read at the first use. */
  config: PartitionConfig | null;
  /** Alone, opened at first use: a broker of 10,000 idle partitions is cheap. */
  readonly partitions: (Partition | undefined)[];
  /** Of partitions that were hosted here before. */
  readonly departed: Traffic;
}

/** A topic as its metrics see it. */
export type TopicTraffic = Pick<HostedTopic, "image" | "partitions" | "departed">;

/**
 * Whether the broker is a cluster by itself, or one of several: then it hosts nothing before `adoptLogs`,
 * and from then on all partitions of which it is a replica, so that they are led or followed.
 */
export type HostMode = "alone" | "member";

/**
 * The partitions that this broker hosts. It follows the metadata image: a topic that appears there
 * can be written at once, one that goes fails all who wait on it, and its files go. Kafka's
 * `ReplicaManager`, as far as it keeps partitions.
 */
export class PartitionSet {
  readonly #surroundings: PartitionSurroundings;
  readonly #logger: Logger;
  readonly #store: LogStore;
  readonly #configOf: (topic: TopicImage) => PartitionConfig;
  readonly #byName = new Map<string, HostedTopic>();
  readonly #byId = new Map<string, HostedTopic>();
  readonly #deletions = new Set<Promise<void>>();
  readonly #mode: HostMode;
  /** Of topics that are gone. */
  readonly departed = new Traffic();
  #isReady: boolean;

  /** `configOf` gives a topic's configuration: its own settings over the broker's. */
  constructor(
    surroundings: PartitionSurroundings,
    logger: Logger,
    store: LogStore,
    configOf: (topic: TopicImage) => PartitionConfig,
    mode: HostMode = "alone",
  ) {
    this.#surroundings = surroundings;
    this.#logger = logger;
    this.#store = store;
    this.#configOf = configOf;
    this.#mode = mode;
    this.#isReady = mode === "alone";
  }

  /**
   * The partition, or UNKNOWN_TOPIC_OR_PARTITION, or NOT_LEADER_OR_FOLLOWER where others have it, or
   * KAFKA_STORAGE_ERROR if its files refuse.
   */
  find(topic: string, index: number): Partition | ErrorCode {
    const hosted = this.#byName.get(topic);
    if (hosted === undefined) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
    return hosted.partitions[index] ?? this.#open(hosted, index);
  }

  /** The partition, or UNKNOWN_TOPIC_ID, or UNKNOWN_TOPIC_OR_PARTITION for its index. */
  findById(topicId: string, index: number): Partition | ErrorCode {
    const hosted = this.#byId.get(topicId);
    if (hosted === undefined) return Errors.UNKNOWN_TOPIC_ID;
    return hosted.partitions[index] ?? this.#open(hosted, index);
  }

  /** The name of a topic by its id. */
  topicName(topicId: string): string | undefined {
    return this.#byId.get(topicId)?.image.name;
  }

  /** The partitions that are open: used since the start, or with files from before. */
  *opened(): Iterable<Partition> {
    for (const { partitions } of this.#byName.values()) {
      for (const partition of partitions) if (partition !== undefined) yield partition;
    }
  }

  /** All topics, with what was counted in them. */
  topics(): Iterable<TopicTraffic> {
    return this.#byName.values();
  }

  /** Follows one change: when it returns, new partitions can be written. */
  apply(delta: MetadataDelta): void {
    for (const topic of delta.deletedTopics) this.#remove(topic.id);
    for (const topic of delta.createdTopics) this.#put(topic);
    for (const { before, after } of delta.changedTopics) {
      this.#put(after, before);
      if (before.configs !== after.configs) this.#refreshConfig(after.name);
    }
    if (delta.brokerConfigsChanged) {
      for (const topic of this.#byName.keys()) this.#refreshConfig(topic);
    }
  }

  #put(image: TopicImage, before?: TopicImage): void {
    const hosted = this.#byId.get(image.id);
    if (hosted === undefined) {
      const fresh: HostedTopic = {
        image,
        config: null,
        partitions: [],
        departed: new Traffic(),
      };
      this.#byName.set(image.name, fresh);
      this.#byId.set(image.id, fresh);
      this.#host(fresh);
      return;
    }
    hosted.image = image;
    hosted.partitions.forEach((partition, index) => {
      const state = image.partitions[index];
      if (partition === undefined || state === before?.partitions[index]) return;
      if (this.#mode === "member" && !this.#isOurs(state)) this.#giveUp(hosted, index);
      else partition.updateImage(state);
    });
    this.#host(hosted);
  }

  #isOurs({ replicas }: PartitionImage): boolean {
    return replicas.includes(this.#surroundings.nodeId);
  }

  /** Has all partitions open that have to be led or followed. */
  #host(hosted: HostedTopic): void {
    if (this.#mode === "alone" || !this.#isReady) return;
    hosted.image.partitions.forEach((state, index) => {
      if (hosted.partitions[index] === undefined && this.#isOurs(state)) this.#open(hosted, index);
    });
  }

  /** Others have the partition now: who waits on it is sent there, and its files go. */
  #giveUp(hosted: HostedTopic, index: number): void {
    const partition = hosted.partitions[index];
    if (partition === undefined) return;
    hosted.partitions[index] = undefined;
    hosted.departed.add(partition.traffic);
    partition.close(Errors.NOT_LEADER_OR_FOLLOWER);
    const { topic, topicId } = partition;
    this.#logger.info("removing a replica that is elsewhere", { topic, topicId, partition: index });
    this.#deleteLog(partition);
  }

  #refreshConfig(topic: string): void {
    const hosted = this.#byName.get(topic);
    if (hosted === undefined) return;
    if (hosted.config === null) return;
    const config = this.#configOf(hosted.image);
    hosted.config = config;
    for (const partition of hosted.partitions) partition?.updateConfig(config);
  }

  /** Who waits on the topic is answered now, and its files go. */
  #remove(topicId: string): void {
    const hosted = this.#byId.get(topicId);
    if (hosted === undefined) return;
    this.#byId.delete(topicId);
    this.#byName.delete(hosted.image.name);
    this.departed.add(hosted.departed);
    for (const partition of hosted.partitions) {
      if (partition === undefined) continue;
      this.departed.add(partition.traffic);
      partition.close();
      this.#deleteLog(partition);
    }
  }

  /**
   * Opens the partitions whose files are there, so that retention reaches them; to be called once,
   * when the image is up to date. Files of a topic that it does not have were left by a crash
   * between a deletion and its files' removal: they go. A log that has lost its topic's id in a
   * crash is taken for the topic's of that name, rather than thrown away. A member of a cluster opens all
   * its other partitions, too, and removes the files of those that are elsewhere.
   */
  adoptLogs(): void {
    this.#isReady = true;
    for (const log of [...this.#store.logs()]) {
      // The log that the image itself is made from.
      if (log.topic === CLUSTER_METADATA_TOPIC) continue;
      const hosted = this.#byName.get(log.topic);
      const isOurs = hosted !== undefined &&
        (log.topicId === hosted.image.id || log.topicId === "") &&
        log.partition < hosted.image.partitions.length &&
        (this.#mode === "alone" || this.#isOurs(hosted.image.partitions[log.partition]));
      if (isOurs) {
        this.#open(hosted, log.partition);
      } else {
        const { topic, topicId, partition } = log;
        const why = hosted === undefined ? "a deleted topic" : "a partition that is elsewhere";
        this.#logger.info(`removing the files of ${why}`, { topic, topicId, partition });
        this.#deleteLog({ log, topic, index: partition });
      }
    }
    for (const hosted of this.#byId.values()) this.#host(hosted);
  }

  /** A follower's log begins anew at `offset`: its leader has nothing of what it has. */
  restartLog(partition: Partition, offset: number): void {
    partition.restartWith(this.#store.restart(partition.log, offset));
  }

  /** Lets long polls see that the broker stops. */
  wake(): void {
    for (const partition of this.opened()) partition.wake();
  }

  /** Ends all waiting and waits for running deletions; the data directory is not closed. */
  async close(): Promise<void> {
    for (const partition of this.opened()) partition.close();
    await Promise.all(this.#deletions);
  }

  #open(hosted: HostedTopic, index: number): Partition | ErrorCode {
    const { image, partitions } = hosted;
    if (!this.#isReady) return Errors.NOT_LEADER_OR_FOLLOWER;
    if (!(index >= 0 && index < image.partitions.length)) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
    const state = image.partitions[index];
    if (!state.replicas.includes(this.#surroundings.nodeId)) return Errors.NOT_LEADER_OR_FOLLOWER;
    const config = hosted.config ??= this.#configOf(image);
    const log = this.#openLog(image, index, config.log);
    if (log === null) return Errors.KAFKA_STORAGE_ERROR;
    const partition = new Partition(this.#surroundings, log, state, config);
    partitions[index] = partition;
    return partition;
  }

  /** Null if the disk refused; the next use tries again. */
  #openLog({ name, id }: TopicImage, index: number, config: LogConfig): PartitionLog | null {
    try {
      return this.#store.getOrCreate({ topic: name, topicId: id, partition: index }, config);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      const fields = { topic: name, partition: index, reason: error.message };
      this.#logger.error("a partition cannot be opened", fields);
      return null;
    }
  }

  #deleteLog({ log, topic, index }: Pick<Partition, "log" | "topic" | "index">): void {
    const deletion = this.#store.delete(log).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error("the files of a deleted partition stay", { topic, index, reason });
    }).finally(() => this.#deletions.delete(deletion));
    this.#deletions.add(deletion);
  }
}
