/**
 * Records one by one. Written by hand for its speed: an async generator takes several turns of the
 * microtask queue for each record, which on Node costs more than all the rest of reading it.
 */
import type { RecordCursor } from "../../core/records/record-cursor.ts";
import type { ConsumerRecord, FetchedChunk } from "./chunk.ts";
import type { Lease } from "./fetcher.ts";
import type { RecordReader } from "./record-reader.ts";

type Result<K, V> = IteratorResult<ConsumerRecord<K, V>, void>;

/** What a loop reads from. */
export interface RecordSource<K, V> {
  readonly reader: RecordReader<K, V>;
  /** True once the consumer closes. */
  isClosed(): boolean;
  /** The next chunk, for this loop alone; null once the consumer is closed. */
  lease(signal?: AbortSignal): Promise<Lease | null>;
}

/** See `Consumer.records`. */
export class RecordLoop<K, V> implements AsyncGenerator<ConsumerRecord<K, V>, void, undefined> {
  readonly #source: RecordSource<K, V>;
  readonly #signal: AbortSignal | undefined;
  #lease: Lease | null = null;
  /** Over the batches of the chunk that are still to come. */
  #batches: Iterator<RecordCursor> | null = null;
  #cursor: RecordCursor | null = null;
  /** Of the record that was given last, while its chunk lasts; −1: none. */
  #givenOffset = -1;
  #ended = false;
  /** Calls under way that wait for a chunk, or for such a call before them. */
  #waitingCalls = 0;
  #lastCall: Promise<unknown> = Promise.resolve();

  constructor(source: RecordSource<K, V>, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  /** The next record. Rejects as `Consumer.records` says, and has ended then. */
  next(): Promise<Result<K, V>> {
    if (this.#waitingCalls > 0) return this.#inTurn(() => this.#fromChunks());
    try {
      const result = this.#fromThisChunk();
      return result === null ? this.#inTurn(() => this.#fromChunks()) : Promise.resolve(result);
    } catch (error) {
      this.#end();
      return Promise.reject(error);
    }
  }

  /** Ends it. The record that was given last does not count as worked off. */
  return(): Promise<Result<K, V>> {
    return this.#inTurn(() => Promise.resolve(this.#end()));
  }

  /** Ends it as `return` does, and rejects with the error. */
  async throw(error: unknown): Promise<Result<K, V>> {
    await this.return();
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** After all calls before it, as with a generator. */
  #inTurn(call: () => Promise<Result<K, V>>): Promise<Result<K, V>> {
    this.#waitingCalls++;
    const mine = this.#lastCall.then(call).finally(() => this.#waitingCalls--);
    this.#lastCall = mine.catch(() => {});
    return mine;
  }

  async #fromChunks(): Promise<Result<K, V>> {
    try {
      for (;;) {
        const result = this.#fromThisChunk();
        if (result !== null) return result;
        const lease = await this.#source.lease(this.#signal);
        if (lease === null) return this.#end();
        this.#lease = lease;
        this.#batches = lease.chunk.cursors();
      }
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** The next record of the chunk at hand; null if there is none, and then no chunk either. */
  #fromThisChunk(): Result<K, V> | null {
    if (this.#ended) return this.#end();
    const lease = this.#lease;
    if (lease === null) return null;
    if (this.#givenOffset >= 0) lease.finish(this.#givenOffset + 1);
    const cursor = this.#nextCursor(lease.chunk);
    if (cursor === null) {
      lease.finish(lease.chunk.nextOffset);
      return this.#release();
    }
    this.#signal?.throwIfAborted();
    if (!lease.isValid || this.#source.isClosed()) return this.#release();
    const value = this.#source.reader.read(lease.chunk, cursor);
    lease.handOut(cursor.offset);
    this.#givenOffset = cursor.offset;
    return { done: false, value };
  }

  #nextCursor({ fetchOffset }: FetchedChunk): RecordCursor | null {
    for (;;) {
      while (this.#cursor?.next() === true) {
        if (this.#cursor.offset >= fetchOffset) return this.#cursor;
      }
      const { done, value } = this.#batches!.next();
      if (done === true) return null;
      this.#cursor = value;
    }
  }

  #release(): null {
    this.#lease?.release();
    this.#lease = this.#batches = this.#cursor = null;
    this.#givenOffset = -1;
    return null;
  }

  #end(): Result<K, V> {
    this.#ended = true;
    this.#release();
    return { done: true, value: undefined };
  }
}
