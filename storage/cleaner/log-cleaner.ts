/**
 * Cleans the compacted logs of a data directory, the dirtiest first (Kafka's `LogCleaner` and
 * `LogCleanerManager`). Each of its threads, which are only loops here since the work is done in
 * workers, takes a log, cleans it, and rests for `log.cleaner.backoff.ms` when none is due.
 *
 * A log that cannot be cleaned, because it holds damage, is left alone until the next start.
 */
import { type Clock, DiskError, OffloadError, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { PartitionLog } from "../partition-log.ts";
import { type Cleanable, dirtyRatio, isDue } from "./clean-plan.ts";
import { CleaningAborted, UncleanableError } from "./log-cleaning.ts";
import { Throttle } from "./throttle.ts";

/** Kafka's `log.cleaner.*`; read anew for each cleaning. */
export interface CleanerConfig {
  readonly threads: number;
  /** Memory for the key maps of all threads together. */
  readonly dedupeBufferBytes: number;
  /** How full a key map may become, 0 to 1. */
  readonly bufferLoad: number;
  readonly ioBufferBytes: number;
  /** Read and written together. */
  readonly ioBytesPerSecond: number;
  readonly backoffMs: number;
}

/** Kafka's defaults. */
export const DEFAULT_CLEANER_CONFIG: CleanerConfig = {
  threads: 1,
  dedupeBufferBytes: 134_217_728,
  bufferLoad: 0.9,
  ioBufferBytes: 524_288,
  ioBytesPerSecond: Infinity,
  backoffMs: 15_000,
};

/** Less room than this for a thread's keys or its reads is not worth anybody's while. */
const KEY_MAP_BYTES_MIN = 1024;
const CHUNK_BYTES_MIN = 1024;
/** More would hold the event loop too long when it is written. */
const CHUNK_BYTES_MAX = 1024 * 1024;

interface Candidate {
  readonly log: PartitionLog;
  readonly cleanable: Cleanable;
}

/** See the head of this file. */
export class LogCleaner {
  private readonly inProgress = new Set<PartitionLog>();
  private readonly uncleanable = new WeakSet<PartitionLog>();
  private readonly stopping = new AbortController();
  private readonly loops: Promise<void>[] = [];
  private readonly throttle: Throttle;

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly logs: () => Iterable<PartitionLog>,
    private readonly config: () => CleanerConfig,
  ) {
    this.throttle = new Throttle(clock, () => config().ioBytesPerSecond);
  }

  /** Begins to look after the logs. */
  start(): void {
    this.startLoops();
  }

  /** Resolves when nothing is being cleaned any more. */
  async stop(): Promise<void> {
    this.stopping.abort(new CleaningAborted("the cleaner stops"));
    await Promise.all(this.loops);
  }

  /** Cleans the dirtiest log that is due; false if there is none or it could not be cleaned. */
  async cleanOne(): Promise<boolean> {
    const candidate = this.choose();
    if (candidate === null) return false;
    this.inProgress.add(candidate.log);
    try {
      await this.clean(candidate);
      return true;
    } catch (error) {
      if (error instanceof CleaningAborted) return false;
      if (error instanceof DiskError) {
        this.complain("cannot clean a log now", candidate, error);
        return false;
      }
      if (!(error instanceof UncleanableError) && !(error instanceof OffloadError)) throw error;
      this.uncleanable.add(candidate.log);
      this.complain("a log cannot be cleaned, and is left as it is", candidate, error);
      return false;
    } finally {
      this.inProgress.delete(candidate.log);
    }
  }

  /** One for each thread; the first is there even if there are none, and sees when there are more. */
  private startLoops(): void {
    const wanted = Math.max(1, this.config().threads);
    while (this.loops.length < wanted) this.loops.push(this.loop(this.loops.length));
  }

  private async loop(index: number): Promise<void> {
    const { signal } = this.stopping;
    // What is adopted at the start takes its configuration first.
    let rests = true;
    while (!signal.aborted) {
      if (rests) await sleep(this.clock, this.config().backoffMs, signal).catch(() => {});
      if (signal.aborted) return;
      this.startLoops();
      rests = index >= this.config().threads || !await this.cleanOne();
    }
  }

  private choose(): Candidate | null {
    let best: Candidate | null = null;
    for (const log of this.logs()) {
      if (this.inProgress.has(log) || this.uncleanable.has(log)) continue;
      const cleanable = this.find(log);
      if (cleanable === null) continue;
      if (best === null || dirtyRatio(cleanable) > dirtyRatio(best.cleanable)) {
        best = { log, cleanable };
      }
    }
    return best;
  }

  private find(log: PartitionLog): Cleanable | null {
    try {
      const cleanable = log.cleaning.find();
      return cleanable !== null && isDue(cleanable, log.config) ? cleanable : null;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.logger.warn("cannot see what there is to clean", { log: log.name, why: error.message });
      return null;
    }
  }

  private async clean({ log, cleanable }: Candidate): Promise<void> {
    const config = this.config();
    const share = Math.floor(config.dedupeBufferBytes / Math.max(1, config.threads));
    const startedMs = this.clock.monotonicMs();
    const stats = await log.cleaning.clean(cleanable, {
      keyMapBytes: Math.max(share, KEY_MAP_BYTES_MIN),
      keyMapLoad: config.bufferLoad,
      chunkBytes: Math.min(Math.max(config.ioBufferBytes, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX),
      throttle: this.throttle,
      signal: this.stopping.signal,
    });
    const ms = Math.round(this.clock.monotonicMs() - startedMs);
    this.logger.info("cleaned a log", { log: log.name, ...stats, ms });
    if (stats.keylessRecords === 0) return;
    this.logger.warn("records without a key were dropped", {
      log: log.name,
      records: stats.keylessRecords,
    });
  }

  private complain(message: string, { log }: Candidate, error: Error): void {
    this.logger.error(message, { log: log.name, why: error.message });
  }
}
