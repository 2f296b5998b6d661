/**
 * Sends the batches of all partitions: to each leader up to `maxInFlight` requests at once, in each
 * one batch per partition. Everything that can pass is sent again until the batch is too old.
 */
import { asError } from "../../core/as-error.ts";
import { groupBy } from "../../core/group-by.ts";
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { initProducerId } from "../../core/protocol/22-init-producer-id.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import type { Cluster } from "../cluster.ts";
import {
  isAuthenticationError,
  isRetriableError,
  KafkaError,
  throwOnError,
  TimeoutError,
} from "../errors.ts";
import type { ProducerBatch, ProducerIdentity } from "./batch.ts";
import type { ResolvedProducerOptions } from "./options.ts";
import type { ProducerTransactions } from "./transactions.ts";
import { WakeUp } from "../wake-up.ts";
import type { PartitionQueue } from "./partition-queue.ts";

/** Beyond the time that the broker may wait for its replicas. */
const ANSWER_SLACK_MS = 5000;
const LAST_EPOCH = 32_000;

type PartitionResponse = ResponseOf<
  typeof produce
>["responses"][number]["partitionResponses"][number];

type CurrentLeader = NonNullable<PartitionResponse["currentLeader"]>;

/** The requests to one broker. */
interface Lane {
  inFlight: number;
  connection: Connection | null;
  connecting: boolean;
}

interface Taken {
  readonly queue: PartitionQueue;
  readonly batch: ProducerBatch;
}

/** What became of a batch: stored (`error` null) or given up. Offsets and times are −1 if unknown. */
export interface Outcome {
  readonly error: Error | null;
  readonly baseOffset: bigint;
  readonly logAppendTimeMs: bigint;
}

/** What the sender tells its producer. */
export interface SenderEvents {
  /** Called once for each batch. */
  settled(queue: PartitionQueue, batch: ProducerBatch, outcome: Outcome): void;
  /** The parts go on in the batch's place. */
  split(batch: ProducerBatch, parts: readonly ProducerBatch[]): void;
}

/** The sending half of a producer. */
export class Sender {
  #identity: ProducerIdentity | null = null;
  #identityLoading = false;
  #fatal: Error | null = null;
  readonly #pumping: WakeUp;
  #refreshing = false;
  #closed = false;
  readonly #staleTopics = new Set<string>();
  readonly #ready = new Set<PartitionQueue>();
  readonly #lanes = new Map<number, Lane>();

  constructor(
    readonly cluster: Cluster,
    readonly options: ResolvedProducerOptions,
    readonly events: SenderEvents,
    /** Null without a transactional id; else where the identity comes from. */
    readonly transactions: ProducerTransactions | null = null,
  ) {
    this.#pumping = new WakeUp(cluster.io.clock, () => this.#pump());
    cluster.onMetadata(() => this.#pumping.soon());
  }

  /** The queue may have something to send. */
  wake(queue: PartitionQueue): void {
    this.#ready.add(queue);
    this.#pumping.soon();
  }

  /** Asks for a producer id ahead of the first batch. */
  start(): void {
    if (this.options.idempotent && this.#identity === null) this.#loadIdentity();
  }

  /** The identity of a producer of transactions. */
  identify(identity: ProducerIdentity): void {
    this.#identity = identity;
    this.#pumping.soon();
  }

  /** Partitions may have joined the transaction. */
  wakeAll(): void {
    this.#pumping.soon();
  }

  /** Gives up the batches of the queues that do not fly. */
  drop(queues: Iterable<PartitionQueue>, error: Error): void {
    for (const queue of queues) {
      for (const batch of queue.dropPending(() => true)) this.#giveUp(queue, batch, error);
    }
  }

  /** Stops; batches that still wait are never settled. */
  close(): void {
    this.#closed = true;
    this.#pumping.close();
  }

  #pump(): void {
    const nowMs = this.cluster.io.clock.monotonicMs();
    const byLeader = new Map<number, PartitionQueue[]>();
    for (const queue of this.#ready) {
      this.#expire(queue, nowMs);
      if (queue.sendable === null) this.#ready.delete(queue);
      else if (queue.retryAtMs > nowMs && !this.#hasNewLeader(queue)) {
        this.#pumping.at(queue.retryAtMs);
      } else if (this.transactions?.admits(queue.topic, queue.partition) === false) continue;
      else {
        const leader = this.#leaderOf(queue);
        if (leader === null) this.#lookFor(queue, nowMs);
        else if (byLeader.has(leader)) byLeader.get(leader)!.push(queue);
        else byLeader.set(leader, [queue]);
      }
    }
    if (byLeader.size === 0) return;
    if (this.options.idempotent && this.#identity === null) return this.#loadIdentity();
    for (const [leader, queues] of byLeader) this.#feed(leader, queues);
  }

  /** Whether who leads now has not been asked yet, so that there is no need to wait (KIP-951). */
  #hasNewLeader(queue: PartitionQueue): boolean {
    const isLed = this.cluster.leaderOf(queue.topic, queue.partition) >= 0;
    return isLed && this.#leaderEpoch(queue) > queue.triedEpoch;
  }

  #leaderOf(queue: PartitionQueue): number | null {
    this.cluster.touch(queue.topic);
    const leader = this.cluster.leaderOf(queue.topic, queue.partition);
    return leader >= 0 && this.cluster.brokers.has(leader) ? leader : null;
  }

  #leaderEpoch({ topic, partition }: PartitionQueue): number {
    return this.cluster.leaderEpochOf(topic, partition);
  }

  #feed(leader: number, queues: PartitionQueue[]): void {
    let lane = this.#lanes.get(leader);
    if (lane === undefined) {
      lane = { inFlight: 0, connection: null, connecting: false };
      this.#lanes.set(leader, lane);
    }
    const { connection } = lane;
    if (connection === null || connection.closed) return this.#connect(lane, leader, queues);
    while (lane.inFlight < this.options.maxInFlight) {
      const taken = this.#take(queues);
      if (taken.length === 0) return;
      const isMoot = () => taken.every(({ queue }) => this.#leaderOf(queue) !== leader);
      void this.#send(lane, connection, taken, isMoot);
    }
  }

  #connect(lane: Lane, leader: number, queues: readonly PartitionQueue[]): void {
    if (lane.connecting) return;
    lane.connecting = true;
    this.cluster.broker(leader).then((connection) => {
      lane.connection = connection;
    }, (error: unknown) => {
      // Waiting makes nobody of who is refused somebody else; Kafka's producer gives up as well.
      if (isAuthenticationError(error)) this.drop(queues, error);
      // Perhaps another broker leads by now. Failures show when the batches are too old.
      const nowMs = this.cluster.io.clock.monotonicMs();
      for (const queue of queues) this.#lookFor(queue, nowMs);
    }).finally(() => {
      lane.connecting = false;
      this.#pumping.soon();
    });
  }

  /** One batch of each queue, as long as the request stays below its bound. */
  #take(queues: readonly PartitionQueue[]): Taken[] {
    const taken: Taken[] = [];
    let bytes = 0;
    for (const queue of queues) {
      const { next } = queue;
      if (next === null) continue;
      const size = next.build().length;
      if (taken.length > 0 && bytes + size > this.options.maxRequestBytes) continue;
      bytes += size;
      // The next request begins with those that found no room in this one.
      this.#ready.delete(queue);
      queue.triedEpoch = this.#leaderEpoch(queue);
      const batch = queue.take(this.#identity, (stale) => this.#renew(stale));
      taken.push({ queue, batch });
      if (queue.sendable !== null) this.#ready.add(queue);
    }
    return taken;
  }

  async #send(
    lane: Lane,
    connection: Connection,
    taken: readonly Taken[],
    isMoot: () => boolean,
  ): Promise<void> {
    lane.inFlight++;
    try {
      const answers = await this.#request(connection, taken, isMoot);
      for (const { queue, batch } of taken) {
        const answer = answers.get(`${queue.topic}/${queue.partition}`);
        if (answer === undefined) this.#refuse(queue, batch, noAnswer(queue));
        else this.#answered(queue, batch, answer);
      }
    } catch (error) {
      const failure = asError(error);
      const nowMs = this.cluster.io.clock.monotonicMs();
      for (const { queue, batch } of taken) {
        if (isRetriableError(failure)) this.#retryLater(queue, batch, nowMs, true);
        else this.#abandon(queue, batch, failure);
      }
    } finally {
      lane.inFlight--;
      for (const { queue } of taken) this.wake(queue);
    }
  }

  async #request(
    connection: Connection,
    taken: readonly Taken[],
    isMoot: () => boolean,
  ): Promise<Map<string, Pick<PartitionResponse, "errorCode"> & Partial<PartitionResponse>>> {
    const names = new Map<string, string>();
    let idsKnown = true;
    const topicData = [...groupBy(taken, ({ queue }) => queue.topic)].map(([name, list]) => {
      const topicId = this.cluster.cached(name)?.topicId ?? null;
      if (topicId === null) idsKnown = false;
      else names.set(topicId, name);
      return {
        name,
        ...(topicId === null ? {} : { topicId }),
        partitionData: list.map(({ queue, batch }) => ({
          index: queue.partition,
          records: batch.build(),
        })),
      };
    });
    const { requestTimeoutMs } = this.cluster.options;
    const { acks, transactionalId } = this.options;
    const body = { acks, timeoutMs: requestTimeoutMs, topicData, transactionalId };
    // Version 13 names topics by id alone.
    const maxVersion = Math.min(
      idsKnown ? produce.maxVersion : 12,
      this.transactions?.produceMaxVersion ?? produce.maxVersion,
    );
    if (this.options.acks === 0) {
      await connection.sendOneWay(produce, body, { maxVersion });
      return new Map(
        taken.map(({ queue }) => [`${queue.topic}/${queue.partition}`, { errorCode: Errors.NONE }]),
      );
    }
    const timeoutMs = requestTimeoutMs + ANSWER_SLACK_MS;
    const response = await connection.request(produce, body, { timeoutMs, maxVersion, isMoot });
    const answers = new Map<string, PartitionResponse>();
    for (const { name, topicId, partitionResponses } of response.responses) {
      const topic = names.get(topicId) ?? name;
      for (const answer of partitionResponses) answers.set(`${topic}/${answer.index}`, answer);
    }
    return answers;
  }

  #answered(
    queue: PartitionQueue,
    batch: ProducerBatch,
    answer: Pick<PartitionResponse, "errorCode"> & Partial<PartitionResponse>,
  ): void {
    const nowMs = this.cluster.io.clock.monotonicMs();
    switch (answer.errorCode) {
      case Errors.NONE:
      case Errors.DUPLICATE_SEQUENCE_NUMBER:
        queue.acknowledged(batch);
        queue.retryAtMs = 0;
        return this.events.settled(queue, batch, {
          error: null,
          baseOffset: answer.errorCode === Errors.NONE ? answer.baseOffset ?? -1n : -1n,
          logAppendTimeMs: answer.logAppendTimeMs ?? -1n,
        });
      case Errors.MESSAGE_TOO_LARGE:
      case Errors.RECORD_LIST_TOO_LARGE:
        if (batch.recordCount > 1) return this.#split(queue, batch);
        return this.#refuse(queue, batch, errorOf(queue, batch, answer));
      case Errors.OUT_OF_ORDER_SEQUENCE_NUMBER:
      case Errors.UNKNOWN_PRODUCER_ID:
      case Errors.INVALID_PRODUCER_ID_MAPPING:
      case Errors.INVALID_PRODUCER_EPOCH:
        // A transaction is not carried over into another epoch: it has to be aborted.
        if (!this.options.idempotent || this.transactions !== null) {
          return this.#refuse(queue, batch, errorOf(queue, batch, answer));
        }
        // Behind a failed batch this is to be expected; the first one shows that the broker has
        // lost its state of this producer, or another one has our id.
        if (queue.isFirst(batch)) {
          // An earlier attempt may yet be stored, or is, where this leader cannot see it.
          if (batch.inDoubt) return this.#abandon(queue, batch, errorOf(queue, batch, answer));
          queue.outOfOrder(batch);
        }
        return this.#retryLater(queue, batch, nowMs, false);
      default: {
        const error = errorOf(queue, batch, answer);
        if (answer.currentLeader !== undefined) this.#learn(queue, answer.currentLeader);
        if (error.retriable) this.#retryLater(queue, batch, nowMs, true);
        else this.#refuse(queue, batch, error);
      }
    }
  }

  /** The broker that refused may know better (KIP-951). */
  #learn(queue: PartitionQueue, { leaderId, leaderEpoch }: CurrentLeader): void {
    this.cluster.learnLeader(queue.topic, queue.partition, leaderId, leaderEpoch);
  }

  #refuse(queue: PartitionQueue, batch: ProducerBatch, error: Error): void {
    queue.refused(batch);
    this.#giveUp(queue, batch, error);
  }

  #abandon(queue: PartitionQueue, batch: ProducerBatch, error: Error): void {
    queue.abandoned(batch);
    this.#giveUp(queue, batch, error);
  }

  #giveUp(queue: PartitionQueue, batch: ProducerBatch, error: Error): void {
    this.events.settled(queue, batch, { error, baseOffset: -1n, logAppendTimeMs: -1n });
  }

  #split(queue: PartitionQueue, batch: ProducerBatch): void {
    const parts = batch.split();
    for (const part of parts) part.build();
    queue.retry(batch, parts);
    this.events.split(batch, parts);
  }

  #retryLater(
    queue: PartitionQueue,
    batch: ProducerBatch,
    nowMs: number,
    leaderInDoubt: boolean,
  ): void {
    batch.inDoubt ||= leaderInDoubt;
    queue.retry(batch);
    queue.retryAtMs = nowMs + this.cluster.backoffMs(batch.attempts - 1);
    if (leaderInDoubt) this.#refresh(queue.topic);
  }

  #expire(queue: PartitionQueue, nowMs: number): void {
    const limitMs = this.options.deliveryTimeoutMs;
    const fatal = this.#fatal;
    const dropped = queue.dropPending((batch) =>
      fatal !== null || nowMs - batch.createdMs >= limitMs
    );
    for (const batch of dropped) {
      const error = fatal ?? new TimeoutError(
        `${batch.recordCount} records for ${queue.topic}-${queue.partition} were not ` +
          `acknowledged within ${limitMs} ms`,
      );
      this.#giveUp(queue, batch, error);
    }
  }

  #lookFor(queue: PartitionQueue, nowMs: number): void {
    queue.triedEpoch = this.#leaderEpoch(queue);
    queue.retryAtMs = nowMs + this.cluster.backoffMs(queue.sendable?.attempts ?? 0);
    this.#pumping.at(queue.retryAtMs);
    this.#refresh(queue.topic);
  }

  #refresh(topic: string): void {
    this.#staleTopics.add(topic);
    if (this.#refreshing || this.#closed) return;
    this.#refreshing = true;
    const topics = [...this.#staleTopics];
    this.#staleTopics.clear();
    this.cluster.refresh(topics, { allowCreate: this.options.allowCreate })
      // No broker answered: the queues try again after their pause.
      .catch(() => {})
      .finally(() => {
        this.#refreshing = false;
        this.#pumping.soon();
      });
  }

  #loadIdentity(): void {
    if (this.#identityLoading || this.#closed || this.transactions !== null) return;
    this.#identityLoading = true;
    this.cluster.retry("get a producer id", async ({ timeoutMs }) => {
      const response = await this.cluster.ask(initProducerId, {
        transactionalId: null,
        transactionTimeoutMs: 60_000,
      }, { timeoutMs });
      throwOnError(response.errorCode, "get a producer id");
      return { producerId: Number(response.producerId), epoch: response.producerEpoch };
    }, { timeoutMs: this.options.deliveryTimeoutMs }).then((identity) => {
      this.#identity = identity;
    }, (error: unknown) => {
      this.#fatal = asError(error);
    }).finally(() => {
      this.#identityLoading = false;
      this.#pumping.soon();
    });
  }

  /** The next epoch, which an idempotent producer may choose itself; near the last one, a new id. */
  #renew(stale: ProducerIdentity): ProducerIdentity {
    const { producerId, epoch } = this.#identity ?? stale;
    const isStale = producerId === stale.producerId && epoch === stale.epoch;
    if (!isStale || this.transactions !== null) return { producerId, epoch };
    if (epoch >= LAST_EPOCH) this.#loadIdentity();
    return this.#identity = { producerId, epoch: epoch + 1 };
  }
}

function noAnswer(queue: PartitionQueue): Error {
  const subject = `produce to ${queue.topic}-${queue.partition}`;
  return new KafkaError(Errors.UNKNOWN_SERVER_ERROR, subject, "the answer left it out");
}

function errorOf(
  queue: PartitionQueue,
  batch: ProducerBatch,
  answer: Pick<PartitionResponse, "errorCode"> & Partial<PartitionResponse>,
): KafkaError {
  const bad = answer.recordErrors?.[0]?.batchIndexErrorMessage ?? null;
  const subject = answer.errorCode === Errors.MESSAGE_TOO_LARGE
    ? `a record of about ${batch.sizeBytes} bytes for ${queue.topic}-${queue.partition}`
    : `produce to ${queue.topic}-${queue.partition}`;
  return new KafkaError(answer.errorCode, subject, answer.errorMessage ?? bad);
}
