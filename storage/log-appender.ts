/**
 * Appends to a log: what a batch has to be like, which offsets it gets, and the write into the page
 * cache. Every append is all or nothing.
 */
import { assert } from "../core/assert.ts";
import { type ErrorCode, Errors } from "../core/errors.ts";
import { DiskError } from "../core/io.ts";
import {
  baseOffset,
  batchSizeAt,
  batchSizeBytes,
  lastOffset,
  lastOffsetDelta,
  maxTimestamp,
  partitionLeaderEpoch,
  setBaseOffset,
  setLogAppendTime,
  setPartitionLeaderEpoch,
} from "../core/records/batch-header.ts";
import { CorruptRecordError } from "../core/records/corrupt-record-error.ts";
import { recompress, type Recompressed } from "../core/records/recompress.ts";
import {
  type BatchRefusal,
  type BatchRules,
  validateProduceBatch,
} from "../core/records/validate.ts";
import { abortedBy } from "./aborted-index.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogContext } from "./log-context.ts";
import type { LogDurability } from "./log-durability.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogState } from "./log-state.ts";
import { shouldRoll } from "./retention.ts";
import type { Segment } from "./segment.ts";
import type { VerificationGuard } from "./verifications.ts";

/**
 * Who appends. `client`: validated as Kafka's LogValidator does, sequences checked. `coordinator`:
 * the broker's own batch. `replication`: batches with the offsets and epochs of the leader.
 */
export type AppendOrigin = "client" | "coordinator" | "replication";

/** How a batch is appended; `leaderEpoch` is the epoch that it gets (not with `replication`). */
export interface AppendOptions {
  readonly leaderEpoch: number;
  readonly origin: AppendOrigin;
  /**
   * What allows a transactional batch to begin a transaction here (KIP-890): the guard under which
   * the coordinator has been asked. "off" where nobody has to ask, null or nothing where it has not.
   */
  readonly verification?: VerificationGuard | null | "off";
  /** With a marker: the version of the transaction that it ends; 2 and later are stricter. */
  readonly transactionVersion?: number;
}

/** The outcome of an append; on an error nothing has changed. */
export type AppendResult =
  | {
    readonly ok: true;
    readonly baseOffset: number;
    readonly lastOffset: number;
    /** Wall time of the append with LogAppendTime, else −1. */
    readonly logAppendTimeMs: number;
    /** The batch had been appended before, and the offsets are those of then. */
    readonly duplicate: boolean;
  }
  | {
    readonly ok: false;
    readonly error: ErrorCode;
    readonly message: string;
    readonly recordErrors: readonly { readonly index: number; readonly message: string }[];
  };

/** See the head of this file. */
export class LogAppender {
  constructor(
    private readonly context: LogContext,
    private readonly state: LogState,
    private readonly files: LogFiles,
    private readonly durability: LogDurability,
  ) {}

  /** Validates, assigns offsets, writes. */
  append(records: Uint8Array, options: AppendOptions): AppendResult {
    const obstacle = this.obstacle();
    if (obstacle !== null) return refused(Errors.KAFKA_STORAGE_ERROR, obstacle);
    if (options.origin === "replication") return this.appendReplicated(records);
    const { state } = this;
    const { config } = state;
    const nowMs = this.context.io.clock.wallMs();
    let bytes = records;
    if (options.origin === "client") {
      const verdict = validateProduceBatch(records, rulesOf(config), nowMs, this.context.codecs);
      if (!verdict.ok) return verdict;
      if (verdict.sizeBytes < records.length) bytes = records.subarray(0, verdict.sizeBytes);
    }
    const answer = this.checkProducer(bytes, options);
    if (answer !== null) return answer;
    if (options.origin === "client") {
      const stored = this.compress(bytes);
      if (!stored.ok) return stored;
      bytes = stored.bytes;
    }
    if (bytes.length > config.segmentBytes) {
      return refused(
        Errors.RECORD_LIST_TOO_LARGE,
        `the batch has ${bytes.length} bytes, a segment holds ${config.segmentBytes}`,
      );
    }
    const usesAppendTime = config.messageTimestampType === "LogAppendTime";
    if (usesAppendTime) setLogAppendTime(bytes, 0, nowMs);
    const base = state.endOffset;
    setBaseOffset(bytes, 0, base);
    setPartitionLeaderEpoch(bytes, 0, options.leaderEpoch);
    const error = this.write(bytes, nowMs);
    if (error !== null) return error;
    return {
      ok: true,
      baseOffset: base,
      lastOffset: state.endOffset - 1,
      logAppendTimeMs: usesAppendTime ? nowMs : -1,
      duplicate: false,
    };
  }

  /** Completes the active segment and starts the next one at `offset`. Throws a `DiskError`. */
  roll(offset: number): Segment {
    const segment = this.files.roll(offset, this.state.producers, this.state.config);
    this.durability.requestCommit();
    return segment;
  }

  /** Why nothing can be appended, or null. */
  private obstacle(): string | null {
    if (this.state.isClosed) return "the log is closed";
    if (this.state.phase === "cutting") return "the log is being cut";
    return this.context.failure()?.message ?? null;
  }

  /** The batch with the codec of the topic. Kafka too looks at its size once more afterwards. */
  private compress(bytes: Uint8Array): Recompressed {
    const { compression, maxMessageBytes } = this.state.config;
    const stored = recompress(bytes, compression, this.context.codecs);
    if (!stored.ok || stored.bytes === bytes || stored.bytes.length <= maxMessageBytes) {
      return stored;
    }
    const size = stored.bytes.length;
    return refused(
      Errors.MESSAGE_TOO_LARGE,
      `the batch has ${size} bytes as compression.type=${compression.type} stores it, more than ` +
        `the ${maxMessageBytes} allowed by max.message.bytes`,
    );
  }

  private checkProducer(bytes: Uint8Array, options: AppendOptions): AppendResult | null {
    const { producers, endOffset } = this.state;
    const verdict = producers.check(bytes, 0, {
      isClient: options.origin === "client",
      verification: options.verification ?? null,
      transactionVersion: options.transactionVersion ?? 0,
    });
    switch (verdict.kind) {
      case "append":
        return null;
      case "done": {
        const lastOffset = endOffset - 1;
        return {
          ok: true,
          baseOffset: lastOffset,
          lastOffset,
          logAppendTimeMs: -1,
          duplicate: true,
        };
      }
      case "refused":
        return refused(verdict.error, verdict.message);
      case "duplicate":
        return {
          ok: true,
          baseOffset: verdict.baseOffset,
          lastOffset: verdict.lastOffset,
          logAppendTimeMs: this.state.config.messageTimestampType === "LogAppendTime"
            ? verdict.timestampMs
            : -1,
          duplicate: true,
        };
    }
  }

  /** Batches that have their offsets: all have to be whole and to follow the log's end. */
  private appendReplicated(records: Uint8Array): AppendResult {
    const nowMs = this.context.io.clock.wallMs();
    const first = this.state.endOffset;
    try {
      for (let at = 0; at < records.length;) {
        const size = batchSizeAt(records, at);
        if (size === 0) break;
        if (baseOffset(records, at) < this.state.endOffset) {
          return refused(Errors.CORRUPT_MESSAGE, `offset ${baseOffset(records, at)} is taken`);
        }
        const error = this.write(records.subarray(at, at + size), nowMs);
        if (error !== null) return error;
        at += size;
      }
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      return refused(error.code, error.message);
    }
    return {
      ok: true,
      baseOffset: first,
      lastOffset: this.state.endOffset - 1,
      logAppendTimeMs: -1,
      duplicate: false,
    };
  }

  /** Writes one batch whose offsets are set. Null if it went well. */
  private write(bytes: Uint8Array, nowMs: number): AppendResult | null {
    const { state } = this;
    const facts = {
      sizeBytes: batchSizeBytes(bytes, 0),
      baseOffset: baseOffset(bytes, 0),
      lastOffset: lastOffset(bytes, 0),
      maxTimestampMs: maxTimestamp(bytes, 0),
    };
    assert(facts.sizeBytes === bytes.length, "one whole batch is written at a time");
    assert(facts.baseOffset >= state.endOffset, "offsets ascend");
    try {
      const aborted = abortedBy(state.producers, bytes, 0);
      const segment = this.segmentFor(facts, nowMs);
      if (aborted !== null) segment.abortedIndex.append(aborted);
      try {
        segment.append(bytes, facts, state.config.indexIntervalBytes);
        segment.appendedMs = nowMs;
      } catch (error) {
        if (aborted !== null) segment.abortedIndex.dropLast();
        throw error;
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.context.logger.error("cannot append to a log", { log: state.name, why: error.message });
      this.context.refused(error);
      return refused(Errors.KAFKA_STORAGE_ERROR, `cannot write to the log: ${error.code}`);
    }
    state.epochs.assign(partitionLeaderEpoch(bytes, 0), facts.baseOffset);
    state.producers.update(bytes, 0, nowMs);
    state.endOffset = facts.lastOffset + 1;
    state.mirror?.(bytes);
    this.durability.noteAppended(lastOffsetDelta(bytes, 0) + 1);
    return null;
  }

  /** The active segment, rolled if the batch does not fit. Throws a `DiskError`. */
  private segmentFor(
    facts: { sizeBytes: number; baseOffset: number; lastOffset: number; maxTimestampMs: number },
    nowMs: number,
  ): Segment {
    const { config, segments } = this.state;
    const { active } = segments;
    if (active === null) return this.files.addFirst(facts.baseOffset, config);
    const indexBytes = Math.max(active.offsetIndex.sizeBytes, active.timeIndex.sizeBytes);
    const segment = {
      sizeBytes: active.sizeBytes,
      firstTimestampMs: active.loadFirstTimestamp(),
      createdMs: active.createdMs,
      jitterMs: active.jitterMs,
      indexBytes,
    };
    const fits = active.canHold(facts.sizeBytes, facts.lastOffset);
    if (fits && !shouldRoll(segment, facts, config, nowMs)) return active;
    return this.roll(facts.baseOffset);
  }
}

function rulesOf(config: LogConfig): BatchRules {
  return {
    maxBatchBytes: config.maxMessageBytes,
    timestampType: config.messageTimestampType,
    timestampBeforeMaxMs: config.messageTimestampBeforeMaxMs,
    timestampAfterMaxMs: config.messageTimestampAfterMaxMs,
    requireKeys: config.cleanupPolicy.compact,
  };
}

function refused(error: ErrorCode, message: string): BatchRefusal {
  return { ok: false, error, message, recordErrors: [] };
}
