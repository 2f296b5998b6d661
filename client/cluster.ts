/**
 * What every client knows of a cluster: its brokers, the leaders of the partitions in use, the
 * coordinators, and the connections to them. Made fresh from the bootstrap addresses when all known
 * brokers are gone (as KIP-899 has it).
 */
import { type Connection, ConnectionError } from "../core/connection.ts";
import { addressText, seemsToWantSasl } from "../core/connection-error.ts";
import { Errors } from "../core/errors.ts";
import { sleep } from "../core/io.ts";
import type { HostPort } from "../core/io.ts";
import { metadata as metadataApi } from "../core/protocol/03-metadata.ts";
import { findCoordinator } from "../core/protocol/10-find-coordinator.ts";
import { ZERO_UUID } from "../core/protocol/schema.ts";
import type { Api, EncodableRequest, ResponseOf } from "../core/protocol/schema.ts";
import { firstAnswer } from "./first-answer.ts";
import { type ConnectionPurpose, Links } from "./links.ts";
import { isRetriableError, KafkaError, throwOnError, TimeoutError } from "./errors.ts";
import { resolveClientOptions } from "./options.ts";
import type {
  ClientIo,
  ClientOptions,
  OperationOptions,
  ResolvedClientOptions,
} from "./options.ts";

/** A broker of the cluster. */
export interface BrokerNode {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

/** A partition as the cluster last described it. */
export interface PartitionMetadata {
  readonly partition: number;
  readonly errorCode: number;
  /** Node id of the leader, −1 if there is none. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly offlineReplicas: readonly number[];
}

/** A topic as the cluster last described it. */
export interface TopicMetadata {
  readonly name: string;
  /** Null where the broker is too old to tell (Metadata before version 10). */
  readonly topicId: string | null;
  readonly isInternal: boolean;
  /** In order, index = partition. */
  readonly partitions: readonly PartitionMetadata[];
}

/** Which coordinator (KIP-890 and later have more). */
export type CoordinatorType = "group" | "transaction";

const COORDINATOR_KEY_TYPE: Readonly<Record<CoordinatorType, number>> = {
  group: 0,
  transaction: 1,
};

interface Coordinator {
  readonly type: CoordinatorType;
  readonly key: string;
  readonly node: BrokerNode;
}

/** A broker on its way down may look once like one that wants to know who the client is. */
const SASL_REFUSALS_MAX = 3;
/** After so long, or a fraction of the request timeout, another broker is asked, too. */
const SILENCE_MS = 1000;
const SILENCE_FRACTION = 0.25;

/** A view of a cluster and the connections to it. */
export class Cluster {
  readonly options: ResolvedClientOptions;
  #clusterId: string | null = null;
  #controllerId = -1;
  #closed = false;
  readonly #bootstrapNext: number;
  #inquiring = false;
  readonly #links: Links;
  readonly #metadataListeners: (() => void)[] = [];
  /** How often any broker was asked. */
  #asked = 0;
  readonly #io: ClientIo;
  readonly #brokers = new Map<number, BrokerNode>();
  readonly #topics = new Map<string, TopicMetadata>();
  /** When each topic was asked for last, on the monotonic clock. */
  readonly #askedMs = new Map<string, number>();
  /** By `coordinatorKey`. */
  readonly #coordinators = new Map<string, Coordinator>();

  constructor(io: ClientIo, options: ClientOptions) {
    this.#io = io;
    this.options = resolveClientOptions(options);
    this.#bootstrapNext = io.random.below(Math.max(1, options.brokers.length));
    const { requestTimeoutMs } = this.options;
    const silenceMs = Math.min(SILENCE_MS, requestTimeoutMs * SILENCE_FRACTION);
    this.#links = new Links(io, this.options, silenceMs, () => void this.#inquire());
  }

  get io(): ClientIo {
    return this.#io;
  }

  /** Brokers of the last metadata answer. */
  get brokers(): ReadonlyMap<number, BrokerNode> {
    return this.#brokers;
  }

  /** Node id of the controller, −1 while unknown. */
  get controllerId(): number {
    return this.#controllerId;
  }

  /** Null while unknown. */
  get clusterId(): string | null {
    return this.#clusterId;
  }

  /** What is known of a topic, without asking. */
  cached(topic: string): TopicMetadata | undefined {
    return this.#topics.get(topic);
  }

  /** Node id of the leader as far as known, without asking; −1: there is none, or nobody knows. */
  leaderOf(topic: string, partition: number): number {
    return this.#topics.get(topic)?.partitions[partition]?.leader ?? -1;
  }

  /** Epoch of the leader that is known, without asking; −1: not known, or not told by old brokers. */
  leaderEpochOf(topic: string, partition: number): number {
    return this.#topics.get(topic)?.partitions[partition]?.leaderEpoch ?? -1;
  }

  /** A broker has said who leads a partition. What is older than what is known changes nothing. */
  learnLeader(topic: string, partition: number, leader: number, leaderEpoch: number): void {
    const known = this.#topics.get(topic);
    const before = known?.partitions[partition];
    if (known === undefined || before === undefined || leaderEpoch <= before.leaderEpoch) return;
    if (!this.#brokers.has(leader)) return;
    const partitions = known.partitions.with(partition, { ...before, leader, leaderEpoch });
    this.#topics.set(topic, { ...known, partitions });
  }

  /** The name of the topic with this id; asks if it is not known, and is null if nobody knows. */
  async topicName(topicId: string, signal?: AbortSignal): Promise<string | null> {
    const known = [...this.#topics.values()].find((topic) => topic.topicId === topicId);
    if (known !== undefined) return known.name;
    const response = await this.ask(metadataApi, { topics: [{ topicId, name: null }] }, { signal });
    const found = response.topics.find((topic) => topic.topicId === topicId);
    if (found === undefined || found.errorCode !== Errors.NONE) return null;
    for (const { nodeId, host, port, rack } of response.brokers) {
      this.#brokers.set(nodeId, { nodeId, host, port, rack });
    }
    this.#remember(found);
    return found.name;
  }

  /** Asks again in the background if what is known of the topic is old: it may have grown. */
  touch(topic: string): void {
    const nowMs = this.#io.clock.monotonicMs();
    const askedMs = this.#askedMs.get(topic) ?? nowMs;
    if (nowMs - askedMs < this.options.metadataMaxAgeMs) return;
    this.#askedMs.set(topic, nowMs);
    // A failure shows where the topic is used.
    this.refresh([topic]).catch(() => {});
  }

  /** Closes all connections; later use fails. */
  close(): void {
    this.#closed = true;
    this.#links.close();
  }

  /** As `close`, and what was written and has not left the machine is not sent any more. */
  abort(): void {
    this.#closed = true;
    this.#links.abort();
  }

  /** Calls back after each answer that tells of the cluster. */
  onMetadata(listener: () => void): void {
    this.#metadataListeners.push(listener);
  }

  /**
   * Runs `attempt` until it succeeds, fails for good or the time is over, with growing pauses.
   * Throws the last error, or a `TimeoutError` caused by it.
   */
  async retry<T>(
    subject: string,
    attempt: (attemptOptions: { timeoutMs: number }) => Promise<T>,
    options: OperationOptions & { onRetry?: (error: unknown) => void } = {},
  ): Promise<T> {
    const { clock } = this.#io;
    const deadlineMs = clock.monotonicMs() + (options.timeoutMs ?? this.options.apiTimeoutMs);
    let refusals = 0;
    for (let attempts = 0;; attempts++) {
      try {
        const leftMs = Math.ceil(Math.max(1, deadlineMs - clock.monotonicMs()));
        return await attempt({ timeoutMs: Math.min(leftMs, this.options.requestTimeoutMs) });
      } catch (error) {
        if (!isRetriableError(error) || options.signal?.aborted || this.#closed) throw error;
        refusals = seemsToWantSasl(error) ? refusals + 1 : 0;
        if (refusals >= SASL_REFUSALS_MAX) throw error;
        options.onRetry?.(error);
        const pauseMs = this.backoffMs(attempts);
        if (clock.monotonicMs() + pauseMs >= deadlineMs) {
          if (error instanceof ConnectionError) throw error;
          const last = error instanceof Error ? error.message : String(error);
          throw new TimeoutError(`${subject}: no success in time; last: ${last}`, { cause: error });
        }
        await sleep(clock, pauseMs, options.signal);
      }
    }
  }

  /** The pause before retry number `attempts` (from 0): exponential, ±20 % by chance (KIP-580). */
  backoffMs(attempts: number): number {
    const { retryBackoffMs, retryBackoffMaxMs } = this.options;
    const full = Math.min(retryBackoffMaxMs, retryBackoffMs * 2 ** Math.min(attempts, 20));
    return full * (0.8 + this.#io.random.below(401) / 1000);
  }

  /** A connection to any broker. Throws the last `ConnectionError` if there is none. */
  async any(signal?: AbortSignal): Promise<Connection> {
    return await firstAnswer(
      this.#io.clock,
      this.#addresses(),
      (address, left) => this.connect(address, "main", left),
      this.#patience(signal, () => true),
    );
  }

  /**
   * The answer of any broker, each time of another one: one that is cut off from the others does not
   * know that it knows nothing new. While it keeps silent, or if it fails, the next one is asked, too.
   * Throws the last `ConnectionError`.
   */
  async ask<A extends Api>(
    api: A,
    body: EncodableRequest<A> | ((connection: Connection) => EncodableRequest<A>),
    options: { signal?: AbortSignal | undefined; timeoutMs?: number } = {},
    addresses: readonly HostPort[] = this.#addresses(),
  ): Promise<ResponseOf<A>> {
    this.#asked++;
    const { signal, timeoutMs = this.options.requestTimeoutMs } = options;
    return await firstAnswer(
      this.#io.clock,
      addresses,
      async (address, left) => {
        const connection = await this.connect(address, "main", left);
        const request = typeof body === "function" ? body(connection) : body;
        return await connection.request(api, request, { timeoutMs, signal: left });
      },
      this.#patience(signal, isRetriableError),
    );
  }

  #patience(signal: AbortSignal | undefined, goesOn: (error: unknown) => boolean) {
    return {
      patienceMs: this.#links.silenceMs,
      signal,
      goesOn: (error: unknown) => goesOn(error) && !this.#closed,
      late: (address: HostPort) => this.#links.failed(address),
    };
  }

  /** All that may be asked, in the order in which to do it. */
  #addresses(): HostPort[] {
    const known = new Map<string, HostPort>();
    const all = [
      ...beginningAt([...this.#brokers.values()], this.#asked),
      ...beginningAt(this.options.brokers, this.#bootstrapNext),
    ];
    for (const address of all) {
      const text = addressText(address);
      if (!known.has(text)) known.set(text, address);
    }
    return this.#links.answeringFirst([...known.values()]);
  }

  /** A connection to the broker with this id; asks for metadata if it is unknown. */
  async broker(
    nodeId: number,
    purpose: ConnectionPurpose = "main",
    signal?: AbortSignal,
  ): Promise<Connection> {
    if (!this.#brokers.has(nodeId)) await this.refresh([], { signal });
    const node = this.#brokers.get(nodeId);
    if (node === undefined) {
      throw new KafkaError(Errors.LEADER_NOT_AVAILABLE, `broker ${nodeId}`, "it is not there");
    }
    return await this.connect(node, purpose, signal);
  }

  /** A connection to the controller, as far as brokers tell (in KRaft, to one that forwards). */
  async controller(signal?: AbortSignal): Promise<Connection> {
    if (!this.#brokers.has(this.#controllerId)) await this.refresh([], { signal });
    return this.#brokers.has(this.#controllerId)
      ? await this.broker(this.#controllerId, "main", signal)
      : await this.any(signal);
  }

  /** The shared connection to an address, opened if need be. Throws a `ConnectionError`. */
  async connect(
    address: HostPort & { readonly nodeId?: number },
    purpose: ConnectionPurpose,
    signal?: AbortSignal,
  ): Promise<Connection> {
    return await this.#links.connect(address, purpose, signal);
  }

  /**
   * Asks others whether a broker that keeps silent is still the one to wait for. It may be only slow, so
   * silence alone ends no connection.
   */
  async #inquire(): Promise<void> {
    if (this.#inquiring || this.#closed) return;
    const silent = this.#links.silent();
    const texts = new Set(silent.map(({ address }) => addressText(address)));
    const others = this.#addresses().filter((address) => !texts.has(addressText(address)));
    if (others.length === 0) return;
    const nodes = new Set(silent.flatMap(({ nodeId }) => nodeId ?? []));
    const topics = [...this.#topics.values()]
      .filter(({ partitions }) => partitions.some(({ leader }) => nodes.has(leader)))
      .map(({ name }) => name);
    this.#inquiring = true;
    try {
      await this.#refreshFrom(others, topics, {});
      const led = [...this.#coordinators.values()].filter(({ node }) => nodes.has(node.nodeId));
      for (const coordinator of led) await this.#inquireCoordinator(coordinator);
    } catch {
      // Nobody else answers either: it is asked again, as long as the silence lasts.
    } finally {
      this.#inquiring = false;
    }
  }

  async #inquireCoordinator({ type, key, node: before }: Coordinator): Promise<void> {
    const node = await this.#findCoordinator(type, key, {});
    if (node.nodeId === before.nodeId) return;
    this.#coordinators.set(coordinatorKey(type, key), { type, key, node });
    this.#links.giveUpCoordinator(before.nodeId);
  }

  /**
   * Asks for metadata of these topics (null: all), remembers and returns it. Errors of topics are in
   * the answer, not thrown.
   */
  async refresh(
    topics: readonly string[] | null,
    options: { signal?: AbortSignal | undefined; allowCreate?: boolean; timeoutMs?: number } = {},
  ): Promise<ResponseOf<typeof metadataApi>> {
    return await this.#refreshFrom(this.#addresses(), topics, options);
  }

  async #refreshFrom(
    addresses: readonly HostPort[],
    topics: readonly string[] | null,
    options: { signal?: AbortSignal | undefined; allowCreate?: boolean; timeoutMs?: number },
  ): Promise<ResponseOf<typeof metadataApi>> {
    const { allowCreate, ...asking } = options;
    const response = await this.ask(
      metadataApi,
      {
        topics: topics?.map((name) => ({ name })) ?? null,
        allowAutoTopicCreation: allowCreate ?? false,
      },
      asking,
      addresses,
    );
    this.#brokers.clear();
    for (const { nodeId, host, port, rack } of response.brokers) {
      this.#brokers.set(nodeId, { nodeId, host, port, rack });
    }
    this.#clusterId = response.clusterId;
    this.#controllerId = response.controllerId;
    for (const topic of response.topics) this.#remember(topic);
    // One that lists nobody knows nothing.
    if (this.#brokers.size > 0) this.#links.giveUpMoot(this.#brokers);
    for (const listener of this.#metadataListeners) listener();
    return response;
  }

  /** What is known of the topic; asks if nothing is. Waits for its leaders with `waitForLeaders`. */
  async topic(
    name: string,
    options: OperationOptions & { allowCreate?: boolean; waitForLeaders?: boolean } = {},
  ): Promise<TopicMetadata> {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const { signal, allowCreate = false } = options;
    const subject = `topic "${name}"`;
    return await this.retry(subject, async ({ timeoutMs }) => {
      const response = await this.refresh([name], { signal, allowCreate, timeoutMs });
      const answer = response.topics.find((topic) => topic.name === name);
      const code = answer?.errorCode ?? Errors.UNKNOWN_TOPIC_OR_PARTITION;
      // Without leave to create it, a topic that is not there is an answer and no passing trouble.
      if (code === Errors.UNKNOWN_TOPIC_OR_PARTITION && !allowCreate) {
        throw new UnknownTopicError(name);
      }
      throwOnError(code, subject);
      const found = this.#topics.get(name);
      if (found === undefined) throw new KafkaError(Errors.LEADER_NOT_AVAILABLE, subject);
      if (options.waitForLeaders && found.partitions.some(({ leader }) => leader < 0)) {
        throw new KafkaError(Errors.LEADER_NOT_AVAILABLE, subject);
      }
      return found;
    }, options);
  }

  /** The coordinator of a group or transactional id; remembered until `forgetCoordinator`. */
  async coordinator(
    type: CoordinatorType,
    key: string,
    options: OperationOptions = {},
  ): Promise<BrokerNode> {
    const known = this.#coordinators.get(coordinatorKey(type, key));
    if (known !== undefined) return known.node;
    const { signal } = options;
    return await this.retry(`find the coordinator of ${type} "${key}"`, async ({ timeoutMs }) => {
      const node = await this.#findCoordinator(type, key, { timeoutMs, signal });
      this.#coordinators.set(coordinatorKey(type, key), { type, key, node });
      return node;
    }, options);
  }

  async #findCoordinator(
    type: CoordinatorType,
    key: string,
    options: { signal?: AbortSignal | undefined; timeoutMs?: number },
  ): Promise<BrokerNode> {
    const keyType = COORDINATOR_KEY_TYPE[type];
    const response = await this.ask(
      findCoordinator,
      (connection) =>
        (connection.versionOf(findCoordinator) ?? 0) >= 4
          ? { keyType, coordinatorKeys: [key] }
          : { keyType, key },
      options,
    );
    const found = response.coordinators[0] ?? response;
    throwOnError(found.errorCode, `coordinator of ${type} "${key}"`, found.errorMessage);
    return { nodeId: found.nodeId, host: found.host, port: found.port, rack: null };
  }

  /** After NOT_COORDINATOR and the like: the next `coordinator` asks again. */
  forgetCoordinator(type: CoordinatorType, key: string): void {
    this.#coordinators.delete(coordinatorKey(type, key));
  }

  /** The next `topic` asks again. */
  forgetTopic(name: string): void {
    this.#topics.delete(name);
  }

  #remember(topic: ResponseOf<typeof metadataApi>["topics"][number]): void {
    if (topic.name === null) return;
    this.#askedMs.set(topic.name, this.#io.clock.monotonicMs());
    if (topic.errorCode !== Errors.NONE) {
      if (topic.errorCode === Errors.UNKNOWN_TOPIC_OR_PARTITION) this.#topics.delete(topic.name);
      return;
    }
    const topicId = topic.topicId === ZERO_UUID ? null : topic.topicId;
    const known = this.#topics.get(topic.name);
    const before = topicId !== null && known?.topicId === topicId ? known.partitions : [];
    const partitions = topic.partitions
      .map((partition): PartitionMetadata => ({
        partition: partition.partitionIndex,
        errorCode: partition.errorCode,
        leader: partition.leaderId,
        leaderEpoch: partition.leaderEpoch,
        replicas: partition.replicaNodes,
        isr: partition.isrNodes,
        offlineReplicas: partition.offlineReplicas,
      }))
      .sort((a, b) => a.partition - b.partition)
      .map((partition) => newer(before[partition.partition], partition));
    this.#topics.set(topic.name, {
      name: topic.name,
      topicId,
      isInternal: topic.isInternal,
      partitions,
    });
  }
}

/** A topic is not there, and nobody asked to create it. */
export class UnknownTopicError extends KafkaError {
  constructor(readonly topic: string) {
    super(Errors.UNKNOWN_TOPIC_OR_PARTITION, `topic "${topic}"`, "it does not exist");
  }

  /** Not here: the client has asked, and waiting would hide a typo. */
  override get retriable(): boolean {
    return false;
  }
}

function coordinatorKey(type: CoordinatorType, key: string): string {
  return `${type}/${key}`;
}

/** A broker that lags behind tells of an earlier leader; epochs that it does not tell are −1. */
function newer(known: PartitionMetadata | undefined, told: PartitionMetadata): PartitionMetadata {
  return known !== undefined && told.leaderEpoch >= 0 && told.leaderEpoch < known.leaderEpoch
    ? known
    : told;
}

/** The list from this place on, and then from its beginning. */
function beginningAt<T>(list: readonly T[], place: number): T[] {
  const at = list.length === 0 ? 0 : place % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
