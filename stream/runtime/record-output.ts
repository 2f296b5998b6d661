/**
 * Where tasks of a member write: a producer. Processing does not wait, so what the producer cannot take
 * now is kept here, in its order, and no task goes on before `drain` has brought it all under way.
 */
import { isRetriableError } from "../../client/errors.ts";
import type { OperationOptions } from "../../client/options.ts";
import type { BatchReport, Producer, TopicWriter } from "../../client/producer.ts";
import type { Output, OutputRecord } from "../task/task.ts";

/** Hears of a record that brokers have refused. True: it is left out, all else goes on. */
export type RefusedRecord = (record: OutputRecord, error: Error) => boolean;

/** See the head of the file. */
export class RecordOutput implements Output {
  /** How many records were sent. */
  sent = 0;
  readonly #writers = new Map<string, TopicWriter>();
  #waiting: OutputRecord[] = [];
  #failure: Error | null = null;
  #isGivenUp = false;
  /** By topic and partition: the offset behind the last record that was acknowledged. */
  readonly #ends = new Map<string, bigint>();

  /**
   * `producer` reports its batches to `onBatch`. `refused` null: a record that is refused is a failure
   * of all.
   */
  constructor(
    private readonly producer: Producer,
    private readonly refused: RefusedRecord | null,
  ) {}

  send(record: OutputRecord): void {
    this.sent++;
    const writer = this.#waiting.length > 0 ? undefined : this.#writers.get(record.topic);
    if (writer === undefined || !this.#append(writer, record)) this.#waiting.push(record);
  }

  /** Nothing more is to be processed before `drain`. */
  get isFull(): boolean {
    return this.#waiting.length > 0;
  }

  /** The offset behind the last record of a partition that was acknowledged; null: none that is known. */
  endOf(topic: string, partition: number): bigint | null {
    return this.#ends.get(`${topic}/${partition}`) ?? null;
  }

  /** Knows a topic before anything is written to it. Throws where there is none. */
  async open(topic: string, options: OperationOptions = {}): Promise<void> {
    if (this.#writers.has(topic)) return;
    this.#writers.set(topic, await this.producer.topic(topic, options));
  }

  /** Brings what waits into the producer. */
  async drain(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      await this.open(next.topic);
      while (next !== undefined && this.#writers.get(next.topic) !== undefined) {
        if (!this.#append(this.#writers.get(next.topic)!, next)) break;
        this.#waiting.shift();
        next = this.#waiting[0];
      }
      if (next !== undefined) await this.producer.room();
    }
  }

  /** Waits until all is acknowledged. Throws where something was given up. */
  async settle(): Promise<void> {
    await this.drain();
    await this.producer.flush();
    this.throwFailure();
  }

  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Forgets what waits and what has failed. */
  reset(): void {
    this.#waiting = [];
    this.#failure = null;
  }

  /** Nothing that is still to be written will be: who waits for it hears why, and nobody of single records. */
  giveUp(reason: Error): void {
    this.#isGivenUp = true;
    this.#failure = reason;
  }

  onBatch({ topic, partition, baseOffset, recordCount, error }: BatchReport): void {
    if (error === null) {
      if (baseOffset < 0n) return;
      this.#ends.set(`${topic}/${partition}`, baseOffset + BigInt(recordCount));
    } else if (this.refused === null) this.#failure ??= error;
  }

  #append(writer: TopicWriter, record: OutputRecord): boolean {
    const { partition, timestampMs, key, value, headers } = record;
    const wanted = typeof partition === "function" ? partition(writer.partitionCount) : partition;
    // Nothing per record is kept unless somebody wants to hear of each.
    const heard = this.refused === null ? undefined : (error: Error | null) => {
      if (this.#isGivenUp) return;
      if (error !== null && !this.#isLeftOut(record, error)) this.#failure ??= error;
    };
    return writer.append(wanted ?? -1, timestampMs, key, value, headers, heard) >= 0;
  }

  #isLeftOut(record: OutputRecord, error: Error): boolean {
    return !isRetriableError(error) && this.refused!(record, error);
  }
}
