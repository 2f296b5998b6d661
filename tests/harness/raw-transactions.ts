/** Transactions left open on purpose, which no client library would do, frame by frame. */
import { Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { initProducerId } from "../../core/protocol/22-init-producer-id.ts";
import { addPartitionsToTxn } from "../../core/protocol/24-add-partitions-to-txn.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { RawClient } from "./raw-client.ts";

/** What to leave open. */
export interface OpenedTransaction {
  readonly transactionalId: string;
  readonly topic: string;
  readonly partition: number;
  /** How many records it writes. */
  readonly records: number;
  /**
   * Whether the coordinator is told of the partition. If not, the transaction hangs; the brokers
   * let that happen with `transaction.partition.verification.enable=false` only.
   */
  readonly known: boolean;
  /** How old its records say that they are; default 0. */
  readonly ageMs?: number;
}

/** Begins a transaction, writes records, and goes. Returns its producer id. */
export async function leaveOpen(port: number, opened: OpenedTransaction): Promise<bigint> {
  const { transactionalId, topic, partition, ageMs = 0 } = opened;
  const client = await RawClient.connect(port);
  try {
    await retry("find", async () => {
      const request = { keyType: 1, coordinatorKeys: [transactionalId] };
      return (await client.request(findCoordinator, 4, request)).coordinators[0]?.errorCode;
    });
    let producerId = -1n;
    let producerEpoch = -1;
    await retry("init", async () => {
      const request = { transactionalId, transactionTimeoutMs: 60_000 };
      const answer = await client.request(initProducerId, 4, request);
      ({ producerId, producerEpoch } = answer);
      return answer.errorCode;
    });
    if (opened.known) {
      await retry("add", async () => {
        const answer = await client.request(addPartitionsToTxn, 3, {
          v3AndBelowTransactionalId: transactionalId,
          v3AndBelowProducerId: producerId,
          v3AndBelowProducerEpoch: producerEpoch,
          v3AndBelowTopics: [{ name: topic, partitions: [partition] }],
        });
        return answer.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode;
      });
    }
    const records = batchOf(opened.records, Number(producerId), producerEpoch, Date.now() - ageMs);
    await retry("produce", async () => {
      const answer = await client.request(produce, 11, {
        transactionalId,
        acks: -1,
        timeoutMs: 10_000,
        topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
      });
      return answer.responses[0]?.partitionResponses[0]?.errorCode;
    });
    return producerId;
  } finally {
    client.close();
  }
}

function batchOf(
  count: number,
  producerId: number,
  producerEpoch: number,
  timestampMs: number,
): Uint8Array {
  const builder = new BatchBuilder({
    sizeHintBytes: 64,
    producerId,
    producerEpoch,
    baseSequence: 0,
    transactional: true,
  });
  const value = new TextEncoder().encode("open");
  for (let i = 0; i < count; i++) builder.append(timestampMs, null, value);
  return builder.build();
}

/** Coordinators may be loading, and the last transaction still be ending. */
async function retry(what: string, ask: () => Promise<number | undefined>): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const code = await ask();
    if (code === Errors.NONE) return;
    if (Date.now() > deadline) throw new Error(`${what} failed with ${code}`);
    await Bun.sleep(50);
  }
}
