/**
 * Where tasks of a member write: a producer. Processing does not wait, so what the producer cannot take
 * now is kept here, in its order, and no task goes on before `drain` has brought it all under way.
 */
import { isRetriableError } from "../../client/errors.ts";
import type { OperationOptions } from "../../client/options.ts";
import type { BatchReport, Producer, TopicWriter } from "../../client/producer.ts";
import type { Output, OutputRecord } from "../task/task.ts";
import { isRefusal } from "./producer-errors.ts";

/** What becomes of records that brokers refuse. */
export interface Refusals {
  /** Leaves a record out, so that all else goes on; null: it is a failure of all. */
  readonly leaveOut: ((record: OutputRecord, error: Error) => void) | null;
  /** So many records of a sink were refused. */
  count(node: string, records: number): void;
}

/** The way into a topic. */
interface Way {
  readonly writer: TopicWriter;
  /** The sink that has written to it first; null: none has. */
  node: string | null;
}

/** The offset behind the last record of a partition that was acknowledged; null: none was. */
export type EndOf = (topic: string, partition: number) => bigint | null;

/** See the head of the file. */
export class RecordOutput implements Output {
  /** How many records were sent. */
  sent = 0;
  readonly #ways = new Map<string, Way>();
  #waiting: OutputRecord[] = [];
  #failure: Error | null = null;
  #isGivenUp = false;
  /** By topic and partition, since `takeEnds`: the offset behind the last one that was acknowledged. */
  #ends = new Map<string, bigint>();

  /** `producer` reports its batches to `onBatch`. */
  constructor(private readonly producer: Producer, private readonly refusals: Refusals) {}

  send(record: OutputRecord): void {
    this.sent++;
    const way = this.#waiting.length > 0 ? undefined : this.#ways.get(record.topic);
    if (way === undefined || !this.#append(way, record)) this.#waiting.push(record);
  }

  /** Nothing more is to be processed before `drain`. */
  get isFull(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Up to where partitions were written since the last call. Of what was before nothing is known: the
   * topic may be another one by now, in which offsets begin anew.
   */
  takeEnds(): EndOf {
    const ends = this.#ends;
    this.#ends = new Map();
    return (topic, partition) => ends.get(`${topic}/${partition}`) ?? null;
  }

  /** Knows a topic before anything is written to it. Throws where there is none. */
  async open(topic: string, options: OperationOptions = {}): Promise<void> {
    if (this.#ways.has(topic)) return;
    this.#ways.set(topic, { writer: await this.producer.topic(topic, options), node: null });
  }

  /** Brings what waits into the producer. */
  async drain(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      await this.open(next.topic);
      while (next !== undefined) {
        const way = this.#ways.get(next.topic);
        if (way === undefined || !this.#append(way, next)) break;
        this.#waiting.shift();
        next = this.#waiting[0];
      }
      if (next !== undefined) await this.producer.room();
    }
  }

  /** Waits until all is acknowledged. Throws where something was given up. */
  async settle(): Promise<void> {
    // Letters of what is refused meanwhile are to be acknowledged as well.
    for (let sent = -1; sent !== this.sent;) {
      sent = this.sent;
      await this.drain();
      await this.producer.flush();
    }
    this.throwFailure();
  }

  /** Something is lost of what was written. */
  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Forgets what waits, what has failed, and up to where was written. */
  reset(): void {
    this.#waiting = [];
    this.#failure = null;
    this.#ends.clear();
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
    } else if (this.refusals.leaveOut === null) {
      this.#failure ??= error;
      const node = this.#ways.get(topic)?.node ?? null;
      if (node !== null && isRefusal(error)) this.refusals.count(node, recordCount);
    }
  }

  #append(way: Way, record: OutputRecord): boolean {
    const { writer } = way;
    const { partition, timestampMs, key, value, headers, node = null } = record;
    way.node ??= node;
    const wanted = typeof partition === "function" ? partition(writer.partitionCount) : partition;
    // Nothing per record is kept unless somebody wants to hear of each.
    const heard = this.refusals.leaveOut === null ? undefined : (error: Error | null) => {
      if (this.#isGivenUp) return;
      if (error !== null && !this.#isLeftOut(record, error)) this.#failure ??= error;
    };
    return writer.append(wanted ?? -1, timestampMs, key, value, headers, heard) >= 0;
  }

  #isLeftOut(record: OutputRecord, error: Error): boolean {
    const { leaveOut } = this.refusals;
    if (leaveOut === null || isRetriableError(error)) return false;
    if (record.node !== undefined) this.refusals.count(record.node, 1);
    leaveOut(record, error);
    return true;
  }
}
