/**
 * A producer that reads, processes and writes in transactions, as a client of the broker does: it
 * takes up at the committed offset, writes what it makes of the next records, and commits the
 * outputs and the offset together. Any error that it cannot get over ends it; another one follows.
 */
import { produceHandler } from "../../broker/handlers/00-produce.ts";
import { offsetFetchHandler } from "../../broker/handlers/09-offset-fetch.ts";
import { initProducerIdHandler } from "../../broker/handlers/22-init-producer-id.ts";
import { addPartitionsToTxnHandler } from "../../broker/handlers/24-add-partitions-to-txn.ts";
import { addOffsetsToTxnHandler } from "../../broker/handlers/25-add-offsets-to-txn.ts";
import { endTxnHandler } from "../../broker/handlers/26-end-txn.ts";
import { txnOffsetCommitHandler } from "../../broker/handlers/28-txn-offset-commit.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import type { BrokerWorld } from "./broker-world.ts";
import type { TransactionModel } from "./transaction-model.ts";

/** Topics of the chain; a worker has the partition of its number in `INPUT`. */
export const INPUT = "input";
export const OUTPUT = "output";
export const GROUP = "chain";

/** How one worker works. */
export interface WorkerOptions {
  readonly worker: number;
  /** Whether the epoch is bumped with each transaction (KIP-890), or partitions are added first. */
  readonly bumps: boolean;
  readonly abortPercent: number;
  readonly batchMax: number;
  readonly outputs: number;
  readonly timeoutMs: number;
  /** The end of the worker's input. */
  readonly inputEnd: number;
}

/** An error that this worker does not get over. */
class GaveUp extends Error {
  override readonly name = "GaveUp";
}

const RETRIABLE: ReadonlySet<number> = new Set([
  Errors.CONCURRENT_TRANSACTIONS,
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
  Errors.COORDINATOR_NOT_AVAILABLE,
  Errors.UNSTABLE_OFFSET_COMMIT,
  Errors.NOT_ENOUGH_REPLICAS,
  Errors.REQUEST_TIMED_OUT,
]);
const ATTEMPTS = 50;

/** See the head of this file. */
export class TransactionWorker {
  readonly #call: ReturnType<BrokerWorld["connect"]>;
  readonly #id: string;
  #producerId = -1n;
  #epoch = -1;
  readonly #sequences = new Map<number, number>();

  constructor(
    readonly world: BrokerWorld,
    readonly model: TransactionModel,
    readonly options: WorkerOptions,
  ) {
    this.#call = world.connect();
    this.#id = `worker-${options.worker}`;
  }

  /** Works until the input is at its end, `rounds` are done or something is in its way. */
  async run(rounds: number): Promise<void> {
    try {
      await this.#init();
      let offset = await this.#committed();
      for (let round = 0; round < rounds && offset < this.options.inputEnd; round++) {
        offset = await this.#transaction(offset);
      }
    } catch (error) {
      if (!(error instanceof GaveUp) && (error as Error).name !== "CrashedError") throw error;
    }
  }

  async #transaction(offset: number): Promise<number> {
    const { random } = this.world;
    const { worker, batchMax, inputEnd, outputs, abortPercent } = this.options;
    const number = this.model.begin(worker);
    const end = Math.min(inputEnd, offset + random.between(1, batchMax));
    for (let source = offset; source < end; source++) {
      await this.#send(random.below(outputs), this.model.write(number, source));
      if (random.chance(5)) await sleep(this.world.clock, random.between(1, 8_000));
    }
    await this.#commitOffset(end);
    const commits = !random.chance(abortPercent);
    // Should the answer be lost, nobody knows.
    this.model.end(number, "unknown");
    await this.#end(commits);
    this.model.end(number, commits ? "committed" : "aborted");
    return commits ? end : offset;
  }

  async #init(): Promise<void> {
    const answer = await this.#retry(async () => {
      const answer = await this.#call(initProducerIdHandler, 5, {
        transactionalId: this.#id,
        transactionTimeoutMs: this.options.timeoutMs,
      });
      return [answer.errorCode, answer] as const;
    });
    this.#producerId = answer.producerId;
    this.#epoch = answer.producerEpoch;
    this.#sequences.clear();
  }

  async #committed(): Promise<number> {
    const { worker } = this.options;
    const offset = await this.#retry(async () => {
      const topics = [{ name: INPUT, partitionIndexes: [worker] }];
      const answer = await this.#call(offsetFetchHandler, 9, {
        requireStable: true,
        groups: [{ groupId: GROUP, topics }],
      });
      const group = answer.groups[0]!;
      const partition = group.topics[0]?.partitions[0];
      return [group.errorCode || (partition?.errorCode ?? 0), partition?.committedOffset] as const;
    });
    return Math.max(0, Number(offset ?? -1n));
  }

  async #send(partition: number, value: string): Promise<void> {
    const { bumps } = this.options;
    if (!bumps) await this.#addPartition(partition);
    const sequence = this.#sequences.get(partition) ?? 0;
    const builder = new BatchBuilder({
      producerId: Number(this.#producerId),
      producerEpoch: this.#epoch,
      baseSequence: sequence,
      transactional: true,
    });
    builder.append(this.world.clock.wallMs(), null, new TextEncoder().encode(value));
    const records = builder.build();
    await this.#retry(async () => {
      const answer = await this.#call(produceHandler, bumps ? 12 : 11, {
        transactionalId: this.#id,
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{ name: OUTPUT, partitionData: [{ index: partition, records }] }],
      });
      return [answer.responses[0]!.partitionResponses[0]!.errorCode, null] as const;
    });
    this.#sequences.set(partition, sequence + 1);
  }

  async #addPartition(partition: number): Promise<void> {
    await this.#retry(async () => {
      const answer = await this.#call(addPartitionsToTxnHandler, 3, {
        v3AndBelowTransactionalId: this.#id,
        v3AndBelowProducerId: this.#producerId,
        v3AndBelowProducerEpoch: this.#epoch,
        v3AndBelowTopics: [{ name: OUTPUT, partitions: [partition] }],
      });
      const [topic] = answer.resultsByTopicV3AndBelow;
      return [topic!.resultsByPartition[0]!.partitionErrorCode, null] as const;
    });
  }

  async #commitOffset(offset: number): Promise<void> {
    const { bumps, worker } = this.options;
    const identity = {
      transactionalId: this.#id,
      producerId: this.#producerId,
      producerEpoch: this.#epoch,
      groupId: GROUP,
    };
    if (!bumps) {
      await this.#retry(async () => [
        (await this.#call(addOffsetsToTxnHandler, 3, identity)).errorCode,
        null,
      ]);
    }
    const partition = { partitionIndex: worker, committedOffset: BigInt(offset) };
    await this.#retry(async () => {
      const answer = await this.#call(txnOffsetCommitHandler, bumps ? 5 : 4, {
        ...identity,
        topics: [{ name: INPUT, partitions: [{ ...partition, committedMetadata: null }] }],
      });
      return [answer.topics[0]!.partitions[0]!.errorCode, null] as const;
    });
  }

  async #end(committed: boolean): Promise<void> {
    const { bumps } = this.options;
    const answer = await this.#retry(async () => {
      const answer = await this.#call(endTxnHandler, bumps ? 5 : 4, {
        transactionalId: this.#id,
        producerId: this.#producerId,
        producerEpoch: this.#epoch,
        committed,
      });
      return [answer.errorCode, answer] as const;
    });
    if (!bumps) return;
    this.#producerId = answer.producerId;
    this.#epoch = answer.producerEpoch;
    this.#sequences.clear();
  }

  /** Asks again as long as the answer says that it may be better then. */
  async #retry<T>(ask: () => Promise<readonly [number, T]>): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const [error, value] = await ask();
      if (error === Errors.NONE) return value;
      if (!RETRIABLE.has(error)) throw new GaveUp(`error ${error}`);
      await sleep(this.world.clock, 20);
    }
    throw new GaveUp("too many attempts");
  }
}
