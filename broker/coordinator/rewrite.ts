/**
 * Keeps a coordinator's partition short: when its log is much longer than the state, the state is
 * written once more at its end, and what lies before that is deleted. It does for a log whose fold
 * is known what compaction does for any log, and loading costs as much as the state is large.
 *
 *     … old records … │ state, key by key, between other writes │ …
 *                     └ new start of the log, once all of the rewrite is committed
 *
 * A key is written as it is at that moment and every later change follows it in the log, so a
 * replay from the new start gives the same state, whatever happens in between; a crash before the
 * deletion only leaves the log longer.
 *
 * A log that holds records of kinds that are not known here, as of a later version that ran before,
 * is left as it is: they are no part of the state, and a rewrite would lose them.
 */
import { Errors } from "../../core/errors.ts";
import type { CoordinatorLog } from "./coordinator-log.ts";
import type { CoordinatorResult, CoordinatorShard, Outcome } from "./shard.ts";

/** A log shorter than this is left alone. */
const LOG_BYTES_MIN = 4 * 1024 * 1024;
/** How many times as long as its last rewrite a log may become. */
const GROWTH_MAX = 4;
/** Records that are written between two looks at anything else. */
const RECORDS_PER_WRITE = 500;

/** What is rewritten, and how. */
export interface RewriteTarget<R> {
  readonly log: CoordinatorLog;
  readonly shard: CoordinatorShard<R>;
  /** Runs an operation of the shard; resolves when its records are committed. */
  readonly write: (operation: () => CoordinatorResult<R, boolean>) => Promise<Outcome<boolean>>;
}

/** Counts what is in the log, and rewrites it when it is due. */
export class LogRewriter<R> {
  /** Bytes in the log that a replay would read. */
  #logBytes = 0;
  #dueBytes = LOG_BYTES_MIN;
  #running = false;
  #keepsAll = false;

  constructor(readonly target: RewriteTarget<R>) {}

  /** Bytes were loaded or appended. */
  count(bytes: number): void {
    this.#logBytes += bytes;
  }

  /** The log holds what is not in the state: it is never rewritten. */
  keepAll(): void {
    this.#keepsAll = true;
  }

  /** Starts a rewrite if one is due; it goes on beside other operations. */
  maybeStart(): void {
    if (this.#keepsAll || this.#running || this.#logBytes < this.#dueBytes) return;
    this.#running = true;
    void this.#rewrite().finally(() => this.#running = false);
  }

  async #rewrite(): Promise<void> {
    const { log, shard } = this.target;
    if (log.hasUnstable) return;
    const start = log.logEndOffset;
    const bytesBefore = this.#logBytes;
    // After a failure it is tried again when the log has grown as much once more.
    this.#dueBytes = this.#logBytes + LOG_BYTES_MIN;
    const keys = shard.stateKeys();
    for (let next = 0; next < keys.length;) {
      const outcome = await this.target.write(() => {
        const records: R[] = [];
        // A value that is written now would come behind what an open transaction is to replace it by.
        if (log.hasUnstable) return { records, response: false };
        while (next < keys.length && records.length < RECORDS_PER_WRITE) {
          records.push(...shard.stateOf(keys[next++]!));
        }
        return { records, response: true, atomic: false };
      });
      if (!outcome.ok || !outcome.value) return;
    }
    // What cannot be deleted now goes with the next rewrite.
    if (log.deleteRecordsBefore(start) !== Errors.NONE) return;
    this.#logBytes -= bytesBefore;
    this.#dueBytes = Math.max(LOG_BYTES_MIN, this.#logBytes * GROWTH_MAX);
  }
}
