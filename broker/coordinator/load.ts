/** Replays a coordinator's partition from its start (Kafka's `CoordinatorLoaderImpl`). */
import type { Codecs } from "../../core/compression/codec.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { type Clock, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import {
  baseOffset,
  crcMatches,
  forEachBatch,
  isControl,
  isTransactional,
  producerId,
} from "../../core/records/batch-header.ts";
import { readEndTxnMarker } from "../../core/records/control-records.ts";
import { CorruptRecordError } from "../../core/records/corrupt-record-error.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import type { CoordinatorLog } from "./coordinator-log.ts";

/** Bytes replayed before others get a turn: some 2 ms of work. */
const READ_BYTES = 256 * 1024;

/** What is loaded, and where it goes. */
export interface LoadOptions {
  readonly name: string;
  readonly partition: number;
  readonly log: CoordinatorLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly codecs: Codecs;
  /** True once the result is of no interest. */
  readonly isCancelled: () => boolean;
  /** Folds one record; false if it is of a kind that is not known. */
  readonly replay: (
    key: Uint8Array,
    value: Uint8Array | null,
    offset: number,
    /** Whose transaction has to be committed for it to count; null if it counts by itself. */
    transactionOf: number | null,
  ) => boolean;
  /** A producer's transaction has ended. */
  readonly endTransaction: (producerId: number, isCommitted: boolean) => void;
}

/** Where replay ended, how much it read, and how many records it did not know; or why it failed. */
export type LoadResult =
  | {
    readonly ok: true;
    readonly endOffset: number;
    readonly bytes: number;
    readonly skipped: number;
  }
  | { readonly ok: false; readonly error: ErrorCode };

/** Replays everything that was in the log when it began. A damaged batch is named and left out. */
export async function loadShard(options: LoadOptions): Promise<LoadResult> {
  const { log, clock } = options;
  const endOffset = log.logEndOffset;
  const startedMs = clock.monotonicMs();
  const counts = { records: 0, skipped: 0, bytes: 0 };
  let offset = log.logStartOffset;
  let damaged = false;
  while (offset < endOffset && !options.isCancelled()) {
    if (log.highWatermark <= offset) {
      await advanced(log, clock);
      continue;
    }
    const read = await log.read(offset, READ_BYTES);
    if (options.isCancelled()) break;
    if (!read.ok && read.error === Errors.CORRUPT_MESSAGE) {
      if (!damaged) reportDamage(options, offset, "it fails its checksum");
      damaged = true;
      offset++;
      continue;
    }
    if (!read.ok) return read;
    damaged = false;
    if (read.nextOffset <= offset) return { ok: false, error: Errors.UNKNOWN_SERVER_ERROR };
    replayBatches(options, read.records, offset, counts);
    offset = read.nextOffset;
    await sleep(clock, 0);
  }
  if (endOffset > log.logStartOffset) {
    options.logger.info(`${options.name} has loaded its partition`, {
      partition: options.partition,
      records: counts.records,
      skipped: counts.skipped,
      tookMs: Math.round(clock.monotonicMs() - startedMs),
    });
  }
  return { ok: true, endOffset, bytes: counts.bytes, skipped: counts.skipped };
}

function replayBatches(
  options: LoadOptions,
  bytes: Uint8Array,
  from: number,
  counts: { records: number; skipped: number; bytes: number },
): void {
  counts.bytes += bytes.length;
  forEachBatch(bytes, (position) => {
    if (!crcMatches(bytes, position)) {
      reportDamage(options, baseOffset(bytes, position), "it fails its checksum");
      return;
    }
    const producer = producerId(bytes, position);
    if (isControl(bytes, position)) {
      const marker = readEndTxnMarker(bytes, position);
      if (marker !== null) options.endTransaction(producer, marker.type === "commit");
      return;
    }
    const transactionOf = isTransactional(bytes, position) ? producer : null;
    try {
      const cursor = new RecordCursor(bytes, position, options.codecs);
      while (cursor.next()) {
        if (cursor.offset < from) continue;
        const record = cursor.record();
        const known = record.key !== null &&
          options.replay(record.key, record.value, cursor.offset, transactionOf);
        counts.records++;
        if (!known) counts.skipped++;
      }
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      reportDamage(options, baseOffset(bytes, position), error.message);
    }
  });
}

function reportDamage(options: LoadOptions, offset: number, why: string): void {
  options.logger.error(`${options.name} left out a damaged batch`, {
    partition: options.partition,
    offset,
    why,
  });
}

/** Resolves when the high watermark has moved, or after a second to look at it again. */
function advanced(log: CoordinatorLog, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      unsubscribe();
      timer.cancel();
      resolve();
    };
    const unsubscribe = log.onAdvance(done);
    const timer = clock.setTimer(1_000, done);
  });
}
