/** What everything that works on the keys of a cluster shares: deadlines, repeats, the sanity of etcd. */
import { type Clock, type Random, sleep } from "../../core/io.ts";
import { MetadataUnavailableError } from "../metadata-log.ts";
import { MetadataFormatError } from "../metadata-records.ts";
import type { EtcdKeys } from "./etcd-layout.ts";
import {
  type EtcdEntry,
  type EtcdOp,
  type EtcdResult,
  type EtcdStore,
  type EtcdTxn,
  type EtcdTxnAnswer,
  failed,
} from "./etcd-store.ts";

/** How long things may take. */
export interface EtcdTimes {
  /** One call to etcd. */
  readonly callMs: number;
  /** An append, a read or a step of a snapshot, all repeats included. */
  readonly operationMs: number;
  /** After so much silence of a watch, etcd is asked whether it still lives. */
  readonly checkMs: number;
}

export const DEFAULT_ETCD_TIMES: EtcdTimes = { callMs: 2000, operationMs: 10_000, checkMs: 5000 };

const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 1000;
const ID_BYTES = 6;

/** See the head of this file. */
export class EtcdSession {
  readonly #closed = new AbortController();
  readonly #name: string;
  #ids = 0;
  /** The last revision that was heard of. */
  #revision = 0;

  constructor(
    readonly clock: Clock,
    readonly random: Random,
    readonly store: EtcdStore,
    readonly keys: EtcdKeys,
    readonly times: EtcdTimes,
  ) {
    this.#name = Buffer.from(random.bytes(ID_BYTES)).toString("hex");
  }

  get isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  close(): void {
    this.#closed.abort(new Error("closed"));
  }

  /** A name that nobody else gives, and this session only once. */
  nextId(): string {
    return `${this.#name}-${++this.#ids}`;
  }

  /** The monotonic time at which an operation that begins now is given up. */
  deadlineMs(): number {
    return this.clock.monotonicMs() + this.times.operationMs;
  }

  /** One transaction, once. */
  async txn(txn: EtcdTxn): Promise<EtcdResult<EtcdTxnAnswer>> {
    if (this.isClosed) return failed("refused", "the connection to etcd has been closed");
    const heardOf = this.#revision;
    const answer = await this.store.txn(txn, this.times.callMs);
    if (!answer.ok) return answer;
    const { revision } = answer.value;
    this.#revision = Math.max(this.#revision, revision);
    if (revision >= heardOf) return answer;
    return failed(
      "refused",
      `etcd has gone back from revision ${heardOf} to ${revision}: it was restored from a backup ` +
        "while this process ran; restart all nodes of the cluster",
    );
  }

  /** A transaction that may be done more than once, until etcd has answered or the time is over. */
  async repeated(
    txn: EtcdTxn,
    deadlineMs = this.deadlineMs(),
  ): Promise<EtcdResult<EtcdTxnAnswer>> {
    for (let attempt = 0;; attempt++) {
      const answer = await this.txn(txn);
      if (answer.ok || answer.failure.kind !== "unavailable") return answer;
      if (!await this.pause(attempt, deadlineMs)) return answer;
    }
  }

  /** What these ranges hold, all at the same revision. Rejects if etcd does not say. */
  async ranges(ops: readonly EtcdOp[]): Promise<EtcdTxnAnswer | "too-large"> {
    const answer = await this.repeated({ compare: [], then: ops, otherwise: [] });
    if (answer.ok) return answer.value;
    if (answer.failure.kind === "too-large") return "too-large";
    throw new MetadataUnavailableError(answer.failure.message);
  }

  /** Puts the parts of something large into a folder of keys. */
  async putChunks(
    chunks: readonly Uint8Array[],
    keyOf: (index: number) => string,
  ): Promise<EtcdResult<void>> {
    for (const [index, value] of chunks.entries()) {
      const put: EtcdOp = { type: "put", key: keyOf(index), value };
      const answer = await this.repeated({ compare: [], then: [put], otherwise: [] });
      if (!answer.ok) return answer;
    }
    return { ok: true, value: undefined };
  }

  /** All chunks together; null if some are missing. */
  async chunks(count: number, keyOf: (index: number) => string): Promise<Uint8Array | null> {
    const parts: Uint8Array[] = [];
    for (let index = 0; index < count; index++) {
      const answer = await this.ranges([{ type: "range", key: keyOf(index) }]);
      if (answer === "too-large") throw new MetadataFormatError("a chunk in etcd is too large");
      const entry = answer.results[0]?.[0];
      if (entry === undefined) return null;
      parts.push(entry.value);
    }
    return new Uint8Array(Buffer.concat(parts));
  }

  /** Waits before a repeat, longer each time. False if the time is over or the session closed. */
  async pause(attempt: number, deadlineMs = Infinity): Promise<boolean> {
    const rangeMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(attempt, 10));
    const delayMs = rangeMs / 2 + this.random.below(rangeMs) / 2;
    if (this.clock.monotonicMs() + delayMs >= deadlineMs) return false;
    return await this.wait(delayMs);
  }

  /** False if the session was closed meanwhile. */
  async wait(delayMs: number): Promise<boolean> {
    try {
      await sleep(this.clock, delayMs, this.#closed.signal);
    } catch {
      // Closed: what `isClosed` says.
    }
    return !this.isClosed;
  }

  /** Calls back when the session is closed. */
  onClose(callback: () => void): void {
    this.#closed.signal.addEventListener("abort", callback, { once: true });
  }
}

/** The first entry of a step of a transaction, or null. */
export function entryAt(answer: EtcdTxnAnswer, step: number): EtcdEntry | null {
  return answer.results[step]?.[0] ?? null;
}
