/**
 * What a consumer reads from: `FetchLoop` fetches ahead, and what it brings waits here in the order
 * in which it came until it is taken. How far each partition was read is known here as well.
 */
import type { Cluster } from "../cluster.ts";
import { isGoneError } from "../errors.ts";
import { partitionKey, type TopicPartition } from "../group-protocol.ts";
import { type Assigned, assignedAt, type Worker } from "./assigned.ts";
import type { FetchedChunk } from "./chunk.ts";
import { FetchLoop } from "./fetch-loop.ts";
import type { PartitionPosition, ResolvedConsumerOptions } from "./options.ts";

interface Queued {
  readonly chunk: FetchedChunk;
  readonly owner: Assigned;
}

/** A chunk in the hands of one worker: its partition rests until `release`. */
export interface Lease {
  readonly chunk: FetchedChunk;
  /** False once the partition was paused, sought elsewhere or is taken away: stop then. */
  readonly isValid: boolean;
  /** The record at `offset` is handed out; everything before it is worked off. */
  handOut(offset: number): void;
  /** Everything before `offset` is worked off. */
  finish(offset: number): void;
  /** Gives the partition back; records from its position on come again. To be called once. */
  release(): void;
}

/** The fetching half of a consumer. */
export class Fetcher {
  readonly #assigned = new Map<string, Assigned>();
  /** Taken away while somebody worked on a record of them, who is not done yet. */
  readonly #unfinished = new Set<Assigned>();
  #chunks: Queued[] = [];
  /** Whose chunk `next` gave last. */
  #last: Assigned | null = null;
  #queuedBytes = 0;
  #error: Error | null = null;
  /** Of partitions that rest until they are sought elsewhere: none is to be missed. */
  readonly #gone: Error[] = [];
  #waiters: (() => void)[] = [];
  readonly #loop: FetchLoop;
  #closed = false;

  constructor(readonly cluster: Cluster, readonly options: ResolvedConsumerOptions) {
    this.#loop = new FetchLoop(cluster, options, this.#assigned, {
      hasRoom: () => this.#queuedBytes < options.queuedBytes,
      arrived: (chunk, owner) => this.#arrived(chunk, owner),
      cut: (position) => this.assign([position]),
      failed: (error) => this.fail(error),
    });
  }

  /** Whether a broker has answered a fetch, with or without records. */
  get hasFetched(): boolean {
    return this.#loop.hasFetched;
  }

  /** Adds partitions; one that is there already is set to the new offset, and stays paused. */
  assign(positions: readonly PartitionPosition[]): void {
    for (const position of positions) {
      const { topic, partition } = position;
      const assigned = assignedAt(position, this.#assigned.get(partitionKey(topic, partition)));
      this.#drop(topic, partition);
      this.#assigned.set(assigned.key, assigned);
    }
    this.#loop.wake();
  }

  /** Removes partitions and what was fetched of them. */
  unassign(partitions: readonly { topic: string; partition: number }[]): void {
    for (const { topic, partition } of partitions) this.#drop(topic, partition);
  }

  /** What is assigned. */
  assignment(): { topic: string; partition: number }[] {
    return [...this.#assigned.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  /** The offset behind the last chunk that was taken, or null if the partition is not assigned. */
  position(topic: string, partition: number): bigint | null {
    const assigned = this.#assigned.get(partitionKey(topic, partition));
    return assigned === undefined ? null : BigInt(assigned.position);
  }

  /** The end as the last fetch told it, or null if none has, or the partition is not assigned. */
  endOffset(topic: string, partition: number): number | null {
    const endOffset = this.#assigned.get(partitionKey(topic, partition))?.endOffset ?? -1;
    return endOffset < 0 ? null : endOffset;
  }

  /** What is fetched already waits for `resume`, unless that is too much. */
  pause(topic: string, partition: number, isBrief: boolean): void {
    const assigned = this.#assigned.get(partitionKey(topic, partition));
    if (assigned === undefined) return;
    assigned.isBrief = isBrief;
    if (assigned.paused) return;
    assigned.paused = true;
    // What rests must not stop the others: it is fetched again.
    if (assigned.leased !== null || this.#queuedBytes < this.options.queuedBytes / 2) return;
    const { position, finished, committed, takenEpoch: leaderEpoch } = assigned;
    this.assign([{ topic, partition, offset: BigInt(position), leaderEpoch }]);
    Object.assign(this.#assigned.get(partitionKey(topic, partition)) ?? {}, {
      finished,
      committed,
    });
  }

  resume(topic: string, partition: number): void {
    const assigned = this.#assigned.get(partitionKey(topic, partition));
    if (assigned === undefined) return;
    assigned.paused = false;
    this.#wake();
    this.#loop.wake();
  }

  /** Hands out nothing more of these until they are unassigned, and waits for who works on them. */
  async hold(
    partitions: readonly TopicPartition[],
    workers: readonly Worker[],
    signal: AbortSignal,
  ): Promise<void> {
    const held = partitions.flatMap(({ topic, partition }) => {
      const assigned = this.#assigned.get(partitionKey(topic, partition));
      return assigned === undefined ? [] : [assigned];
    });
    for (const assigned of held) assigned.held = true;
    const isWorking = () => held.some(({ leased }) => leased !== null && workers.includes(leased));
    while (!signal.aborted && isWorking()) await this.#changed(signal);
  }

  /** Waits for who still works on records of these from before they were taken away. */
  async finished(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<void> {
    const keys = new Set(partitions.map(({ topic, partition }) => partitionKey(topic, partition)));
    const isWorking = () => [...this.#unfinished].some(({ key }) => keys.has(key));
    while (!signal.aborted && isWorking()) await this.#changed(signal);
  }

  /** What is to be committed, by what was handed out or worked off; of these partitions or all. */
  uncommitted(
    by: "position" | "finished",
    partitions: readonly TopicPartition[] = [...this.#assigned.values()],
  ): PartitionPosition[] {
    return partitions.flatMap(({ topic, partition }) => {
      const assigned = this.#assigned.get(partitionKey(topic, partition));
      if (assigned === undefined || assigned[by] === assigned.committed) return [];
      const { takenEpoch: leaderEpoch } = assigned;
      const position = { topic, partition, offset: BigInt(assigned[by]) };
      return [leaderEpoch < 0 ? position : { ...position, leaderEpoch }];
    });
  }

  /** Remembers what was committed. */
  committed(positions: readonly PartitionPosition[]): void {
    for (const { topic, partition, offset } of positions) {
      const assigned = this.#assigned.get(partitionKey(topic, partition));
      if (assigned !== undefined) assigned.committed = Number(offset);
    }
  }

  /**
   * The next chunk in the order of arrival; null when closed. Rejects on what will not pass. The one
   * before counts as worked off.
   */
  async next(signal?: AbortSignal): Promise<FetchedChunk | null> {
    if (this.#last !== null) this.#last.finished = this.#last.position;
    this.#last = null;
    const taken = await this.#wait(null, signal);
    if (taken === null) return null;
    this.#last = taken.owner;
    taken.owner.position = taken.chunk.nextOffset;
    return taken.chunk;
  }

  /** As `next`, but the caller has the partition for itself until it gives it back. */
  async lease(worker: Worker, signal?: AbortSignal): Promise<Lease | null> {
    const taken = await this.#wait(worker, signal);
    if (taken === null) return null;
    const { chunk, owner } = taken;
    return {
      chunk,
      get isValid(): boolean {
        return !owner.dropped && !owner.paused && !owner.held;
      },
      handOut(offset) {
        owner.finished = offset;
        owner.position = offset + 1;
      },
      finish(offset) {
        owner.finished = offset;
        owner.position = offset;
      },
      release: () => {
        owner.leased = null;
        this.#unfinished.delete(owner);
        if (!owner.dropped && owner.position < chunk.nextOffset) this.#putBack(taken);
        this.#wake();
        this.#loop.wake();
      },
    };
  }

  /** Makes the next `next` reject. */
  fail(error: Error): void {
    if (isGoneError(error)) this.#gone.push(error);
    else this.#error ??= error;
    this.#wake();
  }

  /** Ends fetching, and tells the brokers as long as the signal lasts. Never rejects. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#chunks = [];
    this.#wake();
    await this.#loop.close(signal);
  }

  async #wait(worker: Worker | null, signal: AbortSignal | undefined): Promise<Queued | null> {
    for (;;) {
      signal?.throwIfAborted();
      const taken = this.#take(worker);
      if (taken !== null) return taken;
      const gone = this.#gone.shift();
      if (gone !== undefined) throw gone;
      if (this.#error !== null) {
        const error = this.#error;
        this.#error = null;
        throw error;
      }
      if (this.#closed) return null;
      await this.#changed(signal);
    }
  }

  #arrived(chunk: FetchedChunk, owner: Assigned): void {
    owner.queued++;
    this.#queuedBytes += chunk.bytes.length;
    this.#chunks.push({ chunk, owner });
    this.#wake();
  }

  /**
   * At once for the worker: of two that wake together, the other may look for a chunk before the
   * first goes on, and would get the next one of the same partition.
   */
  #take(worker: Worker | null): Queued | null {
    const at = this.#chunks.findIndex(({ owner }) => {
      return !owner.paused && !owner.held && owner.leased === null;
    });
    const taken = this.#chunks[at];
    if (taken === undefined) return null;
    this.#chunks.splice(at, 1);
    this.#queuedBytes -= taken.chunk.bytes.length;
    taken.owner.leased = worker;
    taken.owner.queued--;
    taken.owner.takenEpoch = taken.chunk.leaderEpoch;
    this.#loop.wake();
    return taken;
  }

  /** The rest of a chunk, before all that was fetched after it. */
  #putBack({ chunk, owner }: Queued): void {
    this.#chunks.unshift({ chunk: chunk.from(owner.position), owner });
    this.#queuedBytes += chunk.bytes.length;
    owner.queued++;
  }

  #changed(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal?.removeEventListener("abort", done);
        resolve();
      };
      signal?.addEventListener("abort", done, { once: true });
      this.#waiters.push(done);
    });
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  #drop(topic: string, partition: number): void {
    const assigned = this.#assigned.get(partitionKey(topic, partition));
    if (assigned === undefined) return;
    this.#assigned.delete(partitionKey(topic, partition));
    assigned.dropped = true;
    if (assigned.leased !== null) this.#unfinished.add(assigned);
    this.#dropChunks(assigned);
    // Who waits for its worker need not wait any more.
    this.#wake();
  }

  #dropChunks(dropped: Assigned): void {
    this.#chunks = this.#chunks.filter(({ chunk, owner }) => {
      if (owner === dropped) this.#queuedBytes -= chunk.bytes.length;
      return owner !== dropped;
    });
  }
}
