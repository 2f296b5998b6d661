/** Administration of transactions (KIP-664): who has some, where they are open, how to end them. */
import { Errors } from "../../core/errors.ts";
import { groupBy } from "../../core/group-by.ts";
import { describeProducers } from "../../core/protocol/61-describe-producers.ts";
import { describeTransactions } from "../../core/protocol/65-describe-transactions.ts";
import { initProducerId } from "../../core/protocol/22-init-producer-id.ts";
import { listTransactions } from "../../core/protocol/66-list-transactions.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import { writeTxnMarkers } from "../../core/protocol/27-write-txn-markers.ts";
import type { Cluster } from "../cluster.ts";
import { KafkaError, throwOnError, UnknownPartitionError, UnsupportedError } from "../errors.ts";
import type { TopicPartitions } from "../group-protocol.ts";
import type { OperationOptions } from "../options.ts";
import { onCoordinator } from "./on-coordinator.ts";

/** A transactional id as ListTransactions shows it. */
export interface TransactionListing {
  readonly transactionalId: string;
  readonly producerId: bigint;
  /** `Ongoing`, `CompleteCommit`, …. */
  readonly state: string;
  /** The broker that coordinates it. */
  readonly coordinator: number;
}

/** Which transactions to list; what is left out does not matter. */
export interface TransactionFilter {
  readonly states?: readonly string[];
  readonly producerIds?: readonly bigint[];
  /** Only those that have been running for longer. */
  readonly longerThanMs?: number;
  /** An expression (RE2) that all of the transactional id has to match. */
  readonly idPattern?: string;
}

/** A transactional id as DescribeTransactions shows it. */
export interface TransactionDescription extends TransactionListing {
  readonly producerEpoch: number;
  readonly timeoutMs: number;
  /** Milliseconds since 1970; null while no transaction is running. */
  readonly startTimeMs: number | null;
  readonly partitions: readonly TopicPartitions[];
}

/** A producer that has written to a partition of late. */
export interface ActiveProducer {
  readonly topic: string;
  readonly partition: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  /** Of the last batch; milliseconds since 1970. */
  readonly lastTimestampMs: number;
  /** Of the last marker; −1 if it never ended a transaction here. */
  readonly coordinatorEpoch: number;
  /** Where its open transaction begins; null if none is open here. */
  readonly txnStartOffset: bigint | null;
}

/** FenceProducersHandler: no record is written with it, and it must not outlive the call. */
const FENCING_TIMEOUT_MS = 1;

/** Transaction operations of an `Admin`. */
export class TransactionAdmin {
  constructor(private readonly cluster: Cluster) {}

  /** The transactional ids of all coordinators: every broker is asked. */
  async list(
    filter: TransactionFilter = {},
    options: OperationOptions = {},
  ): Promise<TransactionListing[]> {
    return await this.cluster.retry("list transactions", async ({ timeoutMs }) => {
      await this.cluster.refresh([], { signal: options.signal, timeoutMs });
      const answers = await Promise.all(
        [...this.cluster.brokers.keys()].map((node) => this.#listOf(node, filter, timeoutMs)),
      );
      return answers.flat().sort((a, b) => a.transactionalId < b.transactionalId ? -1 : 1);
    }, options);
  }

  async #listOf(
    nodeId: number,
    filter: TransactionFilter,
    timeoutMs: number,
  ): Promise<TransactionListing[]> {
    const connection = await this.cluster.broker(nodeId);
    const version = connection.versionOf(listTransactions) ?? 0;
    if (filter.longerThanMs !== undefined && version < 1) {
      throw new UnsupportedError("the broker is too old to list transactions by duration");
    }
    if (filter.idPattern !== undefined && version < 2) {
      throw new UnsupportedError("the broker is too old to list transactions by a pattern of ids");
    }
    const response = await connection.request(listTransactions, {
      stateFilters: filter.states ?? [],
      producerIdFilters: filter.producerIds ?? [],
      ...(filter.longerThanMs === undefined ? {} : { durationFilter: BigInt(filter.longerThanMs) }),
      ...(filter.idPattern === undefined ? {} : { transactionalIdPattern: filter.idPattern }),
    }, { timeoutMs });
    throwOnError(response.errorCode, `list transactions of broker ${nodeId}`);
    return response.transactionStates.map(({ transactionalId, producerId, transactionState }) => ({
      transactionalId,
      producerId,
      state: transactionState,
      coordinator: nodeId,
    }));
  }

  /** Throws TRANSACTIONAL_ID_NOT_FOUND for one that is not there. */
  async describe(
    transactionalId: string,
    options: OperationOptions = {},
  ): Promise<TransactionDescription> {
    const subject = `transactional id "${transactionalId}"`;
    return await onCoordinator(
      this.cluster,
      "transaction",
      transactionalId,
      subject,
      options,
      async (connection, timeoutMs, { nodeId }) => {
        const request = { transactionalIds: [transactionalId] };
        const response = await connection.request(describeTransactions, request, { timeoutMs });
        const found = response.transactionStates[0];
        if (found === undefined) throw new KafkaError(Errors.UNKNOWN_SERVER_ERROR, subject);
        throwOnError(found.errorCode, subject);
        return descriptionOf(found, nodeId);
      },
    );
  }

  /**
   * As `describe`, of several ids by those who coordinate them: one request to each. An id that is
   * gone meanwhile is left out.
   */
  async describeAll(
    listed: readonly Pick<TransactionListing, "transactionalId" | "coordinator">[],
    options: OperationOptions = {},
  ): Promise<TransactionDescription[]> {
    const byCoordinator = groupBy(listed, ({ coordinator }) => coordinator);
    return await this.cluster.retry("describe transactions", async ({ timeoutMs }) => {
      const answers = await Promise.all([...byCoordinator].map(async ([nodeId, ids]) => {
        const connection = await this.cluster.broker(nodeId, "main", options.signal);
        const request = { transactionalIds: ids.map(({ transactionalId }) => transactionalId) };
        const response = await connection.request(describeTransactions, request, { timeoutMs });
        return response.transactionStates.filter(({ errorCode }) => errorCode === Errors.NONE)
          .map((state) => descriptionOf(state, nodeId));
      }));
      return answers.flat();
    }, options);
  }

  /** Who writes to these partitions, as their leaders tell. Throws on the first that is refused. */
  async producers(
    partitions: readonly TopicPartitions[],
    options: OperationOptions = {},
  ): Promise<ActiveProducer[]> {
    const forget = () => partitions.forEach(({ topic }) => this.cluster.forgetTopic(topic));
    return await this.cluster.retry("describe producers", async ({ timeoutMs }) => {
      const byLeader = await this.#byLeader(partitions, options);
      const answers = await Promise.all([...byLeader].map(async ([leader, topics]) => {
        const connection = await this.cluster.broker(leader, "main", options.signal);
        const request = {
          topics: [...topics].map(([name, partitionIndexes]) => ({ name, partitionIndexes })),
        };
        const response = await connection.request(describeProducers, request, { timeoutMs });
        return response.topics.flatMap(({ name, partitions }) =>
          partitions.flatMap((partition) => {
            const { errorCode, errorMessage, partitionIndex } = partition;
            throwOnError(errorCode, `producers of ${name}-${partitionIndex}`, errorMessage);
            return partition.activeProducers.map((producer) => ({
              topic: name,
              partition: partitionIndex,
              producerId: producer.producerId,
              producerEpoch: producer.producerEpoch,
              lastSequence: producer.lastSequence,
              lastTimestampMs: Number(producer.lastTimestamp),
              coordinatorEpoch: producer.coordinatorEpoch,
              txnStartOffset: producer.currentTxnStartOffset < 0n
                ? null
                : producer.currentTxnStartOffset,
            }));
          })
        );
      }));
      return answers.flat();
    }, { ...options, onRetry: forget });
  }

  /**
   * Ends the open transaction of a producer in one partition by an abort marker, past its
   * coordinator, which may not know of it any more. As in Kafka's AbortTransactionHandler, a
   * producer that never ended a transaction there counts with coordinator epoch 0.
   */
  async abort(producer: ActiveProducer, options: OperationOptions = {}): Promise<void> {
    const { topic, partition } = producer;
    const subject = `abort the transaction of producer ${producer.producerId} in ` +
      `${topic}-${partition}`;
    await this.cluster.retry(subject, async ({ timeoutMs }) => {
      const { partitions } = await this.cluster.topic(topic, options);
      const leader = partitions[partition]?.leader ?? -1;
      if (leader < 0) throw new KafkaError(Errors.LEADER_NOT_AVAILABLE, subject);
      const connection = await this.cluster.broker(leader, "main", options.signal);
      const response = await connection.request(writeTxnMarkers, {
        markers: [{
          producerId: producer.producerId,
          producerEpoch: producer.producerEpoch,
          transactionResult: false,
          topics: [{ name: topic, partitionIndexes: [partition] }],
          coordinatorEpoch: Math.max(0, producer.coordinatorEpoch),
        }],
      }, { timeoutMs });
      const result = response.markers[0]?.topics[0]?.partitions[0];
      throwOnError(result?.errorCode ?? -1, subject);
    }, { ...options, onRetry: () => this.cluster.forgetTopic(topic) });
  }

  /**
   * Makes the coordinator abort what a transactional id has open, and fences its producer. An id
   * that is not there would come to be: ask `describe` first. Returns when it is aborted.
   */
  async terminate(transactionalId: string, options: OperationOptions = {}): Promise<void> {
    const subject = `abort the transaction of "${transactionalId}"`;
    await onCoordinator(
      this.cluster,
      "transaction",
      transactionalId,
      subject,
      options,
      async (connection, timeoutMs) => {
        const response = await connection.request(initProducerId, {
          transactionalId,
          transactionTimeoutMs: FENCING_TIMEOUT_MS,
        }, { timeoutMs, maxVersion: 5 });
        throwOnError(response.errorCode, subject);
      },
    );
  }

  async #byLeader(
    partitions: readonly TopicPartitions[],
    options: OperationOptions,
  ): Promise<Map<number, Map<string, number[]>>> {
    const byLeader = new Map<number, Map<string, number[]>>();
    for (const { topic, partitions: indexes } of partitions) {
      const metadata = await this.cluster.topic(topic, options);
      for (const index of indexes) {
        const leader = metadata.partitions[index]?.leader;
        if (leader === undefined) {
          throw new UnknownPartitionError(topic, index, metadata.partitions.length);
        }
        if (leader < 0) {
          throw new KafkaError(Errors.LEADER_NOT_AVAILABLE, `partition ${topic}-${index}`);
        }
        const topics = byLeader.get(leader) ?? new Map<string, number[]>();
        topics.set(topic, [...topics.get(topic) ?? [], index]);
        byLeader.set(leader, topics);
      }
    }
    return byLeader;
  }
}

type DescribedState = ResponseOf<typeof describeTransactions>["transactionStates"][number];

function descriptionOf(found: DescribedState, coordinator: number): TransactionDescription {
  const startTimeMs = Number(found.transactionStartTimeMs);
  return {
    transactionalId: found.transactionalId,
    producerId: found.producerId,
    producerEpoch: found.producerEpoch,
    state: found.transactionState,
    coordinator,
    timeoutMs: found.transactionTimeoutMs,
    startTimeMs: startTimeMs < 0 ? null : startTimeMs,
    partitions: found.topics.map(({ topic, partitions }) => ({ topic, partitions })),
  };
}
