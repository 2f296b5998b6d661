/**
 * Reads ranges of a topic's partitions as a consumer without a group, and knows how far it is: what
 * is left of which partition, and the vector of next offsets from which another can go on.
 */
import { Consumer, type FetchedChunk } from "../../client/consumer.ts";
import { resolveRanges } from "../../client/consumer/partition-ranges.ts";
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { type Clock, sleep } from "../../core/io.ts";
import { Problem } from "../problem.ts";
import type { BrowseRange } from "./browse-query.ts";
import { BROWSE_LIMITS } from "./limits.ts";
import type { LocalReader } from "./local-reader.ts";

/** Who reads. */
export interface ScanClient {
  readonly io: ClientIo;
  readonly options: ClientOptions;
}

/** What is read of one partition. */
export interface ScanPartition {
  readonly partition: number;
  readonly from: number;
  /** The first offset not wanted; null: no end. */
  readonly until: number | null;
  /** Records below it are not wanted. */
  readonly skipBelow: number;
  /** What comes next. */
  next: number;
}

/** An answer that fits one turn of the pipe to this broker is read where it lies, without a copy. */
const FETCH_BYTES = 960 * 1024;
/** How often it is looked whether what is awaited was deleted meanwhile. */
const DELETED_CHECK_MS = 1000;

/** See the head of the file. `close` it. */
export class TopicScan {
  /** Those that are not read to their end. */
  readonly #open = new Map<number, ScanPartition>();
  readonly #parts: string[] = [];
  readonly #slots = new Map<number, number>();
  #turnBeganMs: number;
  /** Reads what the consumer does not, as long as it can. */
  #local: LocalReader | null;

  private constructor(
    readonly topic: string,
    readonly partitions: readonly ScanPartition[],
    readonly clock: Clock,
    readonly consumer: Consumer,
    local: LocalReader | null,
  ) {
    this.#local = local;
    for (const each of partitions) {
      this.#slots.set(each.partition, this.#parts.length);
      this.#parts.push(`${each.partition}:${each.next}`);
      if (each.until === null || each.next < each.until) this.#open.set(each.partition, each);
    }
    this.#turnBeganMs = clock.monotonicMs();
  }

  /** Finds the ranges and begins to fetch. Throws a `Problem` and errors of the client. */
  static async open(
    client: ScanClient,
    topic: string,
    range: BrowseRange,
    queuedBytes: number,
    signal: AbortSignal,
    local: LocalReader | null = null,
  ): Promise<TopicScan> {
    const { isolationLevel, follow, from, to, resume } = range;
    const consumer = new Consumer(client.io, {
      ...client.options,
      codecs: bunCodecs,
      isolationLevel,
      queuedBytes,
      maxBytes: FETCH_BYTES,
      partitionMaxBytes: FETCH_BYTES,
    });
    try {
      const known = (await consumer.cluster.topic(topic, { signal })).partitions.length;
      const wanted = range.partitions ?? Array.from({ length: known }, (_, n) => n);
      const missing = wanted.find((partition) => partition >= known);
      if (missing !== undefined) {
        const detail = `topic "${topic}" has no partition ${missing}, it has ${known}`;
        throw new Problem(404, "not found", detail);
      }
      const options = { isolationLevel, exitAtEnd: !follow, signal };
      const ranges = await resolveRanges(
        consumer.cluster,
        topic,
        wanted,
        { from, until: to },
        options,
      );
      const partitions = ranges.map(({ partition, from, until, skipBelow }): ScanPartition => {
        const at = resume?.get(partition);
        return at === undefined
          ? { partition, from, until, skipBelow, next: from }
          : { partition, from: at, until, skipBelow: at, next: at };
      });
      const isLocal = local !== null && !follow && isolationLevel === "read_uncommitted" &&
        local.mayRead(topic);
      const { clock } = client.io;
      const scan = new TopicScan(topic, partitions, clock, consumer, isLocal ? local : null);
      if (!isLocal) await scan.#leaveToConsumer();
      return scan;
    } catch (error) {
      await consumer.close();
      throw error;
    }
  }

  /** Whether all is read that was asked for. */
  get isDone(): boolean {
    return this.#open.size === 0;
  }

  /** `0:41,1:17`: the next offsets, from which another scan goes on. */
  get positions(): string {
    return this.#parts.length === 1 ? this.#parts[0]! : this.#parts.join(",");
  }

  /**
   * The next chunk of a partition that is still read, or null at the end of all. Rejects as the
   * consumer does, and with the signal's reason.
   */
  async next(signal: AbortSignal): Promise<{ chunk: FetchedChunk; of: ScanPartition } | null> {
    while (!this.isDone) {
      signal.throwIfAborted();
      const near = await this.#readLocal(signal);
      if (near !== null) return near;
      const chunk = await this.#nextChunk(signal);
      if (chunk === "none") {
        this.#passOverDeleted();
        continue;
      }
      if (chunk === null) return null;
      const of = this.#open.get(chunk.partition);
      if (of !== undefined) return { chunk, of };
    }
    return null;
  }

  /** Everything of the partition before `next` is read. */
  reached(of: ScanPartition, next: number): void {
    of.next = Math.min(next, of.until ?? Infinity);
    this.#parts[this.#slots.get(of.partition)!] = `${of.partition}:${of.next}`;
    if (of.until === null || of.next < of.until) return;
    const { topic } = this;
    if (this.#open.delete(of.partition)) {
      this.consumer.unassign([{ topic, partition: of.partition }]);
    }
  }

  /** Lets others have their turn of the event loop, if this one has had it for long. */
  async giveWay(): Promise<void> {
    if (this.clock.monotonicMs() - this.#turnBeganMs < BROWSE_LIMITS.turnMs) return;
    await sleep(this.clock, 0);
    this.#turnBeganMs = this.clock.monotonicMs();
  }

  close(): Promise<void> {
    return this.consumer.close();
  }

  async #readLocal(
    signal: AbortSignal,
  ): Promise<{ chunk: FetchedChunk; of: ScanPartition } | null> {
    const [of] = this.#open.values();
    if (this.#local === null || of === undefined) return null;
    const chunk = await this.#local.read(this.topic, of.partition, of.next, signal);
    if (chunk !== null) return { chunk, of };
    this.#local = null;
    await this.#leaveToConsumer();
    return null;
  }

  async #leaveToConsumer(): Promise<void> {
    await this.consumer.assign([...this.#open.values()].map(({ partition, next }) => ({
      ...{ topic: this.topic, partition },
      offset: BigInt(next),
    })));
  }

  async #nextChunk(signal: AbortSignal): Promise<FetchedChunk | null | "none"> {
    const enough = new AbortController();
    const timer = this.clock.setTimer(DELETED_CHECK_MS, () => enough.abort());
    try {
      return await this.consumer.nextChunk(AbortSignal.any([enough.signal, signal]));
    } catch (error) {
      if (enough.signal.aborted && !signal.aborted) return "none";
      throw error;
    } finally {
      timer.cancel();
      this.#turnBeganMs = this.clock.monotonicMs();
    }
  }

  /** Where all that was left of a range has been deleted, no record would ever tell. */
  #passOverDeleted(): void {
    for (const of of [...this.#open.values()]) {
      const position = this.consumer.position(this.topic, of.partition);
      if (position !== null && Number(position) > of.next) this.reached(of, Number(position));
    }
  }
}
