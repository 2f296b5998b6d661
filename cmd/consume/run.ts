/** `kstream consume`: the records of topics to standard output, as fast as that takes them. */
import { Consumer } from "../../client/consumer.ts";
import type { FetchedChunk, PartitionPosition } from "../../client/consumer.ts";
import { UnknownPartitionError } from "../../client/errors.ts";
import type { TopicPartition } from "../../client/group-protocol.ts";
import type { TopicMetadata } from "../../client/cluster.ts";
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import type { Codecs } from "../../core/compression/codec.ts";
import { sleep } from "../../core/io.ts";
import type { Timer } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { SelectRecord } from "../../core/expression/record-expressions.ts";
import { rejectIfAborted } from "../../core/unless-aborted.ts";
import { Commits, partitionKey } from "./commits.ts";
import type { Printer } from "./format/printer.ts";
import { nextUnlessIdle } from "./idle.ts";
import { explainGroupError } from "./group.ts";
import type { GroupOptions } from "./group.ts";
import { lateRange, LateTopics, LOOK_EVERY_MS } from "./late-topics.ts";
import type { LatestByKey } from "./latest-by-key.ts";
import type { OffsetRange } from "../../core/text/offset-range.ts";
import { Output } from "../../core/text/output.ts";
import type { WriteOut } from "../../core/text/output.ts";
import { resolveRanges } from "../../client/consumer/partition-ranges.ts";
import { findTopics } from "./topics.ts";
import type { TopicChoice } from "./topics.ts";

/** What the command line asks for. */
export interface ConsumeSettings {
  readonly topics: TopicChoice;
  /** Waits for a topic that is missing. */
  readonly waitTopic: boolean;
  readonly client: ClientOptions;
  readonly codecs: Codecs;
  /** Of each topic; null: all. */
  readonly partitions: readonly number[] | null;
  readonly range: OffsetRange;
  /** At most so many records; null: no limit. */
  readonly count: number | null;
  readonly exitAtEnd: boolean;
  /** Ends when nothing came for so long; null: never. */
  readonly idleTimeoutMs: number | null;
  /** Null: no group. */
  readonly group: GroupOptions | null;
  readonly isolationLevel: "read_uncommitted" | "read_committed";
  /** Leaves records out and changes them; null: all as they are. */
  readonly select: SelectRecord | null;
  readonly print: Printer;
  /** Keeps what is printed until the end; null: all is written as it comes. */
  readonly latest: LatestByKey | null;
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
/** How often it is asked whether the reader of standard output has gone. */
const READER_CHECK_MS = 200;
/** How long a rebalance waits for a reader that takes nothing. */
const REVOKE_PATIENCE_MS = 10_000;
/** Partitions come to a new member once others have given them up, who hear of it now and then. */
const EMPTY_PATIENCE_MS = 15_000;

/** Runs the command; resolves to its exit code. Throws `OperatorError` and errors of the client. */
export async function runConsume(settings: ConsumeSettings, io: ConsumeIo): Promise<number> {
  return await new ConsumeRun(settings, io).run();
}

/** A partition that is read. */
interface Reading {
  readonly topic: string;
  readonly partition: number;
  readonly skipBelow: number;
  readonly until: number | null;
  /** The offset that comes next, if nobody deletes it before it is read. */
  next: number;
  /** `going`: printing stops at the next record; `lost`: others read it, commit nothing of it. */
  state: "read" | "going" | "lost";
  /** Of what is printed now; −1: not known. */
  leaderEpoch: number;
}

const UNREAD = { state: "read", leaderEpoch: -1 } as const;

class ConsumeRun {
  readonly #consumer: Consumer;
  readonly #output: Output;
  readonly #reading = new Map<string, Reading>();
  /** Null without a group. */
  readonly #commits: Commits | null;
  /** Aborted when there is nothing more to do. */
  readonly #done = new AbortController();
  readonly #stop: AbortSignal;
  #printed = 0;
  /** The record that is looked at, and how much is gathered of those before it. */
  #at = 0;
  #gathered = 0;
  #incomplete = false;
  /** Every partition is read to its end. */
  #reached = false;
  /** Nothing came for too long. */
  #idle = false;
  #isWaiting = false;
  /** The partition that is printed now, and until when. */
  #current: { readonly reading: Reading; readonly done: Promise<void> } | null = null;
  #readerTimer: Timer | null = null;
  #emptyTimer: Timer | null = null;
  #late: LateTopics | null = null;
  #hadPartitions = false;
  #failure: unknown = null;

  constructor(readonly settings: ConsumeSettings, readonly io: ConsumeIo) {
    this.#output = new Output(io.write);
    this.#stop = AbortSignal.any([io.signal, this.#done.signal]);
    this.#consumer = new Consumer(io.client, {
      ...settings.client,
      ...("pattern" in settings.topics ? { metadataMaxAgeMs: LOOK_EVERY_MS } : {}),
      codecs: settings.codecs,
      isolationLevel: settings.isolationLevel,
      autoOffsetReset: settings.range.from.kind === "end" ? "latest" : "earliest",
      ...settings.group,
    });
    const failed = (error: unknown) => this.#fail(error);
    this.#commits = settings.group === null
      ? null
      : new Commits(this.#consumer, io.client.clock, failed, io.say);
  }

  async run(): Promise<number> {
    const { topics, waitTopic: wait, group } = this.settings;
    try {
      const { signal, say } = this.io;
      const found = await findTopics(this.#consumer.cluster, topics, { wait, signal, say });
      const isFollowed = "pattern" in topics && !this.#isBounded();
      if (group === null) {
        await rejectIfAborted(this.#assign(found), signal);
        if (isFollowed) this.#follow(topics.pattern, found);
      } else this.#subscribe(group, isFollowed ? topics : found.map(({ name }) => name));
      this.#watchReader();
      await this.#readAll();
      if (this.#failure !== null) throw this.#failure;
      await this.#printLatest();
      await this.#commitAtEnd();
    } catch (error) {
      throw group === null ? error : explainGroupError(error, group);
    } finally {
      this.#commits?.stop();
      this.#readerTimer?.cancel();
      this.#emptyTimer?.cancel();
      this.#late?.stop();
      await this.#consumer.close();
    }
    return this.#cutShort() || this.#incomplete ? 4 : 0;
  }

  async #commitAtEnd(): Promise<void> {
    if (this.#commits === null) return;
    const isCommitted = await this.#commits.now();
    if (!this.io.signal.aborted || !this.#output.open) return;
    const summary = this.#commits.summary();
    const which = summary === "" ? "" : `: ${summary}`;
    const what = isCommitted ? `written and committed${which}` : "written, not all committed";
    this.io.say(`kstream: interrupted: ${this.#printed} records are ${what}`);
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
    const { count, latest } = this.settings;
    if (latest !== null && this.io.signal.aborted) return "nothing is printed";
    if (count !== null) return `${this.#printed} of ${count} records were written`;
    return `${this.#printed} records were written, which is not the whole range`;
  }

  /** Without new records no write would ever tell that the reader (`| head`) has gone. */
  #watchReader(): void {
    this.#readerTimer = this.io.client.clock.setTimer(READER_CHECK_MS, () => {
      if (this.io.readerGone()) this.#done.abort();
      else {
        if (this.#isWaiting) this.#passOverDeleted();
        this.#watchReader();
      }
    });
  }

  /** Where all that was left of a range has been deleted, no record would ever tell. */
  #passOverDeleted(): void {
    for (const reading of [...this.#reading.values()]) {
      const position = this.#consumer.position(reading.topic, reading.partition);
      if (position !== null) this.#expect(reading, Number(position));
      if (reading.next >= (reading.until ?? Infinity)) this.#finish(reading);
    }
  }

  /** Says what was deleted between what was read last and `offset`, which comes now. */
  #expect(reading: Reading, offset: number): void {
    const { topic, partition, until, next } = reading;
    const lost = Math.min(offset, until ?? Infinity) - next;
    if (lost <= 0) return;
    this.#lack(`${lost} records of ${topic}-${partition} were deleted before they were read`);
    reading.next = offset;
  }

  /** Whether what is to be read is known at the start. */
  #isBounded(): boolean {
    return this.settings.exitAtEnd || this.settings.range.until !== null;
  }

  #follow(pattern: string, known: readonly TopicMetadata[]): void {
    const range = lateRange(this.settings.range);
    const came = async (topic: TopicMetadata) => {
      const { partitions } = this.settings;
      const missing = partitions?.find((partition) => partition >= topic.partitions.length);
      if (missing === undefined) {
        await this.#consumer.assign(await this.#rangesOf(topic, range));
      } else this.io.say(`kstream: topic "${topic.name}" came without partition ${missing}`);
    };
    const failed = (error: unknown) => this.#fail(error);
    this.#late = new LateTopics(this.#consumer.cluster, pattern, known, came, failed);
  }

  async #assign(topics: readonly TopicMetadata[]): Promise<void> {
    const positions: PartitionPosition[] = [];
    for (const topic of topics) positions.push(...await this.#rangesOf(topic));
    if (positions.length === 0) this.#end();
    else await this.#consumer.assign(positions);
  }

  /** Where to begin in each partition of a topic that has something to read. */
  async #rangesOf(
    { name: topic, partitions: known }: TopicMetadata,
    range: OffsetRange = this.settings.range,
  ): Promise<PartitionPosition[]> {
    const { exitAtEnd, isolationLevel } = this.settings;
    const partitions = this.settings.partitions ?? known.map(({ partition }) => partition);
    const missing = partitions.find((partition) => partition >= known.length);
    if (missing !== undefined) {
      throw new UnknownPartitionError(topic, missing, known.length);
    }
    const { cluster } = this.#consumer;
    const options = { exitAtEnd, isolationLevel };
    const ranges = await resolveRanges(cluster, topic, partitions, range, options);
    const positions: PartitionPosition[] = [];
    for (const { partition, from, until, skipBelow, gone, missing } of ranges) {
      if (gone > 0) this.#lack(`${gone} records of ${topic}-${partition} are deleted already`);
      if (missing > 0) {
        this.#lack(`${missing} records of ${topic}-${partition} are not written yet`);
      }
      if (until !== null && from >= until) continue;
      const key = partitionKey({ topic, partition });
      this.#reading.set(key, { topic, partition, until, skipBelow, next: from, ...UNREAD });
      positions.push({ topic, partition, offset: BigInt(from) });
    }
    return positions;
  }

  #lack(what: string): void {
    this.#incomplete = true;
    this.io.say(`kstream: ${what}`);
  }

  #fail(error: unknown): void {
    this.#failure = error;
    this.#done.abort();
  }

  #subscribe(group: GroupOptions, topics: TopicChoice): void {
    this.#consumer.subscribe(topics, {
      assigned: async (positions) => {
        for (const position of positions) {
          this.#commits?.begin(position);
          const until = this.settings.exitAtEnd ? await this.#endOf(position) : null;
          const next = Number(position.offset);
          if (until !== null && next >= until) continue;
          const { topic, partition } = position;
          const reading = { topic, partition, until, skipBelow: 0, next, ...UNREAD };
          this.#reading.set(partitionKey(position), reading);
        }
        this.#endIfNothingLeft(positions.length);
      },
      revoked: async (partitions, lost) => {
        if (!lost) await this.#giveUp(partitions);
        else if (this.#output.open && !this.#stop.aborted) {
          const { groupId } = group;
          this.io.say(`kstream: group "${groupId}" went on without this member; it joins again`);
        }
        this.#commits?.forget(partitions);
        for (const key of partitions.map(partitionKey)) {
          const reading = this.#reading.get(key);
          if (reading !== undefined) reading.state = "lost";
          this.#reading.delete(key);
        }
      },
    });
  }

  /** With --exit-at-end there may be nothing to read of what this member has got. */
  #endIfNothingLeft(came: number): void {
    this.#hadPartitions ||= came > 0;
    if (!this.settings.exitAtEnd || this.#reading.size > 0) return;
    if (this.#hadPartitions) return this.#end();
    this.#emptyTimer ??= this.io.client.clock.setTimer(EMPTY_PATIENCE_MS, () => {
      if (this.#hadPartitions) return;
      this.io.say("kstream: the other members of the group have all partitions");
      this.#end();
    });
  }

  /** What is printed now of these partitions stops at the next record; all of them is committed. */
  async #giveUp(partitions: readonly TopicPartition[]): Promise<void> {
    const keys = partitions.map(partitionKey);
    for (const key of keys) {
      const reading = this.#reading.get(key);
      if (reading !== undefined) reading.state = "going";
    }
    if (this.#current !== null && keys.includes(partitionKey(this.#current.reading))) {
      const patience = sleep(this.io.client.clock, REVOKE_PATIENCE_MS, this.#done.signal);
      await Promise.race([this.#current.done, patience.catch(() => {})]);
    }
    await this.#commits?.now();
  }

  async #endOf({ topic, partition }: PartitionPosition): Promise<number | null> {
    const range = { from: { kind: "start", plus: 0n }, until: null } as const;
    const { isolationLevel } = this.settings;
    const { cluster } = this.#consumer;
    const options = { exitAtEnd: true, isolationLevel };
    const [resolved] = await resolveRanges(cluster, topic, [partition], range, options);
    return resolved?.until ?? null;
  }

  async #readAll(): Promise<void> {
    while (!this.#stop.aborted) {
      const chunk = await this.#next();
      if (chunk === null) break;
      const reading = this.#reading.get(partitionKey(chunk));
      if (reading === undefined || reading.state !== "read") continue;
      const { promise: done, resolve } = Promise.withResolvers<void>();
      this.#current = { reading, done };
      try {
        await this.#print(chunk, reading);
      } catch (error) {
        // Where a record cannot be printed, what came before it is, and is committed.
        if (error instanceof OperatorError) {
          this.#output.truncate(this.#gathered);
          await this.#flush(reading, this.#at);
          await this.#commits?.now();
        }
        throw error;
      } finally {
        this.#current = null;
        resolve();
      }
    }
  }

  #next(): Promise<FetchedChunk | null> {
    this.#isWaiting = true;
    return nextUnlessIdle({
      clock: this.io.client.clock,
      idleTimeoutMs: this.settings.idleTimeoutMs,
      onIdle: () => {
        this.#idle = true;
        this.#done.abort();
      },
      stop: this.#stop,
      isReading: () => this.#consumer.isReading,
      next: (stop) => this.#consumer.nextChunk(stop),
    }).finally(() => this.#isWaiting = false);
  }

  /** Prints a chunk and hands it to standard output. */
  async #print(chunk: FetchedChunk, reading: Reading): Promise<void> {
    this.#expect(reading, chunk.fetchOffset);
    reading.leaderEpoch = chunk.leaderEpoch;
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
        this.#gathered = this.#output.size;
        const record = select === null ? cursor : select(cursor, chunk);
        if (record === null) continue;
        if (print(this.#output, record, chunk) !== false) this.#printed++;
        if (this.#output.size >= FLUSH_BYTES) await this.#flush(reading, cursor.offset + 1);
        // Nothing more for a reader that is gone, for somebody who interrupts, or of what goes.
        if (this.#stop.aborted || reading.state !== "read") {
          next = cursor.offset + 1;
          break batches;
        }
      }
    }
    reading.next = next;
    await this.#flush(reading, Math.min(next, until));
    if (next >= until) this.#finish(reading);
    if (count !== null && this.#printed >= count) this.#done.abort();
  }

  async #flush(reading: Reading, next: number): Promise<void> {
    if (!await this.#output.flush()) return this.#done.abort();
    const { topic, partition, state, leaderEpoch } = reading;
    const position = { topic, partition, offset: BigInt(next), leaderEpoch };
    if (state !== "lost") this.#commits?.taken(position);
  }

  /** What `--latest-by-key` has kept; nothing of it where the reading was interrupted. */
  async #printLatest(): Promise<void> {
    const { latest } = this.settings;
    if (latest === null || this.io.signal.aborted) return;
    for (const bytes of latest.records()) {
      this.#output.range(bytes, 0, bytes.length);
      if (this.#output.size >= FLUSH_BYTES && !await this.#output.flush()) return;
    }
    await this.#output.flush();
  }

  #finish({ topic, partition }: Pick<Reading, "topic" | "partition">): void {
    this.#reading.delete(partitionKey({ topic, partition }));
    // A group's member keeps its partitions; a range that is read needs no more fetches.
    if (this.settings.group === null) this.#consumer.unassign([{ topic, partition }]);
    else this.#consumer.pause(topic, partition);
    if (this.#reading.size === 0) this.#end();
  }

  /** All that was asked for is there. */
  #end(): void {
    this.#reached = true;
    this.#done.abort();
  }
}
