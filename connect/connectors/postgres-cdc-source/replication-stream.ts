/**
 * Changes as they come from a replication slot, in a queue with bounds: while it is full, the server
 * is read no further. Tells the server all the time that somebody is there, and what is safe.
 */
import type { TaskClock } from "../../index.ts";
import { RetriableError } from "../../index.ts";
import { formatLsn } from "./lsn.ts";
import { PgOutput, statusUpdate } from "./pgoutput.ts";
import type { Begin, Change, Commit } from "./pgoutput.ts";
import type { Session } from "./session.ts";

export interface StreamSettings {
  readonly slot: string;
  readonly publication: string;
  readonly from: bigint;
  readonly queueMax: number;
  readonly queueBytesMax: number;
  readonly statusIntervalMs: number;
}

export type StreamItem = Begin | Commit | Change;

/** A server that says nothing for so long, though it is asked, is not there. */
const SILENCE_MS_MAX = 300_000;

/** See the head of the file. */
export class ReplicationStream {
  readonly #output = new PgOutput();
  /** What is being taken, up to `#taken`, and what comes behind it. */
  #first: StreamItem[] = [];
  #taken = 0;
  #behind: StreamItem[] = [];
  #firstBytes = 0;
  #behindBytes = 0;
  #isPaused = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;
  #heardMs: number;
  #flushed: bigint;
  #walEnd = 0n;
  readonly #ended = new AbortController();

  private constructor(
    readonly session: Session,
    readonly settings: StreamSettings,
    readonly clock: TaskClock,
  ) {
    this.#heardMs = clock.monotonicMs();
    this.#flushed = settings.from;
    session.connection.on("copyData", (message: { readonly chunk: Buffer }) => {
      this.#hear(message.chunk);
    });
  }

  /** Begins on a connection for replication. What fails then, or at once, is thrown by `take`. */
  static start(session: Session, settings: StreamSettings, clock: TaskClock): ReplicationStream {
    const stream = new ReplicationStream(session, settings, clock);
    const { slot, publication, from } = settings;
    const names = `"${publication.replaceAll('"', '""')}"`.replaceAll("'", "''");
    session.query(
      `START_REPLICATION SLOT "${slot}" LOGICAL ${formatLsn(from)} ` +
        `("proto_version" '1', "publication_names" '${names}')`,
    ).then(
      () => stream.fail(new RetriableError(`PostgreSQL at ${session.where} has ended the stream`)),
      (error: unknown) => stream.fail(session.explain(error)),
    );
    void stream.#tell();
    return stream;
  }

  /**
   * What has come, `max` at most; at the latest after `waitMs`, then it may be nothing. Throws what
   * the stream has ended with, once all that came before was taken.
   */
  async take(max: number, waitMs: number, signal: AbortSignal): Promise<readonly StreamItem[]> {
    if (this.#waiting === 0) await this.#wait(waitMs, signal);
    if (this.#waiting === 0 && this.#failure !== null) throw this.#failure;
    if (this.#taken === this.#first.length) {
      [this.#first, this.#firstBytes] = [this.#behind, this.#behindBytes];
      [this.#behind, this.#behindBytes, this.#taken] = [[], 0, 0];
    }
    const items = this.#first.slice(this.#taken, this.#taken + max);
    this.#taken += items.length;
    if (this.#taken === this.#first.length) this.#firstBytes = 0;
    this.#flow();
    return items;
  }

  /** All up to here was sent; null: there is something to take before. */
  get idleUpTo(): bigint | null {
    return this.#waiting === 0 && this.#walEnd > 0n ? this.#walEnd : null;
  }

  /** All up to here is safe: the server may let go of it. */
  confirm(lsn: bigint): void {
    if (lsn <= this.#flushed) return;
    this.#flushed = lsn;
    this.#say(false);
  }

  get #waiting(): number {
    return this.#first.length - this.#taken + this.#behind.length;
  }

  async #wait(waitMs: number, signal: AbortSignal): Promise<void> {
    if (this.#failure !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const over = new AbortController();
    this.#wake = resolve;
    await Promise.race([promise, this.clock.sleep(waitMs, AbortSignal.any([signal, over.signal]))]);
    over.abort();
    this.#wake = null;
  }

  #hear(chunk: Buffer): void {
    this.#heardMs = this.clock.monotonicMs();
    if (this.#failure !== null) return;
    try {
      const message = this.#output.read(chunk);
      if (message === null) return;
      if (message.kind === "keepalive") {
        this.#walEnd = message.walEnd;
        if (message.wantsReply) this.#say(false);
      } else {
        this.#behind.push(message);
        this.#behindBytes += chunk.length;
      }
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
    this.#flow();
    this.#wake?.();
  }

  /** Reads on once half of it is taken. */
  #flow(): void {
    const { queueMax, queueBytesMax } = this.settings;
    const share = this.#isPaused ? 0.5 : 1;
    const isFull = this.#waiting >= queueMax * share ||
      this.#firstBytes + this.#behindBytes >= queueBytesMax * share;
    if (isFull === this.#isPaused) return;
    this.#isPaused = isFull;
    const { stream } = this.session.connection;
    if (isFull) stream.pause();
    else {
      this.#heardMs = this.clock.monotonicMs();
      stream.resume();
    }
  }

  /** Ends it: `take` throws this, once all that came before was taken. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#ended.abort();
    this.#wake?.();
    this.session.destroy();
  }

  /** Aborts when the stream ends. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Until the stream ends. */
  async #tell(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await this.clock.sleep(this.settings.statusIntervalMs, signal);
      if (signal.aborted) return;
      this.#say(true);
      const silentMs = this.clock.monotonicMs() - this.#heardMs;
      if (this.#isPaused || silentMs < SILENCE_MS_MAX) continue;
      const { where } = this.session;
      this.fail(new RetriableError(`PostgreSQL at ${where} was silent for ${silentMs} ms`));
    }
  }

  #say(wantsReply: boolean): void {
    if (this.#failure !== null) return;
    const { stream } = this.session.connection;
    if (stream.writable) stream.write(statusUpdate(this.#flushed, this.clock.wallMs(), wantsReply));
  }

  /** Says a last time what is safe, and ends. */
  close(): void {
    this.#say(false);
    this.fail(new Error("the stream was closed"));
  }
}
