/**
 * What a broker checks before it takes a producer's batch, as Kafka's `ProduceRequest`,
 * `UnifiedLog` and `LogValidator` do together. Records are parsed only where a rule needs them or
 * to name the bad ones; what follows from that (a record that contradicts its header) is the
 * readers' to find.
 */
import { type Codecs, compressionName } from "../compression/codec.ts";
import { type ErrorCode, Errors } from "../errors.ts";
import {
  baseOffset,
  baseSequence,
  batchSizeAt,
  compressionId,
  computeCrc,
  isControl,
  isLogAppendTime,
  lastOffsetDelta,
  maxTimestamp,
  NO_PRODUCER_ID,
  NO_TIMESTAMP,
  producerId,
  recordsCount,
  storedCrc,
} from "./batch-header.ts";
import { CorruptRecordError } from "./corrupt-record-error.ts";
import { MAX_DECOMPRESSED_BYTES, RecordCursor } from "./record-cursor.ts";

/** A topic's rules for what producers write. */
export interface BatchRules {
  /** `max.message.bytes`: of a whole batch, as sent. */
  readonly maxBatchBytes: number;
  /** `message.timestamp.type`. */
  readonly timestampType: "CreateTime" | "LogAppendTime";
  /** `message.timestamp.before.max.ms`; from 2^53 on there is no bound, and records stay unparsed. */
  readonly timestampBeforeMaxMs: number;
  /** `message.timestamp.after.max.ms`; from 2^53 on there is no bound. */
  readonly timestampAfterMaxMs: number;
  /** Whether the topic is compacted, so that every record needs a key. */
  readonly requireKeys: boolean;
  /** What the batch may unpack to; default `MAX_DECOMPRESSED_BYTES`. */
  readonly maxDecompressedBytes?: number;
}

/** A record that broke a rule, by its position in the batch. */
export interface RecordError {
  readonly index: number;
  readonly message: string;
}

/** Why a batch is refused, as a produce response says it. */
export interface BatchRefusal {
  readonly ok: false;
  readonly error: ErrorCode;
  readonly message: string;
  readonly recordErrors: readonly RecordError[];
}

/** `sizeBytes` is where the batch ends: what follows is a cut batch, and is left out as in Kafka. */
export type BatchVerdict = { readonly ok: true; readonly sizeBytes: number } | BatchRefusal;

/** As many bad records as a refusal names. */
const RECORD_ERRORS_MAX = 100;

/**
 * Judges the `records` of one partition in a produce request (version 3 and later). Never throws on
 * bad input. Rules and codes:
 *
 * - exactly one batch of magic 2 → INVALID_RECORD; lengths that cannot be → CORRUPT_MESSAGE
 * - base offset 0 → INVALID_RECORD
 * - at most `maxBatchBytes` → MESSAGE_TOO_LARGE
 * - CRC-32C → CORRUPT_MESSAGE
 * - recordsCount = lastOffsetDelta + 1 > 0, no control bit, a base sequence with a producer id →
 *   INVALID_RECORD (without a producer id, epoch and sequence may be anything: some clients send 0)
 * - a codec that Kafka knows → UNSUPPORTED_COMPRESSION_TYPE
 * - timestamps within the bounds around `nowMs` for CreateTime → INVALID_TIMESTAMP
 * - keys where the topic needs them → INVALID_RECORD
 */
export function validateProduceBatch(
  records: Uint8Array,
  rules: BatchRules,
  nowMs: number,
  codecs: Codecs,
): BatchVerdict {
  let sizeBytes: number;
  try {
    sizeBytes = batchSizeAt(records, 0);
    if (sizeBytes === 0) {
      return refusal(Errors.INVALID_RECORD, "there is no whole record batch for the partition");
    }
    if (batchSizeAt(records, sizeBytes) > 0) {
      return refusal(
        Errors.INVALID_RECORD,
        "there is more than one record batch for the partition",
      );
    }
  } catch (error) {
    return refusalOf(error, Errors.CORRUPT_MESSAGE);
  }
  const refused = checkHeader(records, sizeBytes, rules) ??
    (needsRecords(records, rules, nowMs) ? checkRecords(records, rules, nowMs, codecs) : null);
  return refused ?? { ok: true, sizeBytes };
}

/**
 * Parses the batch at `position`, which has to be whole: every record well-formed, the offsets dense
 * from 0, nothing left over. Null if all is well. Never throws on bad input.
 */
export function validateRecords(
  bytes: Uint8Array,
  position: number,
  codecs: Codecs,
  maxBytes: number = MAX_DECOMPRESSED_BYTES,
): BatchRefusal | null {
  return visitRecords(bytes, position, codecs, maxBytes, () => null);
}

function checkHeader(
  records: Uint8Array,
  sizeBytes: number,
  rules: BatchRules,
): BatchRefusal | null {
  const invalid = (message: string) => refusal(Errors.INVALID_RECORD, message);
  const offset = baseOffset(records, 0);
  if (offset !== 0) return invalid(`the base offset of a new batch must be 0, not ${offset}`);
  if (sizeBytes > rules.maxBatchBytes) {
    return refusal(
      Errors.MESSAGE_TOO_LARGE,
      `the record batch has ${sizeBytes} bytes, more than the ${rules.maxBatchBytes} allowed ` +
        "by max.message.bytes",
    );
  }
  const [stored, computed] = [storedCrc(records, 0), computeCrc(records, 0)];
  if (stored !== computed) {
    return refusal(
      Errors.CORRUPT_MESSAGE,
      `the record batch is corrupt: its CRC says ${stored}, its bytes ${computed}`,
    );
  }
  const count = recordsCount(records, 0);
  const lastDelta = lastOffsetDelta(records, 0);
  if (count <= 0) return invalid(`the record batch claims ${count} records`);
  if (lastDelta !== count - 1) {
    return invalid(`the record batch claims ${count} records but a last offset of ${lastDelta}`);
  }
  if (isControl(records, 0)) return invalid("clients are not allowed to write control records");
  const id = producerId(records, 0);
  const sequence = baseSequence(records, 0);
  if (id < NO_PRODUCER_ID) return invalid(`invalid producer id ${id}`);
  if (id > NO_PRODUCER_ID && sequence < 0) {
    return invalid(`invalid sequence number ${sequence} with producer id ${id}`);
  }
  if (isLogAppendTime(records, 0)) {
    return refusal(
      Errors.INVALID_TIMESTAMP,
      "producers must not set the timestamp type LogAppendTime",
    );
  }
  const compression = compressionId(records, 0);
  if (compressionName(compression) === null) {
    return refusal(
      Errors.UNSUPPORTED_COMPRESSION_TYPE,
      `unknown compression type ${compression}`,
    );
  }
  return null;
}

function needsRecords(records: Uint8Array, rules: BatchRules, nowMs: number): boolean {
  if (rules.requireKeys) return true;
  if (rules.timestampType === "LogAppendTime") return false;
  return rules.timestampBeforeMaxMs < Number.MAX_SAFE_INTEGER || isLate(records, rules, nowMs);
}

/** Whether the batch has a timestamp too far ahead, by the word of its header. */
function isLate(records: Uint8Array, rules: BatchRules, nowMs: number): boolean {
  return rules.timestampType === "CreateTime" &&
    rules.timestampAfterMaxMs < Number.MAX_SAFE_INTEGER &&
    maxTimestamp(records, 0) > nowMs + rules.timestampAfterMaxMs;
}

function checkRecords(
  records: Uint8Array,
  rules: BatchRules,
  nowMs: number,
  codecs: Codecs,
): BatchRefusal | null {
  const timed = rules.timestampType === "CreateTime";
  const earliest = nowMs - rules.timestampBeforeMaxMs;
  const latest = nowMs + rules.timestampAfterMaxMs;
  const maxBytes = rules.maxDecompressedBytes ?? MAX_DECOMPRESSED_BYTES;
  const verdict = visitRecords(records, 0, codecs, maxBytes, (cursor) => {
    const { timestamp } = cursor;
    if (rules.requireKeys && cursor.keyStart < 0) {
      return {
        error: Errors.INVALID_RECORD,
        message: "a compacted topic takes no record without key",
      };
    }
    if (!timed || timestamp === NO_TIMESTAMP) return null;
    if (timestamp >= earliest && timestamp <= latest) return null;
    return {
      error: Errors.INVALID_TIMESTAMP,
      message:
        `timestamp ${timestamp} is out of range, it should be within [${earliest}, ${latest}]`,
    };
  });
  if (verdict !== null || !isLate(records, rules, nowMs)) return verdict;
  return refusal(
    Errors.INVALID_TIMESTAMP,
    `the record batch claims the timestamp ${maxTimestamp(records, 0)}, later than ${latest}`,
  );
}

/** What a rule has against one record. */
type RecordFault = { readonly error: ErrorCode; readonly message: string };

/** Parses all records, collects what `judge` finds; the first fault gives the code, as in Kafka. */
function visitRecords(
  bytes: Uint8Array,
  position: number,
  codecs: Codecs,
  maxBytes: number,
  judge: (cursor: RecordCursor) => RecordFault | null,
): BatchRefusal | null {
  const recordErrors: RecordError[] = [];
  let error: ErrorCode = Errors.NONE;
  let faults = 0;
  let index = 0;
  try {
    const cursor = new RecordCursor(bytes, position, codecs, maxBytes);
    for (; cursor.next(); index++) {
      const fault = cursor.offsetDelta === index ? judge(cursor) : {
        error: Errors.INVALID_RECORD,
        message: `offset delta ${cursor.offsetDelta} where ${index} is next`,
      };
      if (fault === null) continue;
      if (faults++ === 0) error = fault.error;
      if (faults <= RECORD_ERRORS_MAX) recordErrors.push({ index, message: fault.message });
    }
  } catch (thrown) {
    return refusalOf(thrown, Errors.INVALID_RECORD);
  }
  if (faults === 0) return null;
  const reason = error === Errors.INVALID_TIMESTAMP ? "invalid timestamps" : "invalid records";
  const message = `${faults} of ${index} records are refused (${reason}), the first is number ` +
    `${recordErrors[0]?.index}: ${recordErrors[0]?.message}`;
  return refusal(error, message, recordErrors);
}

/**
 * The refusal for what a reader threw. The code of plain corruption is up to the caller:
 * CORRUPT_MESSAGE makes clients send the same again, which only helps if the way damaged it. An old
 * message format is INVALID_RECORD in a produce request.
 */
export function refusalOf(thrown: unknown, corruption: ErrorCode): BatchRefusal {
  if (!(thrown instanceof CorruptRecordError)) throw thrown;
  switch (thrown.code) {
    case Errors.CORRUPT_MESSAGE:
      return refusal(corruption, thrown.message);
    case Errors.UNSUPPORTED_FOR_MESSAGE_FORMAT:
      return refusal(Errors.INVALID_RECORD, thrown.message);
    default:
      return refusal(thrown.code, thrown.message);
  }
}

function refusal(
  error: ErrorCode,
  message: string,
  recordErrors: readonly RecordError[] = [],
): BatchRefusal {
  return { ok: false, error, message, recordErrors };
}
