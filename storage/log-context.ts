/** What all logs of a data directory share. */
import type { BufferPool } from "../core/buffer-pool.ts";
import type { Codecs } from "../core/compression/codec.ts";
import type { DiskError, Io } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import type { CommitScheduler } from "./commit-scheduler.ts";
import type { KeyIndexing } from "./keys/key-indexing.ts";
import type { OpenFiles } from "./open-files.ts";

/** The seams that storage uses. */
export type StorageIo = Pick<Io, "clock" | "random" | "disk" | "offload">;

/** See the head of this file. */
export interface LogContext {
  readonly io: StorageIo;
  readonly logger: Logger;
  readonly codecs: Codecs;
  readonly files: OpenFiles;
  /** Memory for reads whose bytes nobody keeps. */
  readonly buffers: BufferPool;
  readonly scheduler: CommitScheduler;
  readonly keyIndexing: KeyIndexing;
  /** See `DataDirOptions`. */
  readonly retentionByAppendTime: boolean;
  /** See `DataDirOptions`. */
  readonly cutsDamage: boolean;
  /** `producer.id.expiration.ms`. */
  readonly producerIdExpirationMs: number;
  /** Path of the data directory. */
  readonly path: string;
  /** Why nothing can be written or acknowledged any more; null while all is well. */
  failure(): Error | null;
  /** A sync has failed: nothing in this directory can be trusted to become durable any more. */
  fail(error: Error): void;
  /** An append was refused by the disk, and nothing of it is left. */
  refused(error: DiskError): void;
  /** Removes the files later; they have been renamed away already. */
  removeLater(paths: readonly string[], delayMs: number): void;
  /**
   * Takes what the checkpoints say of a log's start and recovery point out of them, in the page
   * cache, and with `andCleaned` that it was cleaned, too. Returns the files that have changed: they
   * and the data directory are to be synced. Throws a `DiskError`.
   */
  forgetCheckpoints(name: string, andCleaned?: boolean): string[];
  /** Resolves when the checkpoints have been written, or that has been put off. */
  checkpointNow(): Promise<void>;
  /** A recovery point, a log start offset or the end of what is cleaned has moved. */
  checkpointLater(): void;
}
