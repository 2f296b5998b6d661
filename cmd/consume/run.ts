/** `kstream consume`: the records of a topic to standard output, as fast as that takes them. */
import { Consumer } from "../../client/consumer.ts";
import type { FetchedChunk, PartitionPosition } from "../../client/consumer.ts";
import { KafkaError } from "../../client/errors.ts";
import { UnknownTopicError } from "../../client/cluster.ts";
import type { TopicMetadata } from "../../client/cluster.ts";
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import type { Codecs } from "../../core/compression/codec.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import type { Timer } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { missingTopic } from "../client.ts";
import type { SelectRecord } from "../expressions.ts";
import type { Printer } from "./format.ts";
import type { OffsetRange } from "./offset-range.ts";
import { Output } from "./output.ts";
import type { WriteOut } from "./output.ts";
import { resolveRanges } from "./ranges.ts";

/** What the command line asks for. */
export interface ConsumeSettings {
  readonly topic: string;
  readonly client: ClientOptions;
  readonly codecs: Codecs;
  /** Null: all. */
  readonly partitions: readonly number[] | null;
  readonly range: OffsetRange;
  /** At most so many records; null: no limit. */
  readonly count: number | null;
  readonly exitAtEnd: boolean;
  /** Ends when nothing came for so long; null: never. */
  readonly idleTimeoutMs: number | null;
  readonly group: string | null;
  readonly isolationLevel: "read_uncommitted" | "read_committed";
  /** Leaves records out and changes them; null: all as they are. */
  readonly select: SelectRecord | null;
  readonly print: Printer;
}

/** The outside of the command. */
export interface ConsumeIo {
  readonly client: ClientIo;
  readonly write: WriteOut;
  /** Whether nobody reads standard output any more; asked now and then while nothing is written. */
  readonly readerGone: () => boolean;
  /** Prints a line on stderr. */
  readonly say: (line: string) => void;
  /** Aborted by SIGINT: what was printed is committed, then it ends. */
  readonly signal: AbortSignal;
}

const FLUSH_BYTES = 256 * 1024;
const COMMIT_EVERY_MS = 1000;
/** How often it is asked whether the reader of standard output has gone. */
const READER_CHECK_MS = 200;
/** How long a rebalance waits for a reader that takes nothing. */
const REVOKE_PATIENCE_MS = 10_000;

/** Runs the command; resolves to its exit code. Throws `OperatorError` and errors of the client. */
export async function runConsume(settings: ConsumeSettings, io: ConsumeIo): Promise<number> {
  return await new ConsumeRun(settings, io).run();
}

/** A partition that is read. */
interface Reading {
  readonly skipBelow: number;
  readonly until: number | null;
}

class ConsumeRun {
  readonly #consumer: Consumer;
  readonly #output: Output;
  readonly #reading = new Map<number, Reading>();
  /** Behind the last record that standard output has taken, by partition. */
  readonly #taken = new Map<number, number>();
  readonly #committed = new Map<number, number>();
  /** Aborted when there is nothing more to do. */
  readonly #done = new AbortController();
  readonly #stop: AbortSignal;
  #printed = 0;
  /** The record that is looked at. */
  #at = 0;
  #incomplete = false;
  /** Every partition is read to its end. */
  #reached = false;
  /** Nothing came for too long. */
  #idle = false;
  #printing: Promise<void> = Promise.resolve();
  #committing: Promise<void> = Promise.resolve();
  #commitTimer: Timer | null = null;
  #readerTimer: Timer | null = null;
  #failure: unknown = null;

  constructor(readonly settings: ConsumeSettings, readonly io: ConsumeIo) {
    this.#output = new Output(io.write);
    this.#stop = AbortSignal.any([io.signal, this.#done.signal]);
    this.#consumer = new Consumer(io.client, {
      ...settings.client,
      codecs: settings.codecs,
      isolationLevel: settings.isolationLevel,
      autoOffsetReset: settings.range.from.kind === "end" ? "latest" : "earliest",
      ...(settings.group === null ? {} : { groupId: settings.group }),
    });
  }

  async run(): Promise<number> {
    try {
      const metadata = await this.#topic();
      if (this.settings.group === null) await this.#assign(metadata);
      else this.#subscribe(this.settings.group);
      this.#watchReader();
      await this.#readAll();
      if (this.#failure !== null) throw this.#failure;
      await this.#commit();
    } finally {
      this.#commitTimer?.cancel();
      this.#readerTimer?.cancel();
      await this.#consumer.close();
    }
    return this.#cutShort() || this.#incomplete ? 4 : 0;
  }

  /** Whether it ended before the end that was asked for; says so. */
  #cutShort(): boolean {
    const { count, range, exitAtEnd, idleTimeoutMs } = this.settings;
    const isFull = count !== null && this.#printed >= count;
    const isBounded = count !== null || range.until !== null || exitAtEnd;
    if (isFull || !isBounded || !this.#output.open || this.#reached) return false;
    if (this.#idle) this.io.say(`kstream: nothing came for ${idleTimeoutMs} ms: ${this.#soFar()}`);
    else if (this.io.signal.aborted) this.io.say(`kstream: interrupted: ${this.#soFar()}`);
    else return false;
    return true;
  }

  #soFar(): string {
    const { count } = this.settings;
    if (count !== null) return `${this.#printed} of ${count} records were written`;
    return `${this.#printed} records were written, which is not the whole range`;
  }

  /** Without new records no write would ever tell that the reader (`| head`) has gone. */
  #watchReader(): void {
    this.#readerTimer = this.io.client.clock.setTimer(READER_CHECK_MS, () => {
      if (this.io.readerGone()) this.#done.abort();
      else this.#watchReader();
    });
  }

  async #topic(): Promise<TopicMetadata> {
    const { cluster } = this.#consumer;
    // A dead broker shows at once, without the patience of retries.
    await cluster.any();
    try {
      return await cluster.topic(this.settings.topic);
    } catch (error) {
      if (!(error instanceof UnknownTopicError)) throw error;
      throw await missingTopic(cluster, this.settings.topic);
    }
  }

  async #assign({ partitions: known }: TopicMetadata): Promise<void> {
    const { topic, range, exitAtEnd, isolationLevel } = this.settings;
    const partitions = this.settings.partitions ?? known.map(({ partition }) => partition);
    const missing = partitions.find((partition) => partition >= known.length);
    if (missing !== undefined) {
      const what = `topic "${topic}" has no partition ${missing}`;
      throw new OperatorError(what, `it has ${known.length}`, "");
    }
    const options = { exitAtEnd, isolationLevel };
    const ranges = await resolveRanges(
      this.#consumer.cluster,
      topic,
      partitions,
      range,
      options,
    );
    const positions: PartitionPosition[] = [];
    for (const { partition, from, until, skipBelow, gone, missing } of ranges) {
      if (gone > 0) {
        this.#incomplete = true;
        this.io.say(`kstream: ${gone} records of ${topic}-${partition} are deleted already`);
      }
      if (missing > 0) {
        this.#incomplete = true;
        this.io.say(`kstream: ${missing} records of ${topic}-${partition} are not written yet`);
      }
      if (until !== null && from >= until) continue;
      this.#reading.set(partition, { until, skipBelow });
      positions.push({ topic, partition, offset: BigInt(from) });
    }
    if (positions.length === 0) this.#end();
    else await this.#consumer.assign(positions);
  }

  #subscribe(group: string): void {
    const { topic, exitAtEnd, isolationLevel } = this.settings;
    this.#consumer.subscribe([topic], {
      assigned: async (positions) => {
        this.#reading.clear();
        const range = { from: { kind: "start", plus: 0n }, until: null } as const;
        const partitions = positions.map(({ partition }) => partition);
        const ends = exitAtEnd
          ? await resolveRanges(this.#consumer.cluster, topic, partitions, range, {
            exitAtEnd,
            isolationLevel,
          })
          : [];
        for (const { partition, offset } of positions) {
          const until = ends.find((end) => end.partition === partition)?.until ?? null;
          this.#committed.set(partition, Number(offset));
          if (until !== null && Number(offset) >= until) continue;
          this.#reading.set(partition, { until, skipBelow: 0 });
        }
        if (exitAtEnd && this.#reading.size === 0) this.#end();
      },
      revoked: async (_partitions, lost) => {
        if (!lost) {
          // The record being printed now is printed by this member or by the next, but not by both.
          const patience = sleep(this.io.client.clock, REVOKE_PATIENCE_MS, this.#done.signal);
          await Promise.race([this.#printing, patience.catch(() => {})]);
          await this.#commit();
        } else if (this.#output.open && !this.#stop.aborted) {
          this.io.say(`kstream: group "${group}" went on without this member; it joins again`);
        }
        this.#taken.clear();
        this.#committed.clear();
      },
    });
  }

  async #readAll(): Promise<void> {
    while (!this.#stop.aborted) {
      const chunk = await this.#next();
      if (chunk === null) break;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#printing = promise;
      try {
        await this.#print(chunk);
      } catch (error) {
        // Where an expression fails, what came before is printed and committed.
        if (error instanceof OperatorError) {
          await this.#flush(chunk.partition, this.#at);
          await this.#commit();
        }
        throw error;
      } finally {
        resolve();
      }
    }
  }

  async #next(): Promise<FetchedChunk | null> {
    const { idleTimeoutMs } = this.settings;
    const timer = idleTimeoutMs === null
      ? null
      : this.io.client.clock.setTimer(idleTimeoutMs, () => {
        this.#idle = true;
        this.#done.abort();
      });
    try {
      return await this.#consumer.next(this.#stop);
    } catch (error) {
      if (this.#stop.aborted) return null;
      throw error;
    } finally {
      timer?.cancel();
    }
  }

  /** Prints a chunk and hands it to standard output. */
  async #print(chunk: FetchedChunk): Promise<void> {
    const { partition } = chunk;
    const reading = this.#reading.get(partition);
    if (reading === undefined) return;
    const { select, print, count } = this.settings;
    const below = Math.max(chunk.fetchOffset, reading.skipBelow);
    const until = reading.until ?? Infinity;
    let next = chunk.nextOffset;
    batches: for (const cursor of chunk.cursors()) {
      while (cursor.next()) {
        if (cursor.offset < below) continue;
        if (cursor.offset >= until) break batches;
        if (count !== null && this.#printed >= count) {
          next = cursor.offset;
          break batches;
        }
        this.#at = cursor.offset;
        const record = select === null ? cursor : select(cursor, chunk);
        if (record === null) continue;
        print(this.#output, record, chunk);
        this.#printed++;
        if (this.#output.size >= FLUSH_BYTES) await this.#flush(partition, cursor.offset + 1);
        // Nothing more is read for a reader that is gone, or for somebody who interrupts.
        if (this.#stop.aborted) {
          next = cursor.offset + 1;
          break batches;
        }
      }
    }
    await this.#flush(partition, Math.min(next, until));
    if (next >= until) this.#finish(partition);
    if (count !== null && this.#printed >= count) this.#done.abort();
  }

  async #flush(partition: number, next: number): Promise<void> {
    if (await this.#output.flush()) {
      this.#taken.set(partition, next);
      this.#commitSoon();
    } else this.#done.abort();
  }

  #finish(partition: number): void {
    this.#reading.delete(partition);
    // A group's member keeps its partitions; a range that is read needs no more fetches.
    if (this.settings.group === null) {
      this.#consumer.unassign([{ topic: this.settings.topic, partition }]);
    } else this.#consumer.pause(this.settings.topic, partition);
    if (this.#reading.size === 0) this.#end();
  }

  /** All that was asked for is there. */
  #end(): void {
    this.#reached = true;
    this.#done.abort();
  }

  #commitSoon(): void {
    if (this.settings.group === null || this.#commitTimer !== null) return;
    this.#commitTimer = this.io.client.clock.setTimer(COMMIT_EVERY_MS, () => {
      this.#commitTimer = null;
      this.#commit().catch((error: unknown) => {
        this.#failure = error;
        this.#done.abort();
      });
    });
  }

  /** Commits what standard output has taken, one request at a time. */
  #commit(): Promise<void> {
    if (this.settings.group === null) return Promise.resolve();
    const last = this.#committing.catch(() => {});
    return this.#committing = last.then(() => this.#commitNow());
  }

  async #commitNow(): Promise<void> {
    const { topic } = this.settings;
    const news = [...this.#taken].filter(([partition, next]) => {
      return this.#committed.get(partition) !== next;
    });
    if (news.length === 0) return;
    try {
      await this.#consumer.commit(
        news.map(([partition, next]) => ({ topic, partition, offset: BigInt(next) })),
      );
      for (const [partition, next] of news) this.#committed.set(partition, next);
    } catch (error) {
      if (!(error instanceof KafkaError) || !REBALANCED.has(error.code)) throw error;
      this.io.say(`kstream: ${error.message}: records since the last commit will be read again`);
    }
  }
}

/** The group has gone on: its other members read what is not committed. */
const REBALANCED: ReadonlySet<number> = new Set([
  Errors.ILLEGAL_GENERATION,
  Errors.UNKNOWN_MEMBER_ID,
  Errors.REBALANCE_IN_PROGRESS,
  Errors.FENCED_INSTANCE_ID,
]);
