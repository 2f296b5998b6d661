/**
 * Records by key of which everybody in a group of workers hears, in one order for each key: what
 * Connect keeps in compacted topics (its `KafkaBasedLog`). A worker alone needs no topic for it.
 */

/** What is written; a null value forgets the key. */
export interface LogEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** A record of the log. */
export interface LogRecord {
  /** Null where somebody else has written a record without one. */
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since 1970, or −1. */
  readonly timestampMs: number;
}

/**
 * Where reading ends, of what was written when it began. `committed`: before the first transaction that
 * is open. `written`: behind all, so that transactions which are open have to end first.
 */
export type LogEnd = "committed" | "written";

export interface RecordLog {
  /**
   * Hears all records from the first on: resolves when those that there are now have been heard, and
   * goes on with those to come. Throws what keeps it from that.
   */
  start(hear: (record: LogRecord) => void): Promise<void>;
  /** Resolves when all is heard that had been written when this was called; `end` is `committed`. */
  readToEnd(signal?: AbortSignal, end?: LogEnd): Promise<void>;
  /** Writes all, those of a key in their order; resolves when they are safe. Not heard yet then. */
  write(entries: readonly LogEntry[]): Promise<void>;
  /**
   * Writes all or nothing, as the one who may: throws once somebody else has done so since `claim`. A
   * log that knows no such right just writes.
   */
  writeAsOwner(entries: readonly LogEntry[]): Promise<void>;
  /** Takes the right to write as owner from whoever had it. */
  claim(): Promise<void>;
  /** Hears and writes no more. */
  close(): Promise<void>;
}

/** The log of a worker that is alone, as long as it lives. It keeps nothing: its reader does. */
export class MemoryLog implements RecordLog {
  #hear: ((record: LogRecord) => void) | null = null;
  #offset = 0n;

  constructor(private readonly wallMs: () => number) {}

  start(hear: (record: LogRecord) => void): Promise<void> {
    this.#hear = hear;
    return Promise.resolve();
  }

  readToEnd(): Promise<void> {
    return Promise.resolve();
  }

  write(entries: readonly LogEntry[]): Promise<void> {
    for (const entry of entries) {
      const timestampMs = this.wallMs();
      this.#hear?.({ ...entry, partition: 0, offset: this.#offset++, timestampMs });
    }
    return Promise.resolve();
  }

  writeAsOwner(entries: readonly LogEntry[]): Promise<void> {
    return this.write(entries);
  }

  claim(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#hear = null;
    return Promise.resolve();
  }
}
