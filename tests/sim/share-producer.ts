/**
 * Writes the records of a share group's topic, plainly or in transactions. Each is sent once: what
 * is not acknowledged may be there or not.
 */
import { produceHandler } from "../../broker/handlers/00-produce.ts";
import { initProducerIdHandler } from "../../broker/handlers/22-init-producer-id.ts";
import { endTxnHandler } from "../../broker/handlers/26-end-txn.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { BatchBuilder, type BatchOptions } from "../../core/records/batch-builder.ts";
import { type BrokerWorld, type Call, CrashedError } from "./broker-world.ts";
import { TOPIC } from "./share-member.ts";
import type { ShareModel } from "./share-model.ts";

/** What it writes. */
export interface ShareProducerOptions {
  readonly partitions: number;
  readonly transactionPercent: number;
  readonly abortPercent: number;
}

/** Records that were acknowledged. */
interface Sent {
  readonly partition: number;
  readonly baseOffset: number;
  readonly values: readonly string[];
}

/** A producer id in its epoch. */
interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

const RECORDS_MAX = 8;
const BATCHES_MAX = 3;
/** One that is left open holds up readers of what is committed for so long. */
const TRANSACTION_TIMEOUT_MS = 5_000;
const ATTEMPTS = 20;

/** See the head of this file. */
export class ShareProducer {
  /** Records that were sent so far; their values are their numbers. */
  produced = 0;

  constructor(
    readonly world: BrokerWorld,
    readonly model: ShareModel,
    readonly options: ShareProducerOptions,
  ) {}

  /** Sends a few records; a process that goes meanwhile is no failure. */
  async send(): Promise<void> {
    const { random } = this.world;
    try {
      if (random.chance(this.options.transactionPercent)) await this.#transaction();
      else await this.sendTo(random.below(this.options.partitions), random.between(1, RECORDS_MAX));
    } catch (error) {
      if (!(error instanceof CrashedError)) throw error;
    }
  }

  /** A batch outside of transactions. */
  async sendTo(partition: number, count: number): Promise<void> {
    const values = this.#values(count);
    const sent = await this.#send(this.world.connect(), partition, values, {}, null);
    if (sent !== null) this.#noteThere(sent);
  }

  async #transaction(): Promise<void> {
    const { random, clock } = this.world;
    const { partitions, abortPercent } = this.options;
    const call = this.world.connect();
    const transactionalId = `producer-${random.below(2)}`;
    const producer = await this.#init(call, transactionalId);
    if (producer === null) return;
    const sequences = new Map<number, number>();
    const sent: Sent[] = [];
    const batches = random.between(1, BATCHES_MAX);
    for (let batch = 0; batch < batches; batch++) {
      const partition = random.below(partitions);
      const values = this.#values(random.between(1, RECORDS_MAX));
      const baseSequence = sequences.get(partition) ?? 0;
      sequences.set(partition, baseSequence + values.length);
      const options = {
        producerId: Number(producer.producerId),
        producerEpoch: producer.producerEpoch,
        baseSequence,
        transactional: true,
      };
      const done = await this.#send(call, partition, values, options, transactionalId);
      if (done === null) return;
      sent.push(done);
      if (random.chance(20)) await sleep(clock, random.between(1, TRANSACTION_TIMEOUT_MS));
    }
    const committed = !random.chance(abortPercent);
    if (!await this.#end(call, transactionalId, producer, committed)) return;
    for (const each of sent) {
      if (committed) this.#noteThere(each);
      else this.model.aborted(each.values);
    }
  }

  #values(count: number): string[] {
    return Array.from({ length: count }, () => `${this.produced++}`);
  }

  #noteThere({ partition, baseOffset, values }: Sent): void {
    values.forEach((value, index) => this.model.produced(partition, baseOffset + index, value));
  }

  async #send(
    call: Call,
    partition: number,
    values: readonly string[],
    options: BatchOptions,
    transactionalId: string | null,
  ): Promise<Sent | null> {
    const { clock } = this.world;
    const builder = new BatchBuilder(options);
    for (const value of values) {
      builder.append(clock.wallMs(), null, new TextEncoder().encode(value));
    }
    const records = builder.build();
    const answer = await call(produceHandler, 12, {
      transactionalId,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: TOPIC, partitionData: [{ index: partition, records }] }],
    });
    const { errorCode, baseOffset } = answer.responses[0]!.partitionResponses[0]!;
    if (errorCode !== Errors.NONE) return null;
    return { partition, baseOffset: Number(baseOffset), values };
  }

  async #init(call: Call, transactionalId: string): Promise<Producer | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const answer = await call(initProducerIdHandler, 5, {
        transactionalId,
        transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
      });
      if (answer.errorCode === Errors.NONE) return answer;
      await sleep(this.world.clock, 100);
    }
    return null;
  }

  /** Whether it is known to have ended so. */
  async #end(
    call: Call,
    transactionalId: string,
    producer: Producer,
    committed: boolean,
  ): Promise<boolean> {
    const answer = await call(endTxnHandler, 5, { transactionalId, ...producer, committed });
    return answer.errorCode === Errors.NONE;
  }
}
