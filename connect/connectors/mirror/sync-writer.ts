/**
 * Says where copies of records are: a record of the offset-syncs topic when it is worth it, and the
 * latest of each partition whenever offsets are committed. What waits is thinned out as who reads it
 * would.
 */
import { Producer } from "../../../client/index.ts";
import type { ClientOptions } from "../../../client/index.ts";
import type { TaskContext } from "../../index.ts";
import { io, messageOf } from "./clients.ts";
import { writeOffsetSync } from "./records.ts";
import type { OffsetSync } from "./records.ts";
import { withRight } from "./rights.ts";
import type { Side } from "./rights.ts";
import { thinned } from "./sync-store.ts";

export interface SyncWriterOptions {
  readonly client: ClientOptions;
  readonly side: Side;
  readonly topic: string;
  /** How many records later it is said again. */
  readonly lagMax: number;
  /** What is written may still be aborted: nothing is said before it is committed. */
  readonly isTransactional: boolean;
}

type Context = Pick<TaskContext<unknown>, "clock" | "signal" | "log">;

/** What could not be said is tried again after it. */
const AGAIN_MS = 1000;
/** How long the end waits for what is being said. */
const END_MS = 3000;

interface PartitionState {
  upstream: number;
  downstream: number;
  /** Downstream offset of the last sync. */
  said: number;
}

/** See the head of the file. */
export class SyncWriter {
  readonly #options: SyncWriterOptions;
  readonly #context: Context;
  readonly #states = new Map<string, PartitionState>();
  /** By partition, what is worth being said, the latest first. */
  readonly #urgent = new Map<string, readonly OffsetSync[]>();
  /** The latest that is said with the next commit. */
  readonly #later = new Map<string, OffsetSync>();
  #producer: Producer | null = null;
  #sending: Promise<void> = Promise.resolve();
  /** The round that has not begun. */
  #next: Promise<void> | null = null;
  #hasEnded = false;

  constructor(options: SyncWriterOptions, context: Context) {
    this.#options = options;
    this.#context = context;
  }

  /** A record of the source has its copy. */
  written(sync: OffsetSync): void {
    const key = `${sync.topic}-${sync.partition}`;
    const { upstream, downstream } = sync;
    const state = this.#states.get(key);
    const isWorth = state === undefined || upstream !== state.upstream + 1 ||
      downstream < state.downstream || downstream - (state.said + 1) >= this.#options.lagMax;
    const said = isWorth ? downstream : state.said;
    if (state === undefined) this.#states.set(key, { upstream, downstream, said });
    else Object.assign(state, { upstream, downstream, said });
    if (!isWorth) {
      this.#later.set(key, sync);
      return;
    }
    this.#later.delete(key);
    this.#hurry(key, sync);
    if (!this.#options.isTransactional) void this.#send();
  }

  /** Offsets are committed: whatever waits is said. */
  async committed(): Promise<void> {
    for (const [key, sync] of this.#later) this.#hurry(key, sync);
    this.#later.clear();
    const sent = this.#send();
    // Offsets are stored whatever becomes of it, unless there is no other time.
    if (this.#hasEnded) await this.#close(sent);
  }

  /** Nothing more is read; a last commit may come. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await this.#close(this.#sending);
  }

  #hurry(key: string, sync: OffsetSync): void {
    const before = this.#urgent.get(key) ?? [];
    // A transaction that was aborted is written again, to other offsets.
    const isAgain = before[0] !== undefined && before[0].upstream >= sync.upstream;
    this.#urgent.set(key, thinned([sync, ...isAgain ? [] : before]));
  }

  /** One round after the other; the one that has not begun takes all that waits. */
  #send(): Promise<void> {
    if (this.#next === null) {
      this.#next = this.#sending.then(() => {
        this.#next = null;
        return this.#sendAll();
      });
      this.#sending = this.#next;
    }
    return this.#next;
  }

  /** Says all that waits, and tries again until nothing is read any more. */
  async #sendAll(): Promise<void> {
    const { clock, signal, log } = this.#context;
    while (this.#urgent.size > 0) {
      const syncs = [...this.#urgent];
      this.#urgent.clear();
      try {
        this.#producer ??= new Producer(io, { ...this.#options.client, allowCreate: false });
        const { topic } = this.#options;
        await this.#producer.sendAll(
          syncs.flatMap(([, waiting]) => waiting.toReversed()).map((sync) => ({
            topic,
            partition: 0,
            ...writeOffsetSync(sync),
          })),
        );
      } catch (error) {
        for (const [key, waiting] of syncs) {
          this.#urgent.set(key, thinned([...this.#urgent.get(key) ?? [], ...waiting]));
        }
        const { side, topic } = this.#options;
        const why = messageOf(withRight(side, `WRITE of topic "${topic}"`, error));
        log.warn("where copies are is not said now", { why });
        if (signal.aborted) return;
        await clock.sleep(AGAIN_MS, signal);
      }
    }
  }

  /** Waits, within bounds, for what is being said. */
  async #close(sent: Promise<void>): Promise<void> {
    const over = new AbortController();
    const late = this.#context.clock.sleep(END_MS, over.signal);
    await Promise.race([sent, late]);
    over.abort();
    const producer = this.#producer;
    this.#producer = null;
    producer?.abort(new Error("the mirror has ended"));
    await producer?.close();
  }
}
