/**
 * Reads changelogs into stores, for tasks that begin and for those that stand by. It has a consumer of its
 * own, so that tasks that are ready go on meanwhile.
 */
import type { Admin } from "../../client/admin.ts";
import { Consumer, type FetchedChunk } from "../../client/consumer.ts";
import type { ConsumerOptions } from "../../client/consumer.ts";
import { partitionKey } from "../../client/group-protocol.ts";
import type { ClientIo } from "../../client/options.ts";
import { isGoneError } from "../../client/errors.ts";
import { asError } from "../../core/as-error.ts";
import { deferred } from "../../core/deferred.ts";
import { sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { RecordCursor } from "../../core/records/record-cursor.ts";
import { LentBytes } from "../stores/small-bytes.ts";

/** A store whose changelog is read. */
export interface RestorableStore {
  readonly topic: string;
  readonly partition: number;
  /** The offset up to which the changelog is in it; null: nothing is. */
  readonly offset: number | null;
  /** The id of the topic that the offset is of; null: nobody knows. */
  readonly topicId: string | null;
  /** What it has is of that topic. */
  setTopicId(topicId: string): void;
  /** A record, whose bytes are only lent; `next` is the offset behind it. */
  put(key: Uint8Array, value: Uint8Array | null, timestampMs: number, next: number): void;
  /** What it has is not of this changelog: it begins with nothing. */
  wipe(): void;
  /**
   * Has nothing of use of the changelog, which begins and ends there: it may be that of a snapshot then.
   * Whether it is.
   */
  load(range: ChangelogRange, signal: AbortSignal): Promise<boolean>;
}

/** What there is of a changelog. */
export interface ChangelogRange {
  /** Null: brokers give topics none. */
  readonly topicId: string | null;
  readonly earliest: number;
  readonly latest: number;
}

interface Reading {
  readonly store: RestorableStore;
  /** Where it ends; Infinity: it follows. */
  readonly endOffset: number;
  readonly begunMs: number;
  readonly beginOffset: number;
  records: number;
  position: number;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

/** How far a changelog is read. */
export interface RestoreProgress {
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  /** Offsets that are still to come. */
  readonly left: number;
  /** Milliseconds until they have, as it goes so far; null: nobody knows. */
  readonly leftMs: number | null;
}

/** So long records are put before others have their turn. */
const SLICE_MS = 8;
const LOOK_AT_CLOCK_EVERY = 256;
const TELL_EVERY_MS = 5000;

const lentKeys = new LentBytes();
const lentValues = new LentBytes();

/** Nobody writes records without a key there; what is put there by hand is no state. */
function putRecord(store: RestorableStore, cursor: RecordCursor): void {
  const { source, keyStart, keyEnd, valueStart, valueEnd } = cursor;
  if (keyStart < 0) return;
  const key = lentKeys.copyOf(source, keyStart, keyEnd);
  const value = valueStart < 0 ? null : lentValues.copyOf(source, valueStart, valueEnd);
  store.put(key, value, cursor.timestamp, cursor.offset + 1);
}

/** See the head of the file. */
export class Restorer {
  readonly #consumer: Consumer;
  readonly #readings = new Map<string, Reading>();
  readonly #ended = new AbortController();
  readonly #pumping: Promise<void>;
  #toldMs = 0;

  constructor(
    private readonly io: ClientIo,
    private readonly admin: Admin,
    options: ConsumerOptions,
    private readonly logger: Logger,
  ) {
    // What is gone from a changelog is no beginning of it: its store is looked at again.
    this.#consumer = new Consumer(io, { ...options, autoOffsetReset: "none" });
    this.#pumping = this.#pump();
  }

  /** What is being read to its end. */
  progress(): RestoreProgress[] {
    return [...this.#readings.values()].filter(({ endOffset }) => endOffset < Infinity)
      .map((reading) => this.#progressOf(reading));
  }

  /**
   * How many records of a changelog that is being read are not here yet: control records count, too.
   * Null: it is not read now, or nobody knows.
   */
  lagOf(topic: string, partition: number): number | null {
    const reading = this.#readings.get(partitionKey(topic, partition));
    if (reading === undefined) return null;
    const endOffset = this.#consumer.endOffset(topic, partition) ??
      (reading.endOffset < Infinity ? reading.endOffset : null);
    return endOffset === null ? null : Math.max(0, endOffset - reading.position);
  }

  /**
   * Reads changelogs to their ends as they are now. Resolves when all are in their stores; with the
   * signal it ends before. Under read_committed transactions that are open are waited for: who had the
   * task before may have committed one whose marker has come to the offsets, and not here yet.
   */
  async restore(stores: readonly RestorableStore[], signal: AbortSignal): Promise<void> {
    if (stores.length === 0) return;
    const ranges = await this.#beginnings(stores, signal);
    signal.throwIfAborted();
    await Promise.all(stores.map((store, i) => {
      const range = ranges[i]!;
      return this.#read(store, this.#begin(store, range), range.latest, signal);
    }));
  }

  /** Reads changelogs on and on, until the signal. */
  async follow(stores: readonly RestorableStore[], signal: AbortSignal): Promise<void> {
    if (stores.length === 0) return;
    const ranges = await this.#beginnings(stores, signal);
    signal.throwIfAborted();
    await Promise.all(stores.map((store, i) => {
      return this.#read(store, this.#begin(store, ranges[i]!), Infinity, signal);
    }));
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#consumer.close();
    await this.#pumping;
  }

  /** After snapshots have come into stores that need one. */
  async #beginnings(
    stores: readonly RestorableStore[],
    signal: AbortSignal,
  ): Promise<ChangelogRange[]> {
    const ranges = await this.#ranges(stores);
    signal.throwIfAborted();
    const isLoaded = await Promise.all(stores.map(async (store, i) => {
      return whyAnew(store, ranges[i]!) !== null && await store.load(ranges[i]!, signal);
    }));
    signal.throwIfAborted();
    return isLoaded.includes(true) ? await this.#ranges(stores) : ranges;
  }

  async #ranges(stores: readonly RestorableStore[]): Promise<ChangelogRange[]> {
    const ids = new Map<string, string | null>();
    const names = new Set(stores.map(({ topic }) => topic));
    // First: of a topic that is made again right now offsets are known at the most, and looked at again.
    for (const { name, error, topic } of await this.admin.describeTopics([...names])) {
      if (error !== null) throw error;
      ids.set(name, topic?.topicId ?? null);
    }
    const list = async (at: "earliest" | "latest") => {
      const queries = stores.map(({ topic, partition }) => ({ topic, partition, at }));
      const answers = await this.admin.listOffsets(queries);
      for (const { error } of answers) if (error !== null) throw error;
      return answers.map(({ offset }) => Number(offset));
    };
    const [earliest, latest] = [await list("earliest"), await list("latest")];
    return stores.map(({ topic }, i) => {
      return { topicId: ids.get(topic) ?? null, earliest: earliest[i]!, latest: latest[i]! };
    });
  }

  /**
   * Where a store is to be read on. One of another topic, which had that name before, begins anew; so does
   * one that is behind the beginning, or before an end that is no more there.
   */
  #begin(store: RestorableStore, range: ChangelogRange): number {
    const { topic, partition, offset } = store;
    const { topicId, earliest, latest } = range;
    const why = whyAnew(store, range);
    if (offset !== null && why !== null) {
      this.logger.warn(
        `a store is restored from the beginning: its changelog ${why}`,
        { topic, partition, offset, earliest, latest },
      );
      store.wipe();
    }
    if (topicId !== null) store.setTopicId(topicId);
    return store.offset ?? earliest;
  }

  async #read(
    store: RestorableStore,
    beginOffset: number,
    endOffset: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (beginOffset >= endOffset) return;
    const { topic, partition } = store;
    const { promise, resolve, reject } = deferred<void>();
    // The task may be closed before the consumer has heard of the topic, and nobody waits for this yet.
    promise.catch(() => {});
    const key = partitionKey(topic, partition);
    const begunMs = this.io.clock.monotonicMs();
    // What is short is not told of.
    if (this.#readings.size === 0) this.#toldMs = begunMs;
    const reading: Reading = {
      ...{ store, beginOffset, endOffset, begunMs, records: 0, position: beginOffset },
      done: resolve,
      failed: reject,
    };
    this.#readings.set(key, reading);
    const abort = () => reject(asError(signal.reason));
    signal.addEventListener("abort", abort, { once: true });
    try {
      await this.#consumer.assign([{ topic, partition, offset: BigInt(beginOffset) }]);
      await promise;
    } finally {
      signal.removeEventListener("abort", abort);
      // Another may read it by now.
      if (this.#readings.get(key) === reading) {
        this.#readings.delete(key);
        this.#consumer.unassign([{ topic, partition }]);
      }
    }
  }

  async #pump(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      try {
        const chunk = await this.#consumer.nextChunk();
        if (chunk === null) return;
        const reading = this.#readings.get(partitionKey(chunk.topic, chunk.partition));
        // What a store cannot take is its own affair.
        if (reading !== undefined) await this.#take(chunk, reading).catch(reading.failed);
      } catch (error) {
        const isOf = ({ topic, partition }: RestorableStore) =>
          !isGoneError(error) || (error.topic === topic && error.partition === partition);
        for (const { store, failed } of this.#readings.values()) {
          if (isOf(store)) failed(asError(error));
        }
      }
    }
  }

  async #take(chunk: FetchedChunk, reading: Reading): Promise<void> {
    if (chunk.fetchOffset < reading.position) return;
    const key = partitionKey(chunk.topic, chunk.partition);
    const { clock } = this.io;
    let sliceMs = clock.monotonicMs();
    for (const cursor of chunk.cursors()) {
      while (cursor.next() && cursor.offset < reading.endOffset) {
        if (cursor.offset < chunk.fetchOffset) continue;
        putRecord(reading.store, cursor);
        if (++reading.records % LOOK_AT_CLOCK_EVERY > 0) continue;
        if (clock.monotonicMs() - sliceMs < SLICE_MS) continue;
        reading.position = cursor.offset + 1;
        await sleep(clock, 0);
        if (this.#readings.get(key) !== reading) return;
        sliceMs = clock.monotonicMs();
      }
      if (cursor.offset >= reading.endOffset) break;
    }
    reading.position = chunk.nextOffset;
    this.#tell();
    if (reading.position >= reading.endOffset) reading.done();
  }

  #tell(): void {
    const nowMs = this.io.clock.monotonicMs();
    if (nowMs - this.#toldMs < TELL_EVERY_MS) return;
    this.#toldMs = nowMs;
    for (const progress of this.progress()) {
      const { topic, partition, records, left, leftMs } = progress;
      this.logger.info("restoring", { topic, partition, records, left, leftMs });
    }
  }

  #progressOf({ store, endOffset, begunMs, beginOffset, records, position }: Reading) {
    const { topic, partition } = store;
    const left = Math.max(0, endOffset - position);
    const done = position - beginOffset;
    const tookMs = this.io.clock.monotonicMs() - begunMs;
    const leftMs = done > 0 ? Math.round((tookMs / done) * left) : null;
    return { topic, partition, records, left, leftMs };
  }
}

/** Why a store has nothing of use; null: it has. */
function whyAnew(
  { offset, topicId: of }: RestorableStore,
  { topicId, earliest, latest }: ChangelogRange,
): string | null {
  if (offset === null) return "is not in it";
  if (topicId !== null && of !== null && topicId !== of) {
    return "was deleted and made again, or this is another cluster";
  }
  return offset < earliest || offset > latest ? "has gone on without it" : null;
}
