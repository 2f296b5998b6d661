/** Takes records of a source to the producer's batches: transformed, converted, topics made. */
import type { Producer, TopicWriter } from "../../client/producer.ts";
import type { DeliveryCallback } from "../../client/producer/batch.ts";
import { plainJson } from "../data/plain-json.ts";
import type { SourceRecord } from "../data/record.ts";
import type { ErrorPolicy } from "./error-policy.ts";
import { encodeRecord, StageError } from "./pipeline.ts";
import type { EncodedRecord, Pipeline } from "./pipeline.ts";
import type { RefusedRecord } from "./dead-letters.ts";

/** Makes topics before their first record (KIP-158). */
export interface TopicMaker {
  /** Resolves when the topic may be written to. Throws `KafkaError`. */
  ensure(topic: string): Promise<void>;
}

/** See the head of the file. */
export class RecordSender {
  readonly #writers = new Map<string, TopicWriter>();

  constructor(
    readonly pipeline: Pipeline,
    readonly producer: Producer,
    readonly topics: TopicMaker,
    readonly policy: ErrorPolicy,
  ) {}

  /**
   * Appends a record; `settled` hears what became of it, with `token`. False: it was dropped by a transform or left
   * out, and nothing will be heard. A promise only where something has to be waited for: room, a
   * topic, another attempt. Throws and rejects with what fails the task.
   */
  send(record: SourceRecord, settled: DeliveryCallback, token: number): boolean | Promise<boolean> {
    let encoded: EncodedRecord | null;
    try {
      encoded = encodeRecord(this.pipeline, record);
    } catch (error) {
      return this.#again(record, settled, token, error);
    }
    if (encoded === null) return false;
    const writer = this.#writers.get(encoded.topic);
    if (writer !== undefined && this.#append(writer, encoded, settled, token)) return true;
    return this.#patiently(encoded, settled, token);
  }

  /** Brokers refuse this record, and would for ever. Rejects with what fails the task. */
  async refused(record: SourceRecord, error: Error): Promise<void> {
    await this.policy.refuse(refusedOf(record), "KAFKA_PRODUCE", error);
  }

  async #again(
    record: SourceRecord,
    settled: DeliveryCallback,
    token: number,
    first: unknown,
  ): Promise<boolean> {
    let failure: unknown = first;
    try {
      const encoded = await this.policy.attempt(() => {
        if (failure !== null) {
          const error = failure;
          failure = null;
          throw error;
        }
        return encodeRecord(this.pipeline, record);
      });
      return encoded === null ? false : await this.#patiently(encoded, settled, token);
    } catch (error) {
      if (!(error instanceof StageError)) throw error;
      await this.policy.refuse(refusedOf(record), error.stage, error.cause);
      return false;
    }
  }

  async #patiently(
    record: EncodedRecord,
    settled: DeliveryCallback,
    token: number,
  ): Promise<boolean> {
    const writer = this.#writers.get(record.topic) ?? await this.#open(record.topic);
    while (!this.#append(writer, record, settled, token)) await this.producer.room();
    return true;
  }

  #append(
    writer: TopicWriter,
    record: EncodedRecord,
    settled: DeliveryCallback,
    token: number,
  ): boolean {
    const timestampMs = record.timestampMs ?? this.producer.cluster.io.clock.wallMs();
    const { partition, key, value, headers } = record;
    return writer.append(partition, timestampMs, key, value, headers, settled, token) >= 0;
  }

  async #open(topic: string): Promise<TopicWriter> {
    await this.topics.ensure(topic);
    const writer = await this.producer.topic(topic);
    this.#writers.set(topic, writer);
    return writer;
  }
}

const encoder = new TextEncoder();

/** A record that was read and could not be written: as JSON, with what it was read of. */
function refusedOf(record: SourceRecord): RefusedRecord {
  const { topic, timestampMs, sourcePartition, sourceOffset } = record;
  return {
    topic,
    partition: null,
    offset: null,
    timestampMs: timestampMs ?? -1,
    key: record.key === null ? null : json(record.key),
    value: json(record.value),
    headers: [
      ["__connect.source.partition", json(sourcePartition)],
      ["__connect.source.offset", json(sourceOffset)],
    ],
  };
}

function json(value: unknown): Uint8Array {
  return encoder.encode(plainJson(value));
}
