/**
 * Transactions over the wire, one small record each, by some producers at once: Produce (which adds
 * the partition, KIP-890), then EndTxn. As a program of its own:
 * `bun bench/transaction-load.ts BOOTSTRAP TOPIC PARTITIONS PRODUCERS PER_SECOND SECONDS` prints
 * JSON. PER_SECOND 0 is as fast as it goes; else transactions are begun on time, and a late one
 * counts from when it was due.
 */
import { produce } from "../core/protocol/00-produce.ts";
import { findCoordinator } from "../core/protocol/10-find-coordinator.ts";
import { initProducerId } from "../core/protocol/22-init-producer-id.ts";
import { endTxn } from "../core/protocol/26-end-txn.ts";
import { Connection } from "../core/connection.ts";
import { Errors } from "../core/errors.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { percentiles } from "./percentiles.ts";

const RECORD_BYTES = 100;
const WARM_MS = 2000;
const RETRY_MS = 1;
/** A broker that is not ready for one transaction for so long never will be. */
const PATIENCE_MS = 30_000;
/** The highest version by topic name. */
const PRODUCE_VERSION = 12;
const RETRIABLE: readonly number[] = [
  Errors.CONCURRENT_TRANSACTIONS,
  Errors.COORDINATOR_NOT_AVAILABLE,
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
  Errors.NOT_COORDINATOR,
  Errors.NOT_LEADER_OR_FOLLOWER,
  Errors.UNKNOWN_TOPIC_OR_PARTITION,
];

/** One transactional producer on a connection of its own. */
class TransactionalProducer {
  #producerId = -1n;
  #epoch = -1;
  #sequence = 0;

  constructor(
    private readonly connection: Connection,
    private readonly id: string,
    private readonly topic: string,
    private readonly partition: number,
  ) {}

  async init(): Promise<void> {
    await this.#untilDone(async () => {
      const { coordinators } = await this.connection.request(findCoordinator, {
        keyType: 1,
        coordinatorKeys: [this.id],
      });
      return coordinators[0].errorCode;
    });
    await this.#untilDone(async () => {
      const response = await this.connection.request(initProducerId, {
        transactionalId: this.id,
        transactionTimeoutMs: 60_000,
      }, { maxVersion: 5 });
      this.#producerId = response.producerId;
      this.#epoch = response.producerEpoch;
      return response.errorCode;
    });
  }

  /** One transaction; how long its commit took, in milliseconds. */
  async run(): Promise<number> {
    const records = this.#batch();
    await this.#untilDone(async () => {
      const response = await this.connection.request(produce, {
        transactionalId: this.id,
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{
          name: this.topic,
          partitionData: [{ index: this.partition, records: records.slice() }],
        }],
      }, { maxVersion: PRODUCE_VERSION });
      return response.responses[0].partitionResponses[0].errorCode;
    });
    const startMs = performance.now();
    await this.#untilDone(async () => {
      const response = await this.connection.request(endTxn, {
        transactionalId: this.id,
        producerId: this.#producerId,
        producerEpoch: this.#epoch,
        committed: true,
      }, { maxVersion: 5 });
      if (response.errorCode === Errors.NONE && response.producerId >= 0n) {
        this.#sequence = 0;
        this.#producerId = response.producerId;
        this.#epoch = response.producerEpoch;
      }
      return response.errorCode;
    });
    return performance.now() - startMs;
  }

  #batch(): Uint8Array {
    const builder = new BatchBuilder({
      producerId: Number(this.#producerId),
      producerEpoch: this.#epoch,
      baseSequence: this.#sequence++,
      transactional: true,
    });
    builder.append(Date.now(), null, new Uint8Array(RECORD_BYTES));
    return builder.build();
  }

  async #untilDone(attempt: () => Promise<number>): Promise<void> {
    const sinceMs = performance.now();
    for (;;) {
      const error = await attempt();
      if (error === Errors.NONE) return;
      const isLate = performance.now() - sinceMs > PATIENCE_MS;
      if (isLate || !RETRIABLE.includes(error)) throw new Error(`${this.id}: error ${error}`);
      await Bun.sleep(RETRY_MS);
    }
  }
}

async function main(args: readonly string[]): Promise<void> {
  const [bootstrap = "", topic = "", ...numbers] = args;
  const [partitions = 1, count = 1, perSecond = 0, seconds = 1] = numbers.map(Number);
  const [host = "", port = ""] = bootstrap.split(":");
  const io = bunIo();
  const producers = await Promise.all(Array.from({ length: count }, async (_, index) => {
    const connection = await Connection.open(io, { host, port: Number(port) }, {
      clientId: "transactions",
    });
    const id = `${topic}-${index}-${process.pid}`;
    const producer = new TransactionalProducer(connection, id, topic, index % partitions);
    await producer.init();
    return producer;
  }));
  const commitsMs: number[] = [];
  const transactionsMs: number[] = [];
  const startMs = performance.now();
  const endMs = startMs + WARM_MS + seconds * 1000;
  await Promise.all(producers.map(async (producer, index) => {
    const everyMs = perSecond === 0 ? 0 : 1000 * count / perSecond;
    for (let turn = 0; performance.now() < endMs; turn++) {
      const dueMs = startMs + (turn + index / count) * everyMs;
      if (everyMs > 0) await Bun.sleep(Math.max(0, dueMs - performance.now()));
      const fromMs = everyMs > 0 ? dueMs : performance.now();
      const commitMs = await producer.run();
      if (fromMs < startMs + WARM_MS) continue;
      commitsMs.push(commitMs);
      transactionsMs.push(performance.now() - fromMs);
    }
  }));
  console.log(JSON.stringify({
    perSecond: commitsMs.length / seconds,
    commit: percentiles(commitsMs),
    transaction: percentiles(transactionsMs),
  }));
  process.exit(0);
}

await main(process.argv.slice(2));
