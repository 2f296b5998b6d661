/**
 * The records that `Producer.send` and `sendAll` put into the batches of one topic. Most go in at
 * once. Those that have to wait, for the topic or for room in the buffer, stand in line: none
 * overtakes another.
 */
import { asError } from "../../core/as-error.ts";
import { assert } from "../../core/assert.ts";
import { type Deferred, deferred } from "../../core/deferred.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { DeliveryCallback } from "./batch.ts";
import type { TopicWriter } from "./topic-writer.ts";

/** Where a record was stored. */
export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  /** −1 where it is not known: with acks=0, or when a retry found it stored already. */
  readonly offset: bigint;
  /** The broker's, if the topic uses LogAppendTime; else the record's. */
  readonly timestampMs: number;
}

/** A record with the bytes of its key and value. */
export interface Encoded {
  readonly topic: string;
  /** −1: to be chosen. */
  readonly partition: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[] | undefined;
}

type Stored = { -readonly [K in keyof RecordMetadata]: RecordMetadata[K] };

/** Who waits for records. */
export interface Receipt {
  /** Puts the record, the one with this number, into a batch; false if there is no room. */
  enter(writer: TopicWriter, record: Encoded, token: number): boolean;
  /** A record will not be sent. */
  fail(error: unknown): void;
}

/** Waits for one record. */
export class SingleReceipt implements Receipt {
  readonly promise: Promise<RecordMetadata>;
  readonly #settle: Deferred<RecordMetadata> = deferred();

  constructor() {
    this.promise = this.#settle.promise;
  }

  enter(writer: TopicWriter, record: Encoded): boolean {
    const { topic, partition: to, timestampMs, key, value, headers } = record;
    let partition = -1;
    const settled: DeliveryCallback = (error, offset, timeMs) => {
      if (error !== null) return this.fail(error);
      const time = timeMs < 0n ? timestampMs : Number(timeMs);
      this.#settle.resolve({ topic, partition, offset, timestampMs: time });
    };
    try {
      partition = writer.append(to, timestampMs, key, value, headers, settled);
    } catch (error) {
      this.fail(error);
      return true;
    }
    return partition >= 0;
  }

  fail(error: unknown): void {
    this.#settle.reject(error);
  }
}

/** Waits for records that were sent together: one promise, and one object for each. */
export class Shipment implements Receipt {
  readonly promise: Promise<RecordMetadata[]>;
  readonly #records: Stored[] = [];
  readonly #settle: Deferred<RecordMetadata[]>;
  #left: number;
  #failure: Error | null = null;

  constructor(count: number) {
    this.#left = count;
    this.#settle = deferred();
    this.promise = this.#settle.promise;
    if (count === 0) this.#settle.resolve([]);
  }

  enter(writer: TopicWriter, record: Encoded, token: number): boolean {
    const { topic, timestampMs, key, value, headers } = record;
    try {
      const { settled } = this;
      const to = record.partition;
      const partition = writer.append(to, timestampMs, key, value, headers, settled, token);
      if (partition < 0) return false;
      this.#records[token] = { topic, partition, offset: -1n, timestampMs };
    } catch (error) {
      this.fail(error);
    }
    return true;
  }

  fail(error: unknown): void {
    this.#failure ??= asError(error);
    this.#settleOne();
  }

  readonly settled: DeliveryCallback = (error, offset, appendTimeMs, token) => {
    if (error !== null) return this.fail(error);
    const record = this.#records[token];
    assert(record !== undefined, "a record is settled after it was put into a batch");
    record.offset = offset;
    if (appendTimeMs >= 0n) record.timestampMs = Number(appendTimeMs);
    this.#settleOne();
  };

  #settleOne(): void {
    if (--this.#left > 0) return;
    if (this.#failure === null) this.#settle.resolve(this.#records);
    else this.#settle.reject(this.#failure);
  }
}

interface Waiting {
  readonly record: Encoded;
  readonly receipt: Receipt;
  readonly token: number;
}

/** So many that have gone in may stay in the line before it is shortened. */
const GONE_MAX = 1024;

/** See the head of the file. */
export class SendLine {
  #writer: TopicWriter | null = null;
  readonly #waiting: Waiting[] = [];
  #moving: Promise<void> | null = null;

  constructor(readonly open: () => Promise<TopicWriter>, readonly room: () => Promise<void>) {}

  /** Resolves when none waits any more; null if none does. */
  get moving(): Promise<void> | null {
    return this.#moving;
  }

  /** Sends the record, which is the one with this number of those that the receipt is for. */
  add(record: Encoded, receipt: Receipt, token: number): void {
    const writer = this.#moving === null ? this.#writer : null;
    if (writer !== null && receipt.enter(writer, record, token)) return;
    this.#waiting.push({ record, receipt, token });
    this.#moving ??= this.#move();
  }

  async #move(): Promise<void> {
    let gone = 0;
    try {
      const writer = await this.open();
      this.#writer = writer;
      for (;;) {
        const next = this.#waiting[gone];
        if (next === undefined) break;
        if (!next.receipt.enter(writer, next.record, next.token)) await this.room();
        else if (++gone === GONE_MAX) {
          this.#waiting.splice(0, gone);
          gone = 0;
        }
      }
    } catch (error) {
      for (const { receipt } of this.#waiting.slice(gone)) receipt.fail(error);
    }
    this.#waiting.length = 0;
    this.#moving = null;
  }
}
