/**
 * Writes batches that exist already, as they are, in the order of each partition and each just once
 * (idempotence, KIP-98): for copies of topics. Up to five batches of a partition fly at a time, as
 * many as a broker remembers; after trouble all of them go out again under their old sequences.
 */
import { Errors } from "../core/errors.ts";
import { produce } from "../core/protocol/00-produce.ts";
import { initProducerId } from "../core/protocol/22-init-producer-id.ts";
import { addSequence, recordsCount } from "../core/records/batch-header.ts";
import type { CopyProducer } from "../core/records/copy-batch.ts";
import type { Cluster } from "./cluster.ts";
import { ConnectionError, KafkaError, throwOnError, UnsupportedError } from "./errors.ts";
import type { OperationOptions } from "./options.ts";

/** Batches of a partition whose sequences a broker remembers (Java's `ProducerStateEntry`). */
export const BATCHES_IN_FLIGHT = 5;

/** Makes a batch of this producer. */
export type MakeBatch = (producer: CopyProducer) => Uint8Array;

interface Identity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** See the head of the file. For one topic; `write` once at a time per partition. */
export class BatchWriter {
  readonly #sequences = new Map<number, number>();

  private constructor(
    readonly cluster: Cluster,
    readonly topic: string,
    readonly identity: Identity,
  ) {}

  /** Gets a producer id. */
  static async open(
    cluster: Cluster,
    topic: string,
    options: OperationOptions = {},
  ): Promise<BatchWriter> {
    const subject = "get a producer id";
    const identity = await cluster.retry(subject, async ({ timeoutMs }) => {
      const response = await cluster.ask(initProducerId, {
        transactionalId: null,
        transactionTimeoutMs: 0,
      }, { timeoutMs, signal: options.signal });
      throwOnError(response.errorCode, subject);
      return { producerId: Number(response.producerId), producerEpoch: response.producerEpoch };
    }, options);
    return new BatchWriter(cluster, topic, identity);
  }

  /**
   * Writes up to `BATCHES_IN_FLIGHT` batches behind what was written before; resolves when all are
   * acknowledged by all in-sync replicas. Throws what will not pass.
   */
  async write(
    partition: number,
    makers: readonly MakeBatch[],
    options: OperationOptions = {},
  ): Promise<void> {
    let sequence = this.#sequences.get(partition) ?? 0;
    const batches = makers.map((make) => {
      const batch = make({ ...this.identity, baseSequence: sequence });
      sequence = addSequence(sequence, recordsCount(batch, 0));
      return batch;
    });
    this.#sequences.set(partition, sequence);
    let waiting = batches;
    await this.cluster.retry(`write to ${this.topic}-${partition}`, async ({ timeoutMs }) => {
      const results = await this.#send(partition, waiting, timeoutMs, options.signal);
      const failed = results.findIndex((error) => error !== null);
      if (failed < 0) return;
      waiting = waiting.slice(failed);
      throw results[failed];
    }, { ...options, onRetry: () => this.cluster.forgetTopic(this.topic) });
  }

  /** What each came to, null for stored. */
  async #send(
    partition: number,
    batches: readonly Uint8Array[],
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<(Error | null)[]> {
    const { cluster, topic } = this;
    const metadata = await cluster.topic(topic, signal === undefined ? {} : { signal });
    const leader = metadata.partitions[partition]?.leader;
    const where = `partition ${topic}-${partition}`;
    if (leader === undefined) throw new UnsupportedError(`there is no ${where}`);
    if (leader < 0) throw new KafkaError(Errors.LEADER_NOT_AVAILABLE, where);
    const connection = await cluster.broker(leader, "main", signal);
    const { topicId } = metadata;
    const isMoot = () => cluster.leaderOf(topic, partition) !== leader;
    return await Promise.all(batches.map(async (records) => {
      try {
        const response = await connection.request(produce, {
          acks: -1,
          timeoutMs,
          topicData: [{
            name: topic,
            ...(topicId === null ? {} : { topicId }),
            partitionData: [{ index: partition, records }],
          }],
        }, {
          timeoutMs: 2 * timeoutMs,
          maxVersion: topicId === null ? 12 : produce.maxVersion,
          isMoot,
        });
        const answer = response.responses[0]?.partitionResponses[0];
        const code = answer?.errorCode ?? Errors.UNKNOWN_SERVER_ERROR;
        if (code === Errors.NONE || code === Errors.DUPLICATE_SEQUENCE_NUMBER) return null;
        const detail = answer?.recordErrors[0]?.batchIndexErrorMessage ?? answer?.errorMessage;
        return new KafkaError(code, `write to ${where}`, detail ?? null);
      } catch (error) {
        if (error instanceof KafkaError || error instanceof ConnectionError) return error;
        throw error;
      }
    }));
  }
}
