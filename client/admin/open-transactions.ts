/** Open transactions in partitions, and whether a coordinator still knows of them. */
import { Errors } from "../../core/errors.ts";
import type { ActiveProducer, Admin } from "../admin.ts";
import { KafkaError } from "../errors.ts";
import type { TopicPartitions } from "../group-protocol.ts";

/** A transaction that is open in a partition. */
export interface OpenTransaction {
  readonly producer: ActiveProducer;
  readonly startOffset: number;
  /** Whose transaction it is; null where no coordinator knows of it, so that it hangs. */
  readonly transactionalId: string | null;
}

/** How many partitions are asked about at a time. */
const PARTITIONS_AT_ONCE = 500;

/**
 * The transactions that are open in these partitions and whose last record is older than `idleMs`.
 * One hangs if no transactional id has its producer, or the one that does is not in a transaction
 * with this partition (Kafka's TransactionsCommand).
 */
export async function findOpenTransactions(
  admin: Admin,
  partitions: readonly TopicPartitions[],
  idleMs: number,
  nowMs: number,
): Promise<OpenTransaction[]> {
  const single = partitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partitions: [partition] }))
  );
  const open: ActiveProducer[] = [];
  for (let from = 0; from < single.length; from += PARTITIONS_AT_ONCE) {
    const asked = single.slice(from, from + PARTITIONS_AT_ONCE);
    const producers = await admin.transactions.producers(asked);
    open.push(
      ...producers.filter(({ txnStartOffset, lastTimestampMs }) =>
        txnStartOffset !== null && nowMs - lastTimestampMs >= idleMs
      ),
    );
  }
  const owners = await findOwners(admin, open);
  return open.map((producer) => ({
    producer,
    startOffset: Number(producer.txnStartOffset),
    transactionalId: owners.get(`${producer.producerId}/${producer.topic}:${producer.partition}`) ??
      null,
  }));
}

/** All partitions that have a leader, also of internal topics. */
export async function servedPartitions(admin: Admin): Promise<TopicPartitions[]> {
  const topics = await admin.listTopics({ internal: true });
  return topics.map(({ name, partitions }) => ({
    topic: name,
    partitions: partitions.filter(({ leader }) => leader >= 0).map(({ partition }) => partition),
  }));
}

/** Transactional ids by producer id and partition that their running transaction has. */
async function findOwners(
  admin: Admin,
  producers: readonly ActiveProducer[],
): Promise<Map<string, string>> {
  const owners = new Map<string, string>();
  if (producers.length === 0) return owners;
  const producerIds = [...new Set(producers.map(({ producerId }) => producerId))];
  for (const { transactionalId, producerId } of await admin.transactions.list({ producerIds })) {
    try {
      const { partitions } = await admin.transactions.describe(transactionalId);
      for (const { topic, partitions: indexes } of partitions) {
        for (const partition of indexes) {
          owners.set(`${producerId}/${topic}:${partition}`, transactionalId);
        }
      }
    } catch (error) {
      // It may just have been forgotten.
      const isGone = error instanceof KafkaError &&
        error.code === Errors.TRANSACTIONAL_ID_NOT_FOUND;
      if (!isGone) throw error;
    }
  }
  return owners;
}

/** An open transaction as JSON. */
export function openTransactionJson({ producer, startOffset, transactionalId }: OpenTransaction) {
  return {
    topic: producer.topic,
    partition: producer.partition,
    startOffset,
    producerId: Number(producer.producerId),
    producerEpoch: producer.producerEpoch,
    coordinatorEpoch: producer.coordinatorEpoch,
    lastTimestampMs: producer.lastTimestampMs,
    transactionalId,
  };
}
